//! `/api/jobs`: creating, reading, listing and deleting jobs.

pub(in crate::http) mod admission;
pub(in crate::http) mod create;
mod created;
pub(in crate::http) mod delete;
pub(in crate::http) mod found;
mod long_poll;
pub(in crate::http) mod own_link;
mod quality_view;
pub(in crate::http) mod read;
pub(in crate::http) mod ready;
pub(in crate::http) mod record_deleted;
pub(in crate::http) mod response_cache;
mod source;
pub(in crate::http) mod time_left;
pub(in crate::http) mod view;
