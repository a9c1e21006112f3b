//! Room on the disk that is kept for the database alone: a file beside it that holds nothing, and is
//! removed when the disk is so full that a deletion could not be written. It comes back when there is
//! room again. The floor for pictures (`disk.rs`) keeps lamina itself from needing it; this is for a
//! disk that others fill.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::lock::beside;
use crate::disk::free_and_size;

/// A deletion needs some pages of the journal, which is emptied at 4 MB; twice that.
const BYTES: u64 = 8 << 20;
/// A small disk gives a smaller part of itself.
const SMALLEST_PART: u64 = 16;
/// With less than this free, the next write may fail.
const NEARLY_NOTHING: u64 = 1 << 20;
/// It is made again when there is so many times its size, so that it does not come and go.
const ROOM_FOR_IT: u64 = 4;

/// The file.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    held: AtomicBool,
}

impl Reserve {
    /// The reserve of a database; given up at once when the disk is full, so that the database can be
    /// opened at all.
    pub(super) fn of(database: &Path) -> Self {
        let path = beside(database, ".reserve");
        let held = AtomicBool::new(path.exists());
        let reserve = Self { path, held };
        reserve.give_up_if_full();
        reserve
    }

    /// Gives the room to the database when it is about to need it. Cheap: it is asked before every
    /// commit.
    pub(super) fn give_up_if_full(&self) {
        if !self.held.load(Ordering::Acquire) {
            return;
        }
        let Some((free, size)) = free_and_size(self.folder()) else {
            return;
        };
        if free >= NEARLY_NOTHING.min(self.bytes(size)) {
            return;
        }
        self.held.store(false, Ordering::Release);
        match std::fs::remove_file(&self.path) {
            Ok(()) => tracing::error!(
                free_bytes = free,
                "the disk is full: the room that was kept for the database is used now"
            ),
            Err(error) => {
                tracing::error!(%error, "the disk is full, and the room that was kept for the database cannot be given up");
            }
        }
    }

    /// Takes room for later, where there is plenty.
    pub(super) fn keep(&self) {
        if self.held.load(Ordering::Acquire) {
            return;
        }
        let Some((free, size)) = free_and_size(self.folder()) else {
            return;
        };
        let bytes = self.bytes(size);
        if free < bytes * ROOM_FOR_IT {
            return;
        }
        match allocate(&self.path, bytes) {
            Ok(()) => self.held.store(true, Ordering::Release),
            Err(error) => {
                tracing::warn!(%error, "no room could be kept for the database");
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads as what it is of")]
    fn bytes(&self, size: u64) -> u64 {
        BYTES.min(size / SMALLEST_PART)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// A file whose blocks are really taken.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    let file = options.open(path)?;
    #[cfg(target_os = "linux")]
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).is_ok() {
        return Ok(());
    }
    fill(file, bytes)
}

/// For file systems that cannot promise blocks: bytes that do not compress to nothing.
fn fill(mut file: File, bytes: u64) -> io::Result<()> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut block = Vec::with_capacity(64 << 10);
    while block.len() < 64 << 10 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        block.extend_from_slice(&seed.to_le_bytes());
    }
    let mut left = bytes;
    while left > 0 {
        let part = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        io::Write::write_all(&mut file, &block[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_really_taken_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("lamina.db");
        let reserve = Reserve::of(&database);
        reserve.keep();
        let file = beside(&database, ".reserve");
        let bytes = file.metadata().unwrap().len();
        assert!(bytes > 0 && bytes <= BYTES, "{bytes}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            assert!(file.metadata().unwrap().blocks() * 512 >= bytes);
        }
        // A disk with room keeps it.
        reserve.give_up_if_full();
        assert!(file.exists());
        let written = folder.path().join("written");
        fill(File::create(&written).unwrap(), 100_001).unwrap();
        assert_eq!(written.metadata().unwrap().len(), 100_001);
    }
}
