//! The lamina service as a library: everything but the command line. `ARCHITECTURE.md` has the
//! map; `app/` wires the parts.

pub mod access;
pub mod app;
pub mod backup;
pub mod blobs;
pub mod cli;
pub mod clock;
pub mod compute_log;
pub mod config;
pub mod disk;
pub mod engines;
pub mod exports;
pub mod fair;
pub mod forecast;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/checks/mod.rs"]
pub mod fuzzing;
pub mod http;
pub mod jobs;
pub mod metrics;
pub mod pool;
pub mod runtime;
mod secret;
pub mod store;
pub mod telemetry;
mod tls;
pub mod trace;
pub mod web;
pub mod worker;
