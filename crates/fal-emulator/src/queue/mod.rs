//! The queue: requests, the board that orders them, and the runner that works them off.

mod board;
mod job;
mod runner;

pub(crate) use board::{Board, Cancellation, End};
pub use board::{Counters, WebhookDelivery};
pub(crate) use job::{Job, LogLine, Outcome, Phase, Ticket, spend};
pub(crate) use runner::{accept, pump};
