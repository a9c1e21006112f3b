//! Putting another file in a database's place: nobody may own it meanwhile, what is there is not
//! replaced unasked, and the journal of the old file must not be applied to the new one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::lock::FileLock;
use super::{OpenError, connect, keep_private};

/// The right to replace a database. Ends when dropped.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    _lock: FileLock,
}

impl Replacement {
    /// Makes sure that nobody owns the database, and nobody will until this is dropped.
    ///
    /// # Errors
    /// [`OpenError::OwnedByAnother`] and [`OpenError::Unusable`].
    pub fn begin(path: &Path) -> Result<Self, OpenError> {
        let lock = FileLock::take(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Whether there is something to lose.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists() || self.beside("-wal").exists()
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
        for old in [self.path.clone(), self.beside("-wal"), self.beside("-shm")] {
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unusable(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(staged, &self.path).map_err(unusable)?;
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(unusable)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
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
