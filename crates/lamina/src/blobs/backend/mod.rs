//! The blob store: a folder (every write synced), an S3-compatible bucket, or memory. It does not
//! make links and does not know which blobs should exist. Every call to a bucket ends in bounded
//! time; what a caller does then is its own decision. Reading and writing stand here, the rest in the
//! files below.

mod erase;
mod listing;
mod probe;
mod rows;

use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutOptions, PutPayload,
};

pub use listing::Owners;
pub use rows::RowSources;

use super::error::is_refused;
use super::pulse::Pulse;
use super::{BlobError, BlobKey, BucketSettings, folder};
use crate::disk::{Need, Space};
use crate::metrics::{BlobMetrics, BlobOperation};
use crate::trace;

/// A call to a bucket that carries no picture ends within this, its retries included.
pub(super) const CALL: Duration = Duration::from_secs(30);
/// A write may take a second longer for each of these: 4 Mbit/s at least.
const BYTES_A_SECOND: u64 = 512 << 10;
/// Reading a whole blob, or listing all of them.
const WHOLE: Duration = Duration::from_secs(120);
/// Between two chunks of a blob that is streamed.
const SILENCE: Duration = Duration::from_secs(20);
/// Blobs of one job that are sent to a bucket at once.
const PUTS_AT_ONCE: usize = 2;

/// A blob opened for reading.
pub struct OpenBlob {
    /// Size of the whole blob in bytes.
    pub size: u64,
    /// The part that `stream` gives.
    pub range: Range<u64>,
    /// Names this version of the bytes.
    pub etag: Option<String>,
    /// The bytes of `range`.
    pub stream: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Where the bytes are, as far as calls differ.
#[derive(Clone, Debug)]
enum Place {
    /// A folder: it takes no attributes, and erasing removes unfinished temporary files too, which
    /// a listing does not show.
    Folder(Arc<PathBuf>),
    /// A bucket: reached over a network.
    Bucket,
    /// Anything else.
    Other,
}

/// The blob store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(super) store: Arc<dyn ObjectStore>,
    place: Place,
    /// Where small sources are, if that is not `store`.
    rows: Option<Arc<dyn RowSources>>,
    space: Space,
    pulse: Arc<Pulse>,
    /// The bucket refuses HEAD and answers GET.
    knows_no_head: Arc<AtomicBool>,
    metrics: BlobMetrics,
}

impl Blobs {
    /// A folder, made if it is missing and readable by its owner alone. A write is answered after
    /// file and directory were synced.
    ///
    /// # Errors
    /// [`BlobError::Unavailable`] when the folder cannot be made or opened.
    pub fn folder(root: &Path) -> Result<Self, BlobError> {
        let root = folder::make(root)
            .map_err(|error| BlobError::Unavailable(format!("{}: {error}", root.display())))?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(|error| BlobError::of("the folder", &error, false))?
            .with_automatic_cleanup(true)
            .with_fsync(true);
        Ok(Self::new(Arc::new(store), Place::Folder(Arc::new(root))))
    }

    /// A bucket. Nothing is asked of it yet; [`Blobs::probe`] does.
    ///
    /// # Errors
    /// [`BlobError`] when the settings make no client.
    pub fn bucket(settings: &BucketSettings) -> Result<Self, BlobError> {
        Ok(Self::new(settings.open()?, Place::Bucket))
    }

