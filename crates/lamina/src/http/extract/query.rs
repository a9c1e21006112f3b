//! The query of a listing. Strict like a body: an unknown or wrong parameter is told, not ignored.

use std::borrow::Cow;

use url::form_urlencoded;

use crate::http::answer::error::ApiError;
use crate::jobs::{FieldError, JobId};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
/// Parameters that are looked at. More than are known are unknown ones, or some twice, so among these are wrong ones then.
const MOST: usize = 16;
/// What is wrong with a parameter that came before.
pub(in crate::http) const AGAIN: &str = "It is given more than once; give it once.";

/// The parameters of a query by name and value, and whether the name came before. Of two, one part of the way would
/// believe the first and another the last.
pub(in crate::http) fn parameters(
    query: Option<&str>,
) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>, bool)> {
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    let all = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    all.take(MOST).map(move |(name, value)| {
        let again = seen.contains(&name);
        if !again {
            seen.push(name.clone());
        }
        (name, value, again)
    })
}

/// Which page of a listing.
#[derive(Debug, PartialEq, Eq, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListQuery {
    /// `next_cursor` of the page before; the newest jobs without it.
    #[param(value_type = Option<uuid::Uuid>)]
    pub(in crate::http) cursor: Option<JobId>,
    /// Most jobs on the page.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    pub(in crate::http) limit: u32,
}

impl ListQuery {
    pub(in crate::http) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let (mut cursor, mut limit, mut errors) = (None, DEFAULT_LIMIT, Vec::new());
        let mut wrong = |name: &str, detail: String| {
            let pointer = format!("/{}", name.chars().take(64).collect::<String>());
            errors.push(FieldError { pointer, detail });
        };
        for (name, value, again) in parameters(query) {
            match &*name {
                again_name if again => wrong(again_name, AGAIN.to_owned()),
                "cursor" => match value.parse() {
                    Ok(id) => cursor = Some(id),
                    Err(_) => wrong(
                        "cursor",
                        "Expected the next_cursor of the page before.".to_owned(),
                    ),
                },
                "limit" => match value.parse() {
                    Ok(number @ 1..=MAX_LIMIT) => limit = number,
                    _ => wrong(
                        "limit",
                        format!("Expected a whole number from 1 to {MAX_LIMIT}."),
                    ),
                },
                other => wrong(
                    other,
                    "Unknown parameter; known are cursor and limit.".to_owned(),
                ),
            }
        }
        if errors.is_empty() {
            Ok(Self { cursor, limit })
        } else {
            Err(ApiError::InvalidQuery(errors))
        }
    }
}
