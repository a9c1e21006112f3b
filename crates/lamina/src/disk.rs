//! How much room the disks of a deployment have, and the floor below which no picture is written, so
//! that the database, deletions and maintenance can always work. It erases nothing itself.
//!
//! Invariant: bytes that were let in and are not written yet count as written, so that many writers at
//! once do not pass the floor together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The floor where none is set: a tenth of the disk, and no more than this.
const AUTO_AT_MOST: u64 = 512 << 20;
const AUTO_PART: u64 = 10;

/// Free to this user, and all, in bytes; `None` where the system does not say.
#[must_use]
pub fn free_and_size(folder: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        // The database may be a file in the working folder, whose own path is empty.
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let found = rustix::fs::statvfs(folder).ok()?;
        Some((
            found.f_bavail * found.f_frsize,
            found.f_blocks * found.f_frsize,
        ))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// How much stays free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Floor {
    /// A tenth of each disk, and at most 512 MiB.
    #[default]
    Auto,
    /// So many bytes of each disk; 0 for none.
    Bytes(u64),
}

impl Floor {
    fn of(self, size: u64) -> u64 {
        match self {
            Self::Auto => (size / AUTO_PART).min(AUTO_AT_MOST),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What the bytes are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Work that can be refused.
    New,
    /// Work that was taken, and perhaps paid for: it may use half of the floor.
    Accepted,
}

/// No picture may be written now; it passes when something was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk has {free} bytes left, and {floor} are kept free")]
pub struct Full {
    /// Bytes left, those that are promised already taken off.
    pub free: u64,
    pub floor: u64,
}

/// The disks of a deployment. Clones share what is promised.
#[derive(Clone, Debug, Default)]
pub struct Space(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    folders: Vec<PathBuf>,
    floor: Floor,
    promised: AtomicU64,
}

/// A right to write some bytes; given back when dropped, written or not.
#[derive(Debug)]
pub struct Room {
    space: Space,
    bytes: u64,
}

impl Space {
    /// The disks that hold these folders.
    #[must_use]
    pub fn over(folders: Vec<PathBuf>, floor: Floor) -> Self {
        Self(Arc::new(Inner {
            folders,
            floor,
            promised: AtomicU64::new(0),
        }))
    }

    /// Lets `bytes` in, unless a disk would pass the floor.
    ///
    /// # Errors
    /// [`Full`]
    pub fn room(&self, bytes: u64, need: Need) -> Result<Room, Full> {
        let before = self.0.promised.fetch_add(bytes, Ordering::AcqRel);
        let room = Room {
            space: self.clone(),
            bytes,
        };
        for folder in &self.0.folders {
            // A disk that does not say how full it is says so when it is written to.
            let Some((free, size)) = free_and_size(folder) else {
                continue;
            };
            let floor = match need {
                Need::New => self.0.floor.of(size),
                Need::Accepted => self.0.floor.of(size) / 2,
            };
            let free = free.saturating_sub(before);
            if free < bytes.saturating_add(floor) {
                return Err(Full { free, floor });
            }
        }
        Ok(room)
    }

    /// Whether new pictures are let in.
    ///
    /// # Errors
    /// [`Full`]
    pub fn above_floor(&self) -> Result<(), Full> {
        self.room(0, Need::New).map(drop)
    }

    /// The floor of the disk with the least room above its own; 0 without one.
    #[must_use]
    pub fn floor(&self) -> u64 {
        let disks = self.0.folders.iter();
        let disks = disks.filter_map(|folder| free_and_size(folder));
        let floors = disks.map(|(free, size)| (free, self.0.floor.of(size)));
        floors
            .min_by_key(|(free, floor)| free.saturating_sub(*floor))
            .map_or(0, |(_, floor)| floor)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.space
            .0
            .promised
            .fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_counts_as_written_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let (free, size) = free_and_size(folder.path()).unwrap();
        assert!(free <= size);
        // Far from the floor by a third of what is free, whatever others write meanwhile.
        let space = Space::over(vec![folder.path().to_owned()], Floor::Bytes(free / 3 * 2));
        let held = space.room(free / 4, Need::New).unwrap();
        let full = space.room(free / 4, Need::New).unwrap_err();
        assert_eq!(full.floor, free / 3 * 2);
        // Work that was taken goes further.
        drop(space.room(free / 4, Need::Accepted).unwrap());
        drop(held);
        drop(space.room(free / 4, Need::New).unwrap());
        assert!(space.above_floor().is_ok());
    }

    #[test]
    fn the_usual_floor_suits_a_small_disk_and_a_large_one() {
        assert_eq!(Floor::Auto.of(24 << 20), (24 << 20) / 10);
        assert_eq!(Floor::Auto.of(1 << 40), 512 << 20);
        assert_eq!(Floor::Bytes(7).of(1 << 40), 7);
        assert!(Space::default().room(u64::MAX, Need::New).is_ok());
    }
}