    /// Any other object store.
    #[must_use]
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self::new(store, Place::Other)
    }

    fn new(store: Arc<dyn ObjectStore>, place: Place) -> Self {
        Self {
            store,
            place,
            rows: None,
            space: Space::default(),
            pulse: Arc::default(),
            knows_no_head: Arc::default(),
            metrics: BlobMetrics::default(),
        }
    }

    /// The same store, whose calls count in `metrics`.
    #[must_use]
    pub fn measured(self, metrics: BlobMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same store, which writes no picture below the floor of `space`. A bucket has none.
    #[must_use]
    pub fn within(self, space: Space) -> Self {
        match self.place {
            Place::Folder(_) => Self { space, ..self },
            Place::Bucket | Place::Other => self,
        }
    }

    /// Whether a picture may be written now, for whoever would fetch one first.
    ///
    /// # Errors
    /// [`BlobError::Full`]
    pub fn takes_more(&self) -> Result<(), BlobError> {
        Ok(self.space.room(0, Need::Accepted).map(drop)?)
    }

    /// Writes a blob; it can be read, and survives power loss, when this returns. Below half of the
    /// floor of its disk it writes none.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn put(&self, key: &BlobKey, bytes: Bytes) -> Result<(), BlobError> {
        let _room = self.space.room(bytes.len() as u64, Need::Accepted)?;
        let options = self.put_options(key);
        let limit = CALL + Duration::from_secs(bytes.len() as u64 / BYTES_A_SECOND);
        let (path, name) = (object_path(key), key.path());
        let written = self
            .bounded(BlobOperation::Put, &name, limit, false, async {
                if let Place::Folder(root) = &self.place {
                    return in_folder(folder::write(root, vec![(name.clone(), bytes)]).await);
                }
                let payload = PutPayload::from_bytes(bytes);
                let put = self.store.put_opts(&path, payload, options).await;
                put.map(drop)
            })
            .await;
        self.pulse.wrote(written.is_ok());
        written
    }

    /// Writes blobs of one job, in a folder with one sync of it for all: all of them survive power loss when this
    /// returns, and any of them may be there when it fails.
    ///
    /// # Errors
    /// [`BlobError`], never [`BlobError::Missing`].
    pub async fn put_all(&self, blobs: Vec<(BlobKey, Bytes)>) -> Result<(), BlobError> {
        let Place::Folder(root) = &self.place else {
            return stream::iter(blobs.into_iter().map(Ok))
                .try_for_each_concurrent(PUTS_AT_ONCE, |(key, bytes)| async move {
                    self.put(&key, bytes).await
                })
                .await;
        };
        let Some((first, _)) = blobs.first() else {
            return Ok(());
        };
        let bytes = blobs.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        let _room = self.space.room(bytes, Need::Accepted)?;
        let what = first.path();
        let files = blobs.into_iter().map(|(key, bytes)| (key.path(), bytes));
        let write = folder::write(root, files.collect());
        let write = async { in_folder(write.await) };
        let written = self
            .bounded(BlobOperation::Put, &what, WHOLE, false, write)
            .await;
        self.pulse.wrote(written.is_ok());
        written
    }

    /// An object of a bucket says itself what it is, for whoever opens a presigned link.
    fn put_options(&self, key: &BlobKey) -> PutOptions {
        let mut attributes = Attributes::new();
        if matches!(self.place, Place::Bucket) {
            attributes.insert(Attribute::ContentType, key.content_type().into());
            attributes.insert(Attribute::CacheControl, key.cache_control().into());
            attributes.insert(Attribute::ContentDisposition, key.disposition().into());
        }
        attributes.into()
    }

    /// Reads a whole blob.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn get(&self, key: &BlobKey) -> Result<Bytes, BlobError> {
        if let Some(bytes) = self.in_row(key).await? {
            return Ok(bytes);
        }
        let path = object_path(key);
        self.bounded(BlobOperation::Get, &key.path(), WHOLE, true, async {
            self.store.get(&path).await?.bytes().await
        })
        .await
    }

    /// Opens a blob for streaming, whole or a part of it. A range past the end is clipped by the
    /// caller, who learns the size from [`Blobs::size`].
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn open(
        &self,
        key: &BlobKey,
        range: Option<Range<u64>>,
    ) -> Result<OpenBlob, BlobError> {
        if let Some(bytes) = self.in_row(key).await? {
            return Ok(OpenBlob::of(&bytes, range));
        }
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let (path, name) = (object_path(key), key.path());
        let found = self
            .bounded(
                BlobOperation::Open,
                &name,
                CALL,
                true,
                self.store.get_opts(&path, options),
            )
            .await?;
        Ok(OpenBlob {
            size: found.meta.size,
            range: found.range.clone(),
            etag: found.meta.e_tag.clone(),
            stream: never_silent(name, found.into_stream()),
        })
    }

    /// Size and version name of a blob.
    ///
    /// # Errors
    /// [`BlobError`]
    pub async fn size(&self, key: &BlobKey) -> Result<(u64, Option<String>), BlobError> {
        if let Some(bytes) = self.in_row(key).await? {
            return Ok((bytes.len() as u64, None));
        }
        let path = object_path(key);
        let meta = self
            .bounded(
                BlobOperation::Size,
                &key.path(),
                CALL,
                true,
                self.meta(&path),
            )
            .await?;
        Ok((meta.size, meta.e_tag))
    }

    /// By HEAD, or by its first byte where a bucket refuses that; which is then asked first.
    async fn meta(&self, path: &ObjectPath) -> object_store::Result<ObjectMeta> {
        if !self.knows_no_head.load(Ordering::Relaxed) {
            let asked = self.store.head(path).await;
            if !matches!(&asked, Err(error) if is_refused(error)) {
                return asked;
            }
        }
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..1)),
            ..GetOptions::default()
        };
        let found = self.store.get_opts(path, options).await?;
        self.knows_no_head.store(true, Ordering::Relaxed);
        Ok(found.meta)
    }

    /// Copies a blob under another key.
    ///
    /// # Errors
    /// [`BlobError`]; [`BlobError::Missing`] speaks of `from`.
    pub async fn copy(&self, from: &BlobKey, to: &BlobKey) -> Result<(), BlobError> {
        if !matches!(self.place, Place::Bucket) {
            return self.put(to, self.get(from).await?).await;
        }
        let (from, to, name) = (object_path(from), object_path(to), from.path());
        let copied = self.store.copy(&from, &to);
        self.bounded(BlobOperation::Copy, &name, WHOLE, true, copied)
            .await
    }

    /// Runs a call, to its own end for a disk and for at most `limit` for a bucket.
    pub(super) async fn bounded<T>(
        &self,
        operation: BlobOperation,
        what: &str,
        limit: Duration,
        absent_is_missing: bool,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, BlobError> {
        let (since, span) = (Instant::now(), trace::child(operation.span()));
        let ended = if matches!(self.place, Place::Bucket) {
            let call = tokio::time::timeout(limit, call);
            span.run(call).await.map_err(|_| {
                let secs = limit.as_secs();
                BlobError::Unavailable(format!("{what}: no end of the call within {secs} s"))
            })
        } else {
            Ok(span.run(call).await)
        };
        let ended = ended.and_then(|ended| {
            ended.map_err(|error| BlobError::of(what, &error, absent_is_missing))
        });
        let failed = matches!(&ended, Err(error) if !matches!(error, BlobError::Missing(_)));
        self.metrics.called(operation, failed, since.elapsed());
        if failed {
            span.fail("storage_unavailable");
        }
        ended
    }
}

/// The stream, which fails when it says nothing for too long while it is asked.
fn never_silent(
    name: String,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
) -> BoxStream<'static, Result<Bytes, BlobError>> {
    stream::try_unfold((name, bytes), |(name, mut bytes)| async move {
        let next = tokio::time::timeout(SILENCE, bytes.next()).await;
        match next {
            Ok(Some(Ok(chunk))) => Ok(Some((chunk, (name, bytes)))),
            Ok(Some(Err(error))) => Err(BlobError::of(&name, &error, true)),
            Ok(None) => Ok(None),
            Err(_) => Err(BlobError::Unavailable(format!("{name}: the bytes stopped"))),
        }
    })
    .boxed()
}

fn in_folder(written: std::io::Result<()>) -> object_store::Result<()> {
    written.map_err(|error| object_store::Error::Generic {
        store: "folder",
        source: Box::new(error),
    })
}

fn object_path(key: &BlobKey) -> ObjectPath {
    ObjectPath::from(key.path())
}
