//! The query of an operator's listing. Strict like every other: an unknown or wrong parameter is
//! told, not ignored.

use crate::access::owner_name;
use crate::http::answer::error::ApiError;
use crate::http::extract::query::{AGAIN, parameters};
use crate::jobs::{EngineKind, FieldError, JobId, Phase};
use crate::store::JobFilter;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// Which jobs, and which page of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JobListQuery {
    pub(super) filter: JobFilter,
    /// Jobs after this one.
    pub(super) cursor: Option<JobId>,
    /// Most jobs on the page.
    pub(super) limit: u32,
}

impl JobListQuery {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut parsed = Self {
            filter: JobFilter::default(),
            cursor: None,
            limit: DEFAULT_LIMIT,
        };
        let mut errors = Vec::new();
        for (name, value, again) in parameters(query) {
            let taken = if again {
                Err(AGAIN.to_owned())
            } else {
                parsed.take(&name, &value)
            };
            if let Err(detail) = taken {
                let pointer = format!("/{}", name.chars().take(64).collect::<String>());
                errors.push(FieldError { pointer, detail });
            }
        }
        if errors.is_empty() {
            Ok(parsed)
        } else {
            Err(ApiError::InvalidQuery(errors))
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let filter = &mut self.filter;
        match name {
            "state" if value == "active" => filter.phases = Phase::ACTIVE.to_vec(),
            "state" => filter.phases = vec![Phase::parse(value).ok_or_else(states)?],
            "owner" => {
                let owner = owner_name(value).ok_or("Expected the name of an owner.")?;
                filter.owner = Some(owner);
            }
            "engine" => {
                let engine = EngineKind::parse(value).ok_or_else(engines)?;
                filter.engine = Some(engine);
            }
            "error_code" => filter.error_code = Some(value.chars().take(64).collect()),
            "cursor" => {
                let cursor = value.parse();
                self.cursor =
                    Some(cursor.map_err(|_| "Expected the next_cursor of the page before.")?);
            }
            "limit" => match value.parse() {
                Ok(limit @ 1..=MAX_LIMIT) => self.limit = limit,
                _ => return Err(format!("Expected a whole number from 1 to {MAX_LIMIT}.")),
            },
            _ => {
                return Err(
                    "Unknown parameter; known are state, owner, engine, error_code, cursor and limit."
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

fn engines() -> String {
    let words = EngineKind::ALL.map(EngineKind::as_str).join(" or ");
    format!("Expected {words}.")
}

fn states() -> String {
    let words = Phase::ALL.map(Phase::as_str).join(", ");
    format!("Expected active, or one of {words}.")
}
