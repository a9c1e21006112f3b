//! Whether the database file is damaged. What one statement found, or the look at the start, is
//! remembered: a service that goes on over a damaged file must not call itself ready.
//!
//! The look is `quick_check`, which reads every page once: some 400 MB/s from a warm cache, the
//! disk's own speed from a cold one. So the start waits for it a moment only; over a large file it goes on beside
//! the service, with its own connection, and no longer than [`LOOK_AT_MOST`], since a reader that old keeps
//! the journal from being emptied.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags};

use super::{OpenError, connect, store_error};
use crate::store::StoreError;

/// A start waits so long for the look: enough for some 20 MB, and not to be noticed.
const START_WAITS: Duration = Duration::from_millis(50);
/// A look over a larger file ends unfinished after this.
const LOOK_AT_MOST: Duration = Duration::from_secs(120);
/// Steps of SQLite's machine between two glances at the clock.
const STEPS: i32 = 100_000;

/// What is known of the file's damage. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// The error of a statement, remembered when it says that the file is damaged.
    pub(super) fn judge(&self, error: &rusqlite::Error) -> StoreError {
        let error = store_error(error);
        if let StoreError::Damaged(text) = &error {
            self.found(text);
        }
        error
    }

    /// Remembers; told once, at the first time.
    fn found(&self, text: &str) {
        if self.0.set(text.to_owned()).is_ok() {
            tracing::error!(
                error = text,
                "the database file is damaged: stop the service and restore a backup"
            );
        }
    }

    /// An error when damage was found since the start.
    pub(super) fn none(&self) -> Result<(), StoreError> {
        self.0
            .get()
            .map_or(Ok(()), |text| Err(StoreError::Damaged(text.clone())))
    }
}

/// A look that goes on beside the service.
pub(super) struct Look {
    interrupt: InterruptHandle,
    thread: Option<JoinHandle<()>>,
}

impl Look {
    /// Looks through the file. What is found at once refuses the start; what is found later goes to
    /// `damage`.
    pub(super) fn begin(path: &Path, damage: &Damage) -> Result<Self, OpenError> {
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let interrupt = connection.get_interrupt_handle();
        let (answer, answered) = mpsc::sync_channel(1);
        let later = damage.clone();
        let look = move || {
            let found = quick_check(&mut connection);
            // Whoever waited for it may have gone on; then the service has to know.
            if let Err(mpsc::SendError(Some(text))) = answer.send(found) {
                later.found(&text);
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-check".into())
            .spawn(look)
            .map_err(|error| OpenError::Unusable {
                path: path.to_owned(),
                text: error.to_string(),
            })?;
        match answered.recv_timeout(START_WAITS) {
            Ok(Some(text)) => Err(OpenError::Damaged {
                path: path.to_owned(),
                text,
            }),
            Ok(None) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Ok(Self {
                    interrupt,
                    thread: Some(thread),
                })
            }
        }
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.interrupt.interrupt();
        if let Some(thread) = self.thread.take() {
            // A look that panicked has nothing to tell.
            let _ = thread.join();
        }
    }
}

/// The first damage; `None` when there is none, or the look was ended.
fn quick_check(connection: &mut Connection) -> Option<String> {
    let begun = Instant::now();
    let too_long = move || begun.elapsed() > LOOK_AT_MOST;
    if let Err(error) = connection.progress_handler(STEPS, Some(too_long)) {
        tracing::warn!(%error, "the look at the database has no end of its own");
    }
    let looked = connection.query_row("pragma quick_check(1)", [], |row| row.get::<_, String>(0));
    match looked {
        Ok(text) if text == "ok" => None,
        Ok(text) => Some(text),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Some(error.to_string()),
            _ => {
                tracing::warn!(%error, "the database was not looked through at this start");
                None
            }
        },
    }
}
