//! The file: an ordinary tar, so that what is in it can be looked at without lamina. Its members, in
//! order: `lamina-backup.json` (what it is), `lamina.db`, perhaps `signing-secret`, `blobs/…` under
//! the paths of their keys, and `index.json`, which names size and SHA-256 of each of them. The index
//! comes last: a file without it was cut short. Nothing in it is ever used as a path.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use tar::{Builder, Entry, Header};

use crate::blobs::BlobKey;
use crate::jobs::UnixMs;

/// What the file says of itself.
pub(super) const MANIFEST: &str = "lamina-backup.json";
/// The database.
pub(super) const DATABASE: &str = "lamina.db";
/// The secret that lamina made for itself.
pub(super) const SECRET: &str = "signing-secret";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/";
/// The form described above.
const FORMAT: u32 = 1;
/// What is read into memory whole, besides pictures; an index of a million pictures is smaller.
const TEXT_BYTES: u64 = 512 << 20;

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Some other file.
    #[error("it is no backup that lamina made ({0})")]
    Foreign(String),
    /// A newer lamina made it.
    #[error("it has format {0}, and this lamina reads {FORMAT}; use a newer lamina")]
    Newer(u32),
    /// The end is missing.
    #[error("it was cut short: its index is missing; it cannot be used")]
    CutShort,
    /// A member is not what the index says.
    #[error("it is damaged at {0}; it cannot be used")]
    Damaged(String),
}

/// What the file says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version that made it.
    pub(super) lamina: String,
    /// The database's.
    pub(super) schema: usize,
    pub(super) made_at_ms: i64,
    /// Whether pictures are in it; else they stay where they are.
    pub(super) pictures: bool,
}

/// One member, as the index names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) bytes: u64,
    /// Lower-case hex.
    pub(super) sha256: String,
}

/// Size and digest of every member by its path.
pub(super) type Index = BTreeMap<String, Member>;

/// Writes a backup.
pub(super) struct Writer<W: Write> {
    tar: Builder<BufWriter<W>>,
    index: Index,
    made_at: UnixMs,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(
        to: W,
        schema: usize,
        made_at: UnixMs,
        pictures: bool,
    ) -> Result<Self, ArchiveError> {
        let mut writer = Self {
            tar: Builder::new(BufWriter::new(to)),
            index: Index::new(),
            made_at,
        };
        let manifest = Manifest {
            format: FORMAT,
            lamina: env!("CARGO_PKG_VERSION").to_owned(),
            schema,
            made_at_ms: made_at.0,
            pictures,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?;
        writer.add(MANIFEST, text.len() as u64, text.as_slice())?;
        Ok(writer)
    }

    pub(super) fn add_file(&mut self, name: &str, file: &File) -> Result<(), ArchiveError> {
        let bytes = file.metadata()?.len();
        self.add(name, bytes, file)
    }

    pub(super) fn add_blob(&mut self, key: &BlobKey, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.add(&format!("{BLOBS}{key}"), bytes.len() as u64, bytes)
    }

    pub(super) fn add(
        &mut self,
        name: &str,
        bytes: u64,
        content: impl Read,
    ) -> Result<(), ArchiveError> {
        let mut hashed = Hashed::new(content);
        let mut header = self.header(bytes);
        self.tar.append_data(&mut header, name, &mut hashed)?;
        self.index.insert(name.to_owned(), hashed.member());
        Ok(())
    }

    /// Writes the index and hands the file back.
    pub(super) fn finish(mut self) -> Result<W, ArchiveError> {
        let text = serde_json::to_vec(&self.index).map_err(io::Error::from)?;
        let mut header = self.header(text.len() as u64);
        self.tar.append_data(&mut header, INDEX, text.as_slice())?;
        let file = self.tar.into_inner()?;
        Ok(file.into_inner().map_err(io::IntoInnerError::into_error)?)
    }

    /// For its owner alone, whoever unpacks it.
    fn header(&self, bytes: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.made_at.0 / 1000).unwrap_or(0));
        header
    }
}

