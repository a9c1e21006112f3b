//! The text of a scrape, as far as tests ask.

use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Samples {
    pub(super) text: String,
    values: BTreeMap<String, f64>,
}

impl Samples {
    pub(super) fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let values = samples.map(|line| {
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (sample.to_owned(), value.parse().unwrap())
        });
        Self {
            values: values.collect(),
            text: text.to_owned(),
        }
    }

    /// The value of a sample, named with its labels.
    pub(super) fn of(&self, sample: &str) -> Option<f64> {
        self.values.get(sample).copied()
    }

    /// The names of all samples.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let names = self.values.keys().map(|sample| {
            let end = sample.find('{').unwrap_or(sample.len());
            sample[..end].to_owned()
        });
        names.collect()
    }
}
