//! The lamina service as a library: everything but the command line. `ARCHITECTURE.md` has the
//! map; `app.rs` wires the parts.

pub mod blobs;
pub mod clock;
pub mod engines;
pub mod fetch;
pub mod http;
pub mod images;
pub mod jobs;
pub mod store;
pub mod web;
pub mod worker;
