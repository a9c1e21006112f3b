//! Makes a backup: a snapshot of the database, then the pictures it names. What was erased between
//! the two is left out; what is missing though its job lives is told.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::archive::{self, ArchiveError, Writer};
use super::needed::Needed;
use super::unfinished::Unfinished;
use crate::blobs::{BlobError, BlobKey, Blobs};
use crate::jobs::{JobId, UnixMs};
use crate::secret;
use crate::store::sqlite::{OpenError, Snapshot, living};

/// What a backup is made of.
#[derive(Debug)]
pub struct Backup {
    /// The database, which a running service may own.
    pub database: PathBuf,
    /// Where the pictures are; `None` leaves them where they are.
    pub pictures: Option<Blobs>,
    /// The folder of the secret that lamina made for itself; `None` leaves it out.
    pub secret_of: Option<PathBuf>,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Jobs that are neither deleted nor expired.
    pub jobs: usize,
    /// Uploads whose time is not over.
    pub uploads: usize,
    pub pictures: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Whether the signing secret is in it.
    pub secret: bool,
    /// Jobs that live and lack a picture: something else than lamina removed it.
    pub damaged: Vec<JobId>,
}

/// Why a backup could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The pictures.
    #[error("the pictures cannot be read: {0}")]
    Pictures(#[from] BlobError),
    /// The file.
    #[error("{} cannot be written: {source}", path.display())]
    File {
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// There is a file of this name.
    #[error("{} exists; name another file, or remove it", .0.display())]
    Exists(PathBuf),
    /// The secret.
    #[error("the signing secret cannot be read: {0}")]
    Secret(io::Error),
}

impl Backup {
    /// Writes everything to the new file `file`, which is its owner's alone and there only when it is
    /// complete.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left of the file then.
    pub async fn write(&self, file: &Path, now: UnixMs) -> Result<Made, BackupError> {
        if file.exists() {
            return Err(BackupError::Exists(file.to_owned()));
        }
        let failed = |source: ArchiveError| BackupError::File {
            path: file.to_owned(),
            source,
        };
        let io_failed = |error: io::Error| failed(error.into());
        let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        // Where the file will be there is room for it; beside the database there may be none.
        let snapshot = Snapshot::take(&self.database, folder)?;
        let needed = Needed::of(snapshot.living(now)?);

        let part = Unfinished::begin(folder).map_err(io_failed)?;
        let mut writer =
            Writer::begin(part, snapshot.schema, now, self.pictures.is_some()).map_err(failed)?;
        let bytes = snapshot.bytes().map_err(io_failed)?;
        writer.add_file(archive::DATABASE, bytes).map_err(failed)?;
        drop(snapshot);
        let secret = self.add_secret(&mut writer, failed)?;
        let (mut pictures, mut damaged) = (0, Vec::new());
        if let Some(blobs) = &self.pictures {
            let there = copy_pictures(blobs, &needed, &mut writer, failed).await?;
            pictures = there.len() as u64;
            damaged = self.lost(&needed, &there, now)?;
        }
        let part = writer.finish().map_err(failed)?;
        let bytes = part.keep(file, folder).map_err(io_failed)?;
        Ok(Made {
            jobs: needed.jobs(),
            uploads: needed.uploads(),
            pictures,
            bytes,
            secret,
            damaged,
        })
    }

    fn add_secret<W: io::Write>(
        &self,
        writer: &mut Writer<W>,
        failed: impl Fn(ArchiveError) -> BackupError,
    ) -> Result<bool, BackupError> {
        let Some(folder) = &self.secret_of else {
            return Ok(false);
        };
        let Some(secret) = secret::kept(folder).map_err(BackupError::Secret)? else {
            return Ok(false);
        };
        let text = secret.expose_secret().as_bytes();
        let added = writer.add(archive::SECRET, text.len() as u64, text);
        added.map_err(failed).map(|()| true)
    }

    /// Of the jobs that lack a picture, those that live on in the database as it is now.
    fn lost(
        &self,
        needed: &Needed,
        there: &HashSet<BlobKey>,
        now: UnixMs,
    ) -> Result<Vec<JobId>, BackupError> {
        let lacking = needed.without(there);
        if lacking.is_empty() {
            return Ok(Vec::new());
        }
        let alive = living(&self.database, now)?;
        let alive: HashSet<JobId> = alive.jobs.iter().map(|job| job.id).collect();
        let lacking = lacking.iter().map(|job| job.id);
        Ok(lacking.filter(|id| alive.contains(id)).collect())
    }
}

/// Copies what is needed and there; returns what that was.
async fn copy_pictures<W: io::Write>(
    blobs: &Blobs,
    needed: &Needed,
    writer: &mut Writer<W>,
    failed: impl Fn(ArchiveError) -> BackupError,
) -> Result<HashSet<BlobKey>, BackupError> {
    let (keys, _) = blobs.keys().await?;
    let mut there = HashSet::new();
    for (key, _) in keys.into_iter().filter(|(key, _)| needed.owns(key)) {
        match blobs.get(&key).await {
            Ok(bytes) => {
                writer.add_blob(&key, &bytes).map_err(&failed)?;
                there.insert(key);
            }
            // Its job was deleted or has expired meanwhile.
            Err(BlobError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(there)
}
