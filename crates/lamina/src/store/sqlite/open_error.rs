//! Why a database file cannot be used, and what SQLite's errors mean for the store.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Why a database file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process owns the file.
    #[error("the database {} is in use by another lamina process; stop that one first, or give this one another DATABASE_PATH", path.display())]
    OwnedByAnother {
        /// The database.
        path: PathBuf,
    },
    /// A newer lamina wrote the file.
    #[error(
        "the database has schema {found}, and this lamina knows schemas up to {known}; start a newer lamina, or restore a backup that was made before the upgrade"
    )]
    TooNew {
        /// Its schema.
        found: usize,
        /// The newest schema this binary knows.
        known: usize,
    },
    /// There is none.
    #[error("there is no database at {}; run this with the options of the service (DATABASE_PATH) and in its folder, or start lamina once, which makes one", path.display())]
    Missing {
        /// Where one was expected, from the root of the file system.
        path: PathBuf,
    },
    /// The folder or file cannot be made, read or written.
    #[error("the database {} cannot be opened: {text}; check that DATABASE_PATH names a writable place", path.display())]
    Unusable {
        /// What was opened.
        path: PathBuf,
        /// What the system said.
        text: String,
    },
    /// What the file holds is not whole.
    #[error("the database {} is damaged: {text}; restore a backup with \"lamina restore FILE --force\", or recover what is left of it with sqlite3's .recover into a new file", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        text: String,
    },
    /// There was a database here, and its file is empty.
    #[error("the database {} is an empty file, and it was the database of the deployment {deployment}: its content is lost; restore a backup with \"lamina restore FILE --force\", or remove the file to begin with a new database, which then does not know what the storage holds", path.display())]
    Emptied {
        /// The database.
        path: PathBuf,
        deployment: String,
    },
    /// SQLite failed while it was opened or migrated.
    #[error(
        "the database could not be prepared: {0}; check that DATABASE_PATH names a file that lamina made, or a new one"
    )]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    /// The error with the file's name, where it says that the file is damaged.
    pub(super) fn of(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(error) if matches!(store_error(&error), StoreError::Damaged(_)) => {
                Self::Damaged {
                    path: path.to_owned(),
                    text: error.to_string(),
                }
            }
            other => other,
        }
    }
}

pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(text),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(text),
        Some(_) | None => StoreError::Defect(text),
    }
}
