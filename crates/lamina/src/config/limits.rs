//! Options that bound what callers may do and what engines may cost.

use super::reader::Reader;
use crate::access::{LimitRules, Rate, Rule, SpendCaps, StorageRules, parse_usd};

impl Reader<'_> {
    pub(super) fn limits(&mut self) -> LimitRules {
        LimitRules {
            rate: self.rule(
                "RATE_LIMIT",
                "a rate such as 20/s, 600/m or 20/s burst 40",
                |text| text.parse::<Rate>().ok(),
            ),
            max_jobs: self.rule("MAX_JOBS_PER_KEY", "a number of jobs from 1 up", |text| {
                text.parse::<u32>().ok().filter(|jobs| *jobs > 0)
            }),
        }
    }

    pub(super) fn spend_caps(&mut self) -> SpendCaps {
        SpendCaps {
            total_microusd: self.dollars("SPEND_LIMIT_USD_PER_DAY"),
            owner_microusd: self.dollars("SPEND_LIMIT_USD_PER_DAY_PER_KEY"),
        }
    }

    pub(super) fn storage_rules(&mut self) -> StorageRules {
        let wanted = "a number of bytes";
        let total_bytes = self.rule("MAX_STORED_BYTES", wanted, bytes);
        StorageRules {
            total_bytes,
            owner_bytes: self.bytes_or_off("MAX_STORED_BYTES_PER_KEY"),
            incoming_bytes: self.bytes_or_off("MAX_INCOMING_BYTES_PER_KEY"),
        }
    }

    /// `None` for no bound but that of all.
    pub(super) fn streams_per_key(&mut self) -> Option<usize> {
        let name = "MAX_EVENT_STREAMS_PER_KEY";
        match self.text(name) {
            "off" => None,
            _ => Some(self.count(name, "off or a number of streams")),
        }
    }

    fn bytes_or_off(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name);
        if text == "off" {
            return None;
        }
        let found = bytes(text);
        if found.is_none() {
            self.wrong(
                name,
                format!("expected off or a number of bytes from 1 up, got {text:?}"),
            );
        }
        found
    }

    fn rule<T>(&mut self, name: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Rule<T> {
        match self.text(name) {
            "auto" => Rule::Auto,
            "off" => Rule::Off,
            text => parse(text).map_or_else(
                || {
                    self.wrong(
                        name,
                        format!("expected auto, off or {wanted}, got {text:?}"),
                    );
                    Rule::Auto
                },
                Rule::At,
            ),
        }
    }

    /// `None` where nothing is set: no bound.
    fn dollars(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let amount = parse_usd(text);
        if amount.is_none() {
            self.wrong(
                name,
                format!("expected US dollars such as 25 or 0.50, from 0 to 1000000, got {text:?}"),
            );
        }
        amount
    }
}

fn bytes(text: &str) -> Option<u64> {
    text.parse().ok().filter(|bytes| *bytes > 0)
}
