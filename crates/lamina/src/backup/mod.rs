//! A deployment in one file, and back. The database is copied as it is at one moment while the
//! service runs, and the pictures after it: a picture is written before the row that names it, never
//! changes, and goes only when its job has ended, so whatever the copy names is there, or was erased
//! on purpose meanwhile. A restore expires what is over, and lets nobody pay twice for what the
//! original may have handed over since. It serves nothing and reads no configuration.

mod archive;
mod contents;
mod make;
mod needed;
mod restore;
mod unfinished;

pub use archive::ArchiveError;
pub use make::{Backup, BackupError, Made};
pub use restore::{Restore, RestoreError, Restored};

#[cfg(test)]
mod tests;
