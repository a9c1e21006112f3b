//! What a folder needs that an object store does not have: being made private, names of subfolders,
//! and removal of a subfolder with whatever unfinished write lies in it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Makes the folder if it is missing, readable by its owner alone, and returns its full path.
pub(super) fn make(root: &Path) -> io::Result<PathBuf> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(root)?;
    root.canonicalize()
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
