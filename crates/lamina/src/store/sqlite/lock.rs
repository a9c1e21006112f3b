//! One process owns one database file. Two locks say so, both the operating system's, so that they
//! end with the process however that ends: one on a file beside the database, and on Linux one on the
//! database itself, which holds under every name that the file has (a symbolic link, a hard link) and
//! when somebody removes the file beside it.
//!
//! Invariant: they are given back after every connection of this process to the database is closed.
//! (Elsewhere than on Linux such a lock would meet SQLite's own, so the first has to do.)

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Links that are followed before a path is called a circle.
const MAX_LINKS: usize = 16;
/// An id and a line's end; whatever is longer was not written here.
const MAX_ID_BYTES: u64 = 128;

/// Held as long as the store is open, or its file is about to be replaced.
#[derive(Debug)]
pub(super) struct FileLock {
    beside: File,
    database: Option<File>,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock of a database, or says that another process has it. It makes no database.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = real(database);
        let unusable = |source: io::Error| OpenError::Unusable {
            path: database.to_owned(),
            text: source.to_string(),
        };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let beside = options
            .open(beside(&path, ".lock"))
            .and_then(|file| lock(file, database))
            .map_err(unusable)??;
        let mut lock = Self {
            beside,
            database: None,
            path,
        };
        // Somebody else's under another name is never touched.
        lock.take_file(database)?;
        Ok(lock)
    }

    /// The database where it really is: its journal is beside that name and no other.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock of the file itself, once there is one.
    pub(super) fn take_file(&mut self, database: &Path) -> Result<(), OpenError> {
        if self.database.is_some() || !cfg!(target_os = "linux") {
            return Ok(());
        }
        let found = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.and_then(|file| self::lock(file, database)),
        };
        let locked = found.map_err(|error| OpenError::Unusable {
            path: database.to_owned(),
            text: error.to_string(),
        })?;
        self.database = Some(locked?);
        Ok(())
    }

    /// The deployment whose database was made here; `None` when there never was one.
    pub(super) fn made_for(&self) -> Option<String> {
        let (mut id, mut file) = (String::new(), &self.beside);
        file.rewind().ok()?;
        file.take(MAX_ID_BYTES).read_to_string(&mut id).ok()?;
        let id = id.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Remembers that a database was made here, and for which deployment.
    pub(super) fn remember(&self, deployment: &str) -> io::Result<()> {
        if self.made_for().as_deref() == Some(deployment) {
            return Ok(());
        }
        let mut file = &self.beside;
        file.rewind()?;
        file.set_len(0)?;
        writeln!(file, "{deployment}")?;
        file.sync_all()
    }

    /// Another database takes this one's place; its id is remembered when it is opened.
    pub(super) fn forget_deployment(&self) -> io::Result<()> {
        self.beside.set_len(0)?;
        self.beside.sync_all()
    }

    /// Whether the path still leads to the file that was opened: one that was moved or replaced
    /// meanwhile takes every later write with it.
    #[cfg(unix)]
    pub(super) fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let Some(Ok(held)) = self.database.as_ref().map(File::metadata) else {
            return self.path.exists();
        };
        let there = std::fs::metadata(&self.path);
        there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()))
    }

    #[cfg(not(unix))]
    pub(super) fn is_in_place(&self) -> bool {
        self.path.exists()
    }
}

fn lock(file: File, database: &Path) -> io::Result<Result<File, OpenError>> {
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(TryLockError::WouldBlock) => Ok(Err(OpenError::OwnedByAnother {
            path: database.to_owned(),
        })),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Where a path leads, also when the last link leads to a file that is still to be made.
pub(super) fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = path.canonicalize() {
            return real;
        }
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    match (
        folder.unwrap_or(Path::new(".")).canonicalize(),
        path.file_name(),
    ) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// A file beside the database, with its name and more.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
