//! Which jobs' pictures are being computed in this process, written where the next process reads
//! it. What waits for a stranger, an engine or a disk cannot end a process; decoding, splitting and
//! encoding a picture can (memory, a defect). So when a process dies, these jobs are suspected and
//! no others.
//!
//! A job that was there when a process died is computed alone from then on, until it got through:
//! if it ends the process again, it is known which one it was.
//!
//! Nothing here survives a power cut, and need not: the page cache outlives a killed process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::jobs::JobId;

/// The jobs being computed.
#[derive(Clone, Debug)]
pub struct ComputeLog {
    /// Suspects take it alone.
    turn: Arc<RwLock<()>>,
    list: Arc<Mutex<List>>,
}

#[derive(Debug)]
struct List {
    file: File,
    jobs: BTreeMap<JobId, usize>,
}

/// A job's leave to be computed. [`Turn::begin`] when it is.
#[derive(Debug)]
pub struct Turn {
    job: JobId,
    list: Arc<Mutex<List>>,
    _leave: Leave,
}

#[derive(Debug)]
enum Leave {
    Shared(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>),
    Alone(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>),
}

/// A job that is being computed, until it is dropped.
#[derive(Debug)]
pub struct Computing(Turn);

impl ComputeLog {
    /// Opens the list at `path`, and says what stood there: the jobs that were being computed when
    /// the last process ended without a stop.
    ///
    /// # Errors
    /// When the file cannot be made, read or written.
    pub fn open(path: &Path) -> std::io::Result<(Self, Vec<JobId>)> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let computed = text.lines().filter_map(|line| line.parse().ok()).collect();
        file.set_len(0)?;
        let list = List {
            file,
            jobs: BTreeMap::new(),
        };
        let log = Self {
            turn: Arc::default(),
            list: Arc::new(Mutex::new(list)),
        };
        Ok((log, computed))
    }

    /// Waits until `job` may be computed: a suspect alone, any other beside others.
    pub async fn turn(&self, job: JobId, suspect: bool) -> Turn {
        let turn = Arc::clone(&self.turn);
        let leave = if suspect {
            Leave::Alone(turn.write_owned().await)
        } else {
            Leave::Shared(turn.read_owned().await)
        };
        Turn {
            job,
            list: Arc::clone(&self.list),
            _leave: leave,
        }
    }
}

impl Turn {
    /// The computing begins, on this thread.
    #[must_use]
    pub fn begin(self) -> Computing {
        let mut list = self.list.lock();
        *list.jobs.entry(self.job).or_default() += 1;
        list.write();
        drop(list);
        Computing(self)
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        let Turn { job, list, .. } = &self.0;
        let mut list = list.lock();
        if let Some(times) = list.jobs.get_mut(job) {
            *times -= 1;
            if *times == 0 {
                list.jobs.remove(job);
            }
        }
        list.write();
    }
}

impl List {
    fn write(&mut self) {
        let lines: String = self.jobs.keys().map(|job| format!("{job}\n")).collect();
        let written = (self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(lines.as_bytes()))
            .and_then(|()| self.file.set_len(lines.len() as u64));
        // Computing goes on: at worst a crash is nobody's.
        if let Err(error) = written {
            tracing::warn!(%error, "it could not be noted which pictures are being computed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::UnixMs;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn the_next_process_reads_what_was_being_computed_and_nothing_that_waited() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("computing");
        let [first, second, waiting] = [1, 2, 3].map(|ms| JobId::new(UnixMs(ms)));
        let (log, none) = ComputeLog::open(&path).unwrap();
        assert_eq!(none, []);
        let one = log.turn(first, false).await.begin();
        let two = log.turn(second, false).await.begin();
        let again = log.turn(second, false).await.begin();
        let _turn = log.turn(waiting, false).await;
        drop((one, again));
        let (_, computed) = ComputeLog::open(&path).unwrap();
        assert_eq!(computed, [second]);
        drop(two);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[tokio::test]
    async fn a_suspect_is_computed_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = ComputeLog::open(&folder.path().join("computing")).unwrap();
        let [suspect, other] = [1, 2].map(|ms| JobId::new(UnixMs(ms)));
        let alone = log.turn(suspect, true).await.begin();
        assert!(log.turn(other, false).now_or_never().is_none());
        drop(alone);
        let beside = log.turn(other, false).await.begin();
        assert!(log.turn(suspect, true).now_or_never().is_none());
        drop(beside);
        drop(log.turn(suspect, true).await);
    }
}
