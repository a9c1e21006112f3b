//! How much waits, and what is spent, for whoever looks at the whole.

use std::time::Duration;

use super::SubmissionState;
use crate::jobs::{EngineKind, Phase};

/// Jobs by what they wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitCounts {
    /// In prepare, submit, wait or collect.
    pub active: u64,
    /// Of those, leased to a worker.
    pub leased: u64,
    pub completed: u64,
    pub failed: u64,
    /// Deleted or expired with bytes left.
    pub erasable: u64,
}

/// The queue at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// Each active phase, in order.
    pub phases: Vec<PhaseStats>,
    /// Jobs that are gone and whose bytes may still exist, counted up to 100,000.
    pub erasable: u64,
}

/// The jobs of one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseStats {
    pub phase: Phase,
    /// Due now, those at work included; counted up to 100,000.
    pub due: u64,
    /// Due later; counted up to 100,000.
    pub later: u64,
    /// How long the oldest that is due and not at work has been due; zero when none is.
    pub oldest_due: Duration,
}

/// Every submission ever made, and what of it counts today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// By engine and state; what never occurred has no line.
    pub lines: Vec<LedgerLine>,
    /// What counts against the caps of this UTC day, in millionths of a US dollar: all but refused
    /// submissions.
    pub today_microusd: u64,
}

/// All submissions to one engine that are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    pub engine: EngineKind,
    pub state: SubmissionState,
    pub submissions: u64,
    /// Their price, in millionths of a US dollar.
    pub microusd: u64,
}
