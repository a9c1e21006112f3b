//! Answers: JSON, problems, and the one place that knows the statuses of errors.

pub(in crate::http) mod checks;
pub(in crate::http) mod error;
pub(in crate::http) mod json;
pub(in crate::http) mod problem;
