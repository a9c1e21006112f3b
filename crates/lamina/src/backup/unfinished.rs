//! A file that gets its name when it is complete, and has none before, so that a process that is killed
//! leaves nothing of it. Where the system has no such files it has a hidden name until then.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// The file, its owner's alone.
#[derive(Debug)]
pub(super) enum Unfinished {
    /// It has no name.
    #[cfg(target_os = "linux")]
    Nameless(File),
    /// It has one that goes with it.
    Hidden(NamedTempFile),
}

impl Unfinished {
    /// Makes it in the folder in which it is to be kept.
    pub(super) fn begin(folder: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = nameless(folder) {
            return Ok(Self::Nameless(file));
        }
        let hidden = tempfile::Builder::new()
            .prefix(".lamina-backup-")
            .tempfile_in(folder)?;
        Ok(Self::Hidden(hidden))
    }

    fn file(&self) -> &File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => file,
            Self::Hidden(file) => file.as_file(),
        }
    }

    /// Gives it the name `path` in `folder`, unless there is such a file, and returns its size; both are
    /// on disk then.
    pub(super) fn keep(self, path: &Path, folder: &Path) -> io::Result<u64> {
        self.file().sync_all()?;
        let bytes = self.file().metadata()?.len();
        match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => name(&file, path)?,
            Self::Hidden(file) => {
                file.persist_noclobber(path).map_err(|error| error.error)?;
            }
        }
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    }
}

impl io::Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// `None` where the file system has no files without a name, or they could not be named later.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR).ok()?;
    let file = File::from(file);
    let seen = std::fs::metadata(by_number(&file)).is_ok();
    seen.then_some(file)
}

#[cfg(target_os = "linux")]
fn by_number(file: &File) -> std::path::PathBuf {
    use std::os::fd::AsRawFd as _;
    Path::new("/proc/self/fd").join(file.as_raw_fd().to_string())
}

/// As open(2) says under O_TMPFILE.
#[cfg(target_os = "linux")]
fn name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD};
    let from = by_number(file);
    rustix::fs::linkat(CWD, from, CWD, path, AtFlags::SYMLINK_FOLLOW)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_complete_and_takes_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for is_hidden in [false, true] {
            let mut file = Unfinished::begin(folder.path()).unwrap();
            // A temporary folder's file system has files without names on Linux.
            let named = std::fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(named, usize::from(!cfg!(target_os = "linux")));
            if is_hidden {
                file = Unfinished::Hidden(NamedTempFile::new_in(folder.path()).unwrap());
            }
            file.write_all(b"seven").unwrap();
            assert_eq!(file.keep(&path, folder.path()).unwrap(), 5);
            assert_eq!(std::fs::read(&path).unwrap(), b"seven");
            let mut another = Unfinished::begin(folder.path()).unwrap();
            another.write_all(b"other").unwrap();
            let refused = another.keep(&path, folder.path()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&path).unwrap(), b"seven");
            std::fs::remove_file(&path).unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
