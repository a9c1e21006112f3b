//! What a folder needs that an object store does not have: being made private, durable writes with as few syncs
//! as that takes, names of subfolders, and removal of a subfolder with whatever unfinished write lies in it.

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

/// Writes `root/folder/file`; it survives power loss when this returns. It gets its name when it is whole: two
/// requests may store the same upload at once, while a third reads it.
pub(super) async fn write(root: &Path, name: &str, bytes: Bytes) -> io::Result<()> {
    let file = root.join(name);
    tokio::task::spawn_blocking(move || write_now(&file, &bytes))
        .await
        .map_err(io::Error::other)?
}

fn write_now(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut file, staged) = match stage(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_durable(folder)?;
            stage(path)?
        }
        made => made?,
    };
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_data())
        .and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // A part of a file must not take room on a disk that may be full.
        let _ = std::fs::remove_file(&staged);
    }
    written?;
    File::open(folder)?.sync_all()
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
