//! Time that passes in leaps: a clock by hand, moved to the next time at which a job is due, and
//! only while nothing is at work. So a test of many minutes takes as long as its work does, and no
//! pace of the machine decides what happens.

use std::time::Duration;

use fal_emulator::Emulator;
use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::UnixMs;
use rusqlite::{Connection, OpenFlags};
use tokio::time::{Instant, sleep_until};

use super::TestApp;

/// No healthy run comes near.
const BOUND: Duration = Duration::from_secs(600);

pub(crate) struct Leaps {
    clock: ManualClock,
    database: Connection,
    end: Instant,
}

/// What the database says of the jobs that have not ended.
struct QueueActivity {
    active: u32,
    /// Leased to a step, or about to be.
    at_work: u32,
    next_due: Option<i64>,
}

impl Leaps {
    /// `clock` is the one that `app` was started with.
    pub(crate) fn of(app: &TestApp, clock: &ManualClock) -> Self {
        let path = app.folder.path().join("lamina.db");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        Self {
            clock: clock.clone(),
            database,
            end: Instant::now() + BOUND,
        }
    }

    /// Waits until neither the service nor the emulator has anything to do now, and leaps to when
    /// the service has. False when every job has ended.
    pub(crate) async fn leap(&self, app: &TestApp, emulator: &Emulator) -> bool {
        let due = loop {
            assert!(Instant::now() < self.end, "jobs did not come to an end");
            // In this order: what rests at the service can only be woken by the emulator.
            let (activity, rested) = (self.activity(), at_rest(emulator));
            if activity.at_work == 0 && rested {
                if activity.active == 0 {
                    return false;
                }
                if let Some(due) = activity.next_due {
                    break due;
                }
            }
            sleep_until(Instant::now() + Duration::from_millis(3)).await;
        };
        self.clock.advance(UnixMs(due).since(self.clock.now()));
        app.store.signal().due.notify_one();
        true
    }

    fn activity(&self) -> QueueActivity {
        let query = "select count(*),
                count(*) filter (where lease_owner is not null or run_at <= ?1),
                min(run_at) filter (where run_at > ?1)
            from jobs where phase in ('prepare', 'submit', 'wait', 'collect')";
        let mut query = self.database.prepare_cached(query).unwrap();
        let activity = query.query_row([self.clock.now().0], |row| {
            Ok(QueueActivity {
                active: row.get(0)?,
                at_work: row.get(1)?,
                next_due: row.get(2)?,
            })
        });
        activity.unwrap()
    }

    /// The states of a job's submissions, oldest first.
    pub(crate) fn submissions(&self, job: &str) -> String {
        let query = "select state from submissions where job_id = ?1 order by opened_at, rowid";
        let mut query = self.database.prepare_cached(query).unwrap();
        let states = query
            .query_map([job], |row| row.get::<_, String>(0))
            .unwrap();
        let states: Vec<String> = states.map(|state| state.unwrap()).collect();
        states.join(" ")
    }

    /// How many rows of layers a job has.
    pub(crate) fn layer_rows(&self, job: &str) -> usize {
        let query = "select count(*) from layers where job_id = ?1";
        self.database
            .query_row(query, [job], |row| row.get(0))
            .unwrap()
    }
}

/// Whether every request has ended and its webhook was tried. An answer that is held back is let go
/// when nothing else is left to come.
fn at_rest(emulator: &Emulator) -> bool {
    let told = emulator.webhooks();
    let told = |id: &str| told.iter().any(|delivery| delivery.request_id == id);
    emulator.requests().iter().all(|request| {
        let met = |name: &str| request.faults.iter().any(|fault| fault == name);
        let silent = request.webhook_url.is_none() || met("webhook_never") || request.cancelled;
        let ended = request.status == "COMPLETED" && (silent || told(&request.request_id));
        if ended && met("submit_held") {
            emulator.release(&request.request_id);
        }
        ended
    })
}
