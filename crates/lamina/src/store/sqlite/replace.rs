//! Putting another file in a database's place: nobody may own it meanwhile, what is there is not
//! replaced unasked, and the journal of the old file must not be applied to the new one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::lock::{FileLock, beside};
use super::{OpenError, connect, keep_private};

/// The right to replace a database. Ends when dropped.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    lock: FileLock,
}

impl Replacement {
    /// Makes sure that nobody owns the database, and nobody will until this is dropped.
    ///
    /// # Errors
    /// [`OpenError::OwnedByAnother`] and [`OpenError::Unusable`].
    pub fn begin(path: &Path) -> Result<Self, OpenError> {
        let mut lock = FileLock::take(path)?;
        lock.take_file(path)?;
        let path = lock.path().to_owned();
        clear(&path);
        Ok(Self { path, lock })
    }

    /// A folder of its own for the file that is to take the place, beside it. What a process that was
    /// killed leaves in it is removed by whoever owns the database next.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stage(&self) -> io::Result<Stage> {
        let folder = beside(&self.path, STAGE);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Stage(folder))
    }

    /// Whether there is something to lose.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists() || beside(&self.path, "-wal").exists()
    }

    /// Moves `staged` into the database's place; what was there is gone. A crash in between leaves no
    /// database, never a mixture of the two. Both must be on the same file system.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn finish(self, staged: &Path) -> Result<(), OpenError> {
        let unusable = |error: io::Error| OpenError::Unusable {
            path: self.path.clone(),
            text: error.to_string(),
        };
        whole(staged)?;
        keep_private(staged).map_err(unusable)?;
        File::open(staged)
            .and_then(|file| file.sync_all())
            .map_err(unusable)?;
        for old in [
            self.path.clone(),
            beside(&self.path, "-wal"),
            beside(&self.path, "-shm"),
        ] {
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unusable(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(staged, &self.path).map_err(unusable)?;
        // The lock of what was replaced is of no use any more; the one beside holds until this ends.
        self.lock.forget_deployment().map_err(unusable)?;
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(unusable)
    }
}

/// After the database's name.
const STAGE: &str = ".restore";

/// A folder that goes with this.
#[derive(Debug)]
pub struct Stage(PathBuf);

impl Stage {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The next owner of the database tries again.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what a restore that was killed has left beside a database. Only its owner may.
pub(super) fn clear(database: &Path) {
    match std::fs::remove_dir_all(beside(database, STAGE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "what an unfinished restore left beside the database cannot be removed");
        }
        Ok(()) | Err(_) => {}
    }
}

/// Brings what still stands in the journal into the file.
fn whole(path: &Path) -> Result<(), OpenError> {
    let connection: Connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let blocked: bool =
        connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
    if blocked {
        return Err(OpenError::Unusable {
            path: path.to_owned(),
            text: "it is still being read".to_owned(),
        });
    }
    Ok(())
}
