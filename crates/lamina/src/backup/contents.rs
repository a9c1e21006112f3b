//! What a file that is to be restored holds: a bare database, or an archive with pictures and a secret.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use secrecy::SecretString;

use super::archive::{self, ArchiveError, Index};
use super::needed::Needed;
use crate::blobs::BlobKey;
use crate::jobs::UnixMs;

/// How every SQLite file begins (<https://www.sqlite.org/fileformat.html>).
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// What the file is.
pub(super) enum Found {
    Archive {
        made_at: UnixMs,
        /// `None` when pictures stayed where they were.
        index: Option<Index>,
    },
    Database,
}

pub(super) fn look(file: &Path) -> Result<Found, ArchiveError> {
    let mut start = [0; SQLITE.len()];
    match File::open(file)?.read_exact(&mut start) {
        Ok(()) if start == *SQLITE => return Ok(Found::Database),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let (manifest, index) = archive::verify(file)?;
    Ok(Found::Archive {
        made_at: UnixMs(manifest.made_at_ms),
        index: manifest.pictures.then_some(index),
    })
}

/// Takes the database out, and the secret where there is one.
pub(super) fn unpack(
    file: &Path,
    found: &Found,
    staged: &Path,
) -> Result<Option<SecretString>, ArchiveError> {
    if matches!(found, Found::Database) {
        return Ok(None);
    }
    let mut secret = None;
    archive::each(file, |name, mut entry| {
        match name {
            archive::DATABASE => {
                io::copy(&mut entry, &mut File::create(staged)?)?;
            }
            archive::SECRET => {
                let text = String::from_utf8(archive::text(&mut entry)?);
                let text = text.map_err(|_| ArchiveError::Damaged(name.to_owned()))?;
                secret = Some(SecretString::from(text));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(secret)
}

pub(super) fn blobs(index: &Index) -> impl Iterator<Item = (BlobKey, &str)> {
    index
        .iter()
        .filter_map(|(name, member)| Some((archive::blob(name)?, member.sha256.as_str())))
}

/// The layers are those that were measured when they came.
pub(super) fn fits(index: &Index, needed: &Needed) -> Result<(), ArchiveError> {
    for (key, sha256) in blobs(index) {
        if needed.digest(&key).is_some_and(|known| known != sha256) {
            return Err(ArchiveError::Damaged(key.to_string()));
        }
    }
    Ok(())
}
