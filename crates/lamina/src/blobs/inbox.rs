//! Bytes of uploads on their way in, on this machine's disk: one file for each upload, named by its
//! id. Nobody has looked at them; they are never served, and never reach the blob store as they are.
//! It does not know who owns an upload or how large it will be.
//!
//! Invariants: the length of a file is the upload's offset, and what [`UploadLock::offset`] says is on disk.
//! One writer at a time; whoever comes later takes over, since the one before is usually a
//! connection that nobody knows to be dead. A file that does not have its name yet does not survive
//! a restart.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::NamedTempFile;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::folder;
use crate::jobs::UploadId;

/// How long a writer has to stop once it is told to. It only has to finish one write and one sync.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// Why an upload cannot be written now.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The disk is full or fails.
    #[error("the inbox: {0}")]
    Disk(#[from] io::Error),
    /// Somebody else wants to write the same upload, and came later.
    #[error("another request took the upload over")]
    TakenOver,
    /// The writer before does not stop; its disk hangs.
    #[error("the writer before does not stop")]
    Stuck,
}

/// The folder. Shared by all who write or read in it.
#[derive(Debug)]
pub struct Inbox {
    root: PathBuf,
    turns: Mutex<HashMap<UploadId, Arc<Turn>>>,
}

#[derive(Debug, Default)]
struct Turn {
    gate: Arc<tokio::sync::Mutex<()>>,
    /// Of whoever came last; cancelled by the next.
    latest: Mutex<CancellationToken>,
}

/// The lock of one upload. Nobody else writes it while this lives.
#[derive(Debug)]
pub struct UploadLock {
    inbox: Arc<Inbox>,
    id: UploadId,
    turn: Arc<Turn>,
    /// Raised when somebody else wants to write: stop soon, and keep what is there.
    pub release_requested: CancellationToken,
    gate: Option<OwnedMutexGuard<()>>,
}

impl Inbox {
    /// Opens the folder, makes it if it is missing, and removes what never got its name.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(root: &Path) -> io::Result<Arc<Self>> {
        let root = folder::make(root)?;
        for entry in std::fs::read_dir(&root)? {
            let entry = entry?;
            if id_of(&entry.file_name()).is_none() {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Arc::new(Self {
            root,
            turns: Mutex::default(),
        }))
    }

    /// The lock of `id`; whoever holds it is asked to release it, and waited for.
    ///
    /// # Errors
    /// [`InboxError::TakenOver`] when somebody else came meanwhile, [`InboxError::Stuck`].
    pub async fn acquire(self: &Arc<Self>, id: UploadId) -> Result<UploadLock, InboxError> {
        let turn = Arc::clone(self.turns.lock().entry(id).or_default());
        let release_requested = CancellationToken::new();
        std::mem::replace(&mut *turn.latest.lock(), release_requested.clone()).cancel();
        // Made before the wait, so that a turn that nobody uses is forgotten however this ends.
        let mut lock = UploadLock {
            inbox: Arc::clone(self),
            id,
            turn,
            release_requested,
            gate: None,
        };
        let gate = Arc::clone(&lock.turn.gate).lock_owned();
        lock.gate = tokio::select! {
            biased;
            () = lock.release_requested.cancelled() => return Err(InboxError::TakenOver),
            gate = timeout(STOPS_WITHIN, gate) => Some(gate.map_err(|_| InboxError::Stuck)?),
        };
        Ok(lock)
    }

    /// Opens what is there of an upload; `None` when nothing is. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&self, id: UploadId) -> io::Result<Option<File>> {
        found(File::open(self.path(id)))
    }

    /// How many bytes of an upload there are, written or about to be; `None` when none ever were.
    /// Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn seen(&self, id: UploadId) -> io::Result<Option<u64>> {
        Ok(found(std::fs::metadata(self.path(id)))?.map(|meta| meta.len()))
    }

    /// Removes what is there of an upload, once its writer has stopped. Repeatable.
    ///
    /// # Errors
    /// [`InboxError`]
    pub async fn erase(self: &Arc<Self>, id: UploadId) -> Result<(), InboxError> {
        let lock = self.acquire(id).await?;
        lock.erase().await
    }

    /// Uploads with a file here.
    ///
    /// # Errors
    /// The disk's.
    pub async fn ids(&self) -> io::Result<Vec<UploadId>> {
        let names = folder::names(&self.root).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// A file that has no upload's name yet. Dropped, it is removed. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn stage(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.root)
    }

    fn path(&self, id: UploadId) -> PathBuf {
        self.root.join(id.to_string())
    }
}

