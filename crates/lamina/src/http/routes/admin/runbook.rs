//! What a person does about an alert or a failure: the very words of `docs/operations.md`, `docs/errors.md`
//! and of the alert rules, checked in beside the description of the API as `runbook.json`, and compared by a test.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What is known of alerts and codes.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct Runbook {
    /// By the name of the alert.
    pub(in crate::http) alerts: BTreeMap<String, AlertText>,
    /// What to do about a job that failed with a code.
    pub(in crate::http) codes: BTreeMap<String, String>,
}

/// One alert.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct AlertText {
    pub(in crate::http) severity: String,
    /// What is wrong, with what Prometheus puts into `{{ … }}`.
    pub(in crate::http) summary: String,
    /// What to do.
    pub(in crate::http) todo: String,
    /// What to do by the part that is not well, where it depends on that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::http) parts: BTreeMap<String, String>,
}

const CHECKED_IN: &str = include_str!("../../../../runbook.json");

/// The runbook.
pub(in crate::http) fn runbook() -> &'static Runbook {
    static RUNBOOK: LazyLock<Runbook> = LazyLock::new(|| {
        // A test reads it as well.
        serde_json::from_str(CHECKED_IN).unwrap_or_default()
    });
    &RUNBOOK
}

impl Runbook {
    /// What to do about a failure; nothing for a code that an older version wrote.
    pub(super) fn about_code(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(String::as_str)
    }
}

impl AlertText {
    /// The summary with these values: the first is what stands for the service, the rest fill what is left in its order.
    pub(in crate::http) fn said(&self, values: &[&str]) -> String {
        let mut said = String::with_capacity(self.summary.len());
        let (mut rest, mut values) = (self.summary.as_str(), values.iter());
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            said.push_str(before);
            if name.contains("$labels.instance") {
                said.push_str("this service");
            } else {
                said.push_str(values.next().copied().unwrap_or("?"));
            }
            rest = after;
        }
        said.push_str(rest);
        let mut letters = said.chars();
        match letters.next() {
            Some(first) => first.to_uppercase().chain(letters).collect(),
            None => said,
        }
    }

    /// What to do, if need be about a part.
    pub(super) fn what_to_do(&self, part: Option<&str>) -> &str {
        let of_part = part.and_then(|part| self.parts.get(part));
        of_part.map_or(&self.todo, String::as_str)
    }
}