/// Reads every member, and nothing else of it is trusted before: all of them are as the index says,
/// and none is missing.
pub(super) fn verify(file: &Path) -> Result<(Manifest, Index), ArchiveError> {
    let (mut found, mut manifest, mut index) = (Index::new(), None, None);
    each(file, |name, mut entry| {
        if name == INDEX {
            let text = text(&mut entry)?;
            index = Some(serde_json::from_slice::<Index>(&text).map_err(damaged(INDEX))?);
            return Ok(());
        }
        let known = [MANIFEST, DATABASE, SECRET].contains(&name) || blob(name).is_some();
        if !known || index.is_some() || (manifest.is_none() && name != MANIFEST) {
            return Err(ArchiveError::Foreign(format!(
                "there is {name:?} where lamina puts nothing"
            )));
        }
        let mut hashed = Hashed::new(&mut entry);
        if name == MANIFEST {
            let text = text(&mut hashed)?;
            manifest = Some(self::manifest(&text)?);
        } else {
            io::copy(&mut hashed, &mut io::sink())?;
        }
        found.insert(name.to_owned(), hashed.member());
        Ok(())
    })?;
    let manifest = manifest.ok_or_else(|| ArchiveError::Foreign("it is empty".to_owned()))?;
    let index = index.ok_or(ArchiveError::CutShort)?;
    let wrong = index
        .iter()
        .find(|(name, member)| found.get(*name) != Some(*member))
        .map(|(name, _)| name.clone())
        .or_else(|| {
            found
                .keys()
                .find(|name| !index.contains_key(*name))
                .cloned()
        });
    match wrong {
        Some(name) => Err(ArchiveError::Damaged(name)),
        None if !index.contains_key(DATABASE) => Err(ArchiveError::Damaged(DATABASE.to_owned())),
        None => Ok((manifest, index)),
    }
}

/// Hands over each member of the file in its order.
pub(super) fn each(
    file: &Path,
    mut take: impl FnMut(&str, Entry<'_, BufReader<File>>) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut tar = tar::Archive::new(BufReader::new(File::open(file)?));
    for entry in tar.entries()? {
        let entry = entry.map_err(broken)?;
        let name = entry.path_bytes();
        let name = std::str::from_utf8(&name)
            .map_err(|_| ArchiveError::Foreign("a name in it is no text".to_owned()))?
            .to_owned();
        take(&name, entry)?;
    }
    Ok(())
}

/// The key of a member that is a picture.
pub(super) fn blob(name: &str) -> Option<BlobKey> {
    BlobKey::parse(name.strip_prefix(BLOBS)?)
}

/// A member as text.
pub(super) fn text(entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut text = Vec::new();
    entry.take(TEXT_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn manifest(text: &[u8]) -> Result<Manifest, ArchiveError> {
    /// The one field that every format has.
    #[derive(Deserialize)]
    struct Form {
        format: u32,
    }
    let form: Form = serde_json::from_slice(text).map_err(damaged(MANIFEST))?;
    if form.format != FORMAT {
        return Err(ArchiveError::Newer(form.format));
    }
    serde_json::from_slice(text).map_err(damaged(MANIFEST))
}

fn damaged<E>(name: &str) -> impl Fn(E) -> ArchiveError {
    move |_| ArchiveError::Damaged(name.to_owned())
}

/// tar says "failed to read entire block" of a file that ends within one.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn broken(error: io::Error) -> ArchiveError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ArchiveError::CutShort;
    }
    ArchiveError::Foreign(error.to_string())
}

/// Counts and hashes what is read through it.
struct Hashed<R> {
    inner: R,
    bytes: u64,
    sha256: Context,
}

impl<R> Hashed<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            bytes: 0,
            sha256: Context::new(&SHA256),
        }
    }

    fn member(self) -> Member {
        let digest = self.sha256.finish();
        Member {
            bytes: self.bytes,
            sha256: const_hex::encode(digest),
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        self.sha256.update(&buffer[..read]);
        Ok(read)
    }
}
