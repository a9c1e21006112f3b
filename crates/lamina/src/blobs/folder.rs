//! What a folder needs that an object store does not have: being made private, durable writes with as few syncs
//! as that takes, names of subfolders, and removal of a subfolder with whatever unfinished write lies in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Makes the folder if it is missing, readable by its owner alone, and returns its full path.
pub(super) fn make(root: &Path) -> io::Result<PathBuf> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(root)?;
    root.canonicalize()
}

/// Writes files named `folder/file` below `root`; they survive power loss when this returns. Each gets its name when it is whole: two
/// requests may store the same upload at once, while a third reads it. A folder is synced once for all of its files.
pub(super) async fn write(root: &Path, files: Vec<(String, Bytes)>) -> io::Result<()> {
    let files = files.into_iter();
    let files: Vec<_> = files
        .map(|(name, bytes)| (root.join(name), bytes))
        .collect();
    tokio::task::spawn_blocking(move || write_now(&files))
        .await
        .map_err(io::Error::other)?
}

fn write_now(files: &[(PathBuf, Bytes)]) -> io::Result<()> {
    let mut staged = Staged::default();
    for (path, bytes) in files {
        staged.write(path, bytes)?;
    }
    staged.name()
}

/// Files that have no name of theirs yet; those that never get one are removed, since a part of a file must not take room on a disk that may
/// be full.
#[derive(Default)]
struct Staged(Vec<(File, PathBuf, PathBuf)>);

impl Staged {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let (mut file, staged) = match stage(path) {
            // A folder that is gone once the first file is in it was erased, and stays so.
            Err(error) if error.kind() == ErrorKind::NotFound && self.0.is_empty() => {
                make_durable(folder)?;
                stage(path)?
            }
            made => made?,
        };
        let written = file.write_all(bytes);
        self.0.push((file, staged, path.to_owned()));
        written
    }

    fn name(mut self) -> io::Result<()> {
        for (file, ..) in &self.0 {
            file.sync_data()?;
        }
        let mut folders = BTreeSet::new();
        while let Some((_, staged, path)) = self.0.last() {
            std::fs::rename(staged, path)?;
            folders.extend(path.parent().map(Path::to_owned));
            self.0.pop();
        }
        for folder in folders {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (_, staged, _) in &self.0 {
            let _ = std::fs::remove_file(staged);
        }
    }
}

/// A new file beside `path`, named as those that `object_store` leaves out of its listings.
fn stage(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 1_u32;
    loop {
        let mut staged = path.as_os_str().to_owned();
        staged.push(format!("#{number}"));
        match File::create_new(&staged) {
            // Another's, or one that a crash left; that goes with its folder.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            made => return Ok((made?, staged.into())),
        }
    }
}

/// Makes a folder and those above it that are missing, each named durably in the one above.
fn make_durable(folder: &Path) -> io::Result<()> {
    let above = folder.parent().unwrap_or(Path::new("."));
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_durable(above)?;
            make_durable(folder)?;
        }
        made => made?,
    }
    File::open(above)?.sync_all()
}

/// Removes a subfolder; one that is not there is no error.
pub(super) async fn remove(folder: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The names in a folder; none when it is not there.
pub(super) async fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut entries = match tokio::fs::read_dir(folder).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_erased_under_a_write_is_not_made_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("job");
        let mut staged = Staged::default();
        staged.write(&folder.join("1"), b"a layer").unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let more = staged.write(&folder.join("2"), b"another");
        assert_eq!(more.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(staged.name().is_err());
        assert!(!folder.exists());
    }
}
