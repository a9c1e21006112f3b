//! The rows, one a file. Each starts what it needs, measures it beside its baseline, prints its
//! lines and ends what it started.

mod added;
mod creates;
mod events;
mod hostile;
mod idle;
mod jobs;
mod reads;
mod start;
mod uploads;
mod waiting;
mod whole;

pub(crate) use jobs::{create, until};

use crate::stage::Stage;

/// Runs a row.
type Run = fn(&Stage) -> anyhow::Result<()>;

/// The rows by name, in the order they run.
pub(crate) const ROWS: [(&str, Run); 10] = [
    ("creates", creates::run),
    ("reads", reads::run),
    ("jobs", whole::run),
    ("added", added::run),
    ("waiting", waiting::run),
    ("events", events::run),
    ("uploads", uploads::run),
    ("hostile", hostile::run),
    ("start", start::run),
    ("idle", idle::run),
];
