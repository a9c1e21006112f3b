//! The routes, one folder or file for each resource.

pub(in crate::http) mod admin;
pub(in crate::http) mod events;
pub(in crate::http) mod exports;
pub(in crate::http) mod fal_webhook;
pub(in crate::http) mod files;
pub(in crate::http) mod health;
pub(in crate::http) mod jobs;
pub(in crate::http) mod layer_variants;
pub(in crate::http) mod metrics;
pub(in crate::http) mod openapi;
pub(in crate::http) mod page;
pub(in crate::http) mod uploads;
pub(in crate::http) mod webhooks;