impl UploadLock {
    /// Opens the file to append to it, and makes it if it is missing. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn append(&self) -> io::Result<File> {
        let path = self.inbox.path(self.id);
        let is_new = !path.try_exists()?;
        let file = File::options().create(true).append(true).open(path)?;
        if is_new {
            self.sync_folder()?;
        }
        Ok(file)
    }

    /// The offset: how many bytes are on disk, the file's and not the cache's. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn offset(&self) -> io::Result<u64> {
        let Some(file) = self.inbox.read(self.id)? else {
            return Ok(0);
        };
        // A process that was killed may have left bytes in the cache alone.
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// Gives a whole, staged body its name, once and for all. False when the upload has one already.
    /// Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep(&self, staged: NamedTempFile) -> io::Result<bool> {
        staged.as_file().sync_all()?;
        match staged.persist_noclobber(self.inbox.path(self.id)) {
            Ok(_) => {
                self.sync_folder()?;
                Ok(true)
            }
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Removes what is there. Repeatable.
    ///
    /// # Errors
    /// [`InboxError::Disk`]
    pub async fn erase(self) -> Result<(), InboxError> {
        let removed = tokio::fs::remove_file(self.inbox.path(self.id)).await;
        found(removed)?;
        Ok(())
    }

    /// A name counts once its folder is on disk.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.inbox.root)?.sync_all()
    }
}

impl Drop for UploadLock {
    fn drop(&mut self) {
        self.gate = None;
        let mut turns = self.inbox.turns.lock();
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.turn) <= 2 {
            turns.remove(&self.id);
        }
    }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn id_of(name: &std::ffi::OsStr) -> Option<UploadId> {
    name.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::jobs::UnixMs;

    #[tokio::test]
    async fn the_offset_is_what_the_file_has_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let id = UploadId::new(UnixMs(1));
        let inbox = Inbox::open(folder.path()).unwrap();
        let lock = inbox.acquire(id).await.unwrap();
        assert_eq!(lock.offset().unwrap(), 0);
        lock.append().unwrap().write_all(b"some").unwrap();
        drop(lock);
        let inbox = Inbox::open(folder.path()).unwrap();
        let lock = inbox.acquire(id).await.unwrap();
        assert_eq!(lock.offset().unwrap(), 4);
        lock.append().unwrap().write_all(b"more").unwrap();
        assert_eq!(lock.offset().unwrap(), 8);
        assert_eq!(inbox.ids().await.unwrap(), [id]);
        lock.erase().await.unwrap();
        assert_eq!(inbox.seen(id).unwrap(), None);
        inbox.erase(id).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_is_kept_once_and_what_has_no_name_goes_with_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let id = UploadId::new(UnixMs(1));
        let inbox = Inbox::open(folder.path()).unwrap();
        let lock = inbox.acquire(id).await.unwrap();
        for (text, kept) in [("first", true), ("second", false)] {
            let mut staged = inbox.stage().unwrap();
            staged.write_all(text.as_bytes()).unwrap();
            assert_eq!(lock.keep(staged).unwrap(), kept, "{text}");
        }
        assert_eq!(std::fs::read(inbox.path(id)).unwrap(), b"first");
        // As a killed process leaves it.
        let _ = inbox.stage().unwrap().keep().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        Inbox::open(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn the_later_writer_takes_over_and_only_one_writes() {
        let folder = tempfile::tempdir().unwrap();
        let id = UploadId::new(UnixMs(1));
        let inbox = Inbox::open(folder.path()).unwrap();
        let first = inbox.acquire(id).await.unwrap();
        let (second, third) = tokio::join!(inbox.acquire(id), async {
            // The first stops only after both others came.
            let third = inbox.acquire(id);
            tokio::pin!(third);
            assert!(futures_util::poll!(third.as_mut()).is_pending());
            assert!(first.release_requested.is_cancelled());
            drop(first);
            third.await
        });
        assert!(matches!(second, Err(InboxError::TakenOver)), "{second:?}");
        let third = third.unwrap();
        assert!(!third.release_requested.is_cancelled());
        drop(third);
        assert!(inbox.turns.lock().is_empty());
    }
}
