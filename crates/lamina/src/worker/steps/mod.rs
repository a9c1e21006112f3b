//! The steps of a job, one file for each, and what they share: `report` is what a step comes to,
//! `resolve` ends a submission whose answer was never seen, `fetch`, `layers`, `resize`, `proof`, `empty`, `raise` and `second` belong to collect.

pub(in crate::worker) mod collect;
pub(in crate::worker) mod empty;
pub(in crate::worker) mod fetch;
pub(in crate::worker) mod layers;
pub(in crate::worker) mod prepare;
pub(in crate::worker) mod proof;
pub(in crate::worker) mod raise;
pub(in crate::worker) mod report;
pub(in crate::worker) mod resize;
pub(in crate::worker) mod resolve;
pub(in crate::worker) mod second;
pub(in crate::worker) mod submit;
pub(in crate::worker) mod wait;
