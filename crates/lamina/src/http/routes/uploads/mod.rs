//! Uploads: `POST /api/upload`, tickets and their bodies, resumable ones by tus, and the look at what
//! arrived when a job uses it.

pub(in crate::http) mod direct;
pub(in crate::http) mod ticket;
pub(in crate::http) mod ticket_put;
pub(in crate::http) mod tus;
pub(in crate::http) mod verify;
