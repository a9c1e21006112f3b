//! Where a body waits until it can be worked on: small ones in memory, larger ones in a file that
//! never has a name, so that no way of ending, not even a killed process, leaves it behind.
//!
//! Invariant: memory held by bodies that wait is at most `memory_bytes` each.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};

use super::sink::Sink;

/// A body being written.
pub(super) struct SpoolWriter<'a> {
    folder: &'a Path,
    memory_bytes: usize,
    memory: BytesMut,
    file: Option<Sink<File>>,
    digest: Option<digest::Context>,
    len: u64,
}

/// A whole body.
pub(super) struct Spooled {
    held: Held,
    /// Size in bytes.
    pub(super) len: u64,
    /// SHA-256 of the body, if it was asked for.
    pub(super) sha256: Option<[u8; 32]>,
}

enum Held {
    Memory(Bytes),
    File(File),
}

impl<'a> SpoolWriter<'a> {
    /// A writer that keeps up to `memory_bytes` in memory and the rest in `folder`.
    pub(super) fn new(folder: &'a Path, memory_bytes: usize) -> Self {
        Self {
            folder,
            memory_bytes,
            memory: BytesMut::new(),
            file: None,
            digest: None,
            len: 0,
        }
    }

    /// Computes the body's SHA-256 on the way.
    pub(super) fn hashing(mut self) -> Self {
        self.digest = Some(digest::Context::new(&digest::SHA256));
        self
    }

    /// Takes the next bytes.
    pub(super) async fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        self.len += chunk.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(chunk);
        }
        if let Some(file) = &mut self.file {
            return file.write(chunk).await;
        }
        self.memory.extend_from_slice(chunk);
        if self.memory.len() > self.memory_bytes {
            let mut file = Sink::new(nameless(self.folder).await?);
            file.write(&std::mem::take(&mut self.memory)).await?;
            self.file = Some(file);
        }
        Ok(())
    }

    /// Ends the body.
    pub(super) async fn finish(self) -> std::io::Result<Spooled> {
        let held = match self.file {
            None => Held::Memory(self.memory.freeze()),
            Some(file) => Held::File(file.finish().await?),
        };
        let sha256 = self.digest.map(|digest| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(digest.finish().as_ref());
            bytes
        });
        Ok(Spooled {
            held,
            len: self.len,
            sha256,
        })
    }
}

impl Spooled {
    /// A body that is in a file already, from its beginning.
    pub(super) fn of_file(file: File, len: u64) -> Self {
        Self {
            held: Held::File(file),
            len,
            sha256: None,
        }
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self {
            held: Held::Memory(Bytes::new()),
            len: 0,
            sha256: None,
        }
    }

    /// The body, if it is small enough to be in memory already.
    pub(super) fn in_memory(&self) -> Option<&Bytes> {
        match &self.held {
            Held::Memory(bytes) => Some(bytes),
            Held::File(_) => None,
        }
    }

    /// The whole body in memory. Blocks on the file; for the pool.
    pub(super) fn load(&self) -> std::io::Result<Bytes> {
        match &self.held {
            Held::Memory(bytes) => Ok(bytes.clone()),
            Held::File(file) => {
                let mut file: &File = file;
                file.seek(SeekFrom::Start(0))?;
                let mut bytes = Vec::with_capacity(usize::try_from(self.len).unwrap_or(0));
                file.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// A file without a name, readable by this process alone.
pub(super) async fn nameless(folder: &Path) -> std::io::Result<File> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder))
        .await
        .map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(folder: &Path, chunks: &[&[u8]]) -> Spooled {
        let mut writer = SpoolWriter::new(folder, 4).hashing();
        for chunk in chunks {
            writer.write(chunk).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_body_comes_back_whole_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (chunks, in_memory) in [
            (vec![&b"ab"[..], b"cd"], true),
            (vec![&b"ab"[..], b"cd", b"e", b"fgh"], false),
        ] {
            let body = spooled(folder.path(), &chunks).await;
            let whole = chunks.concat();
            assert_eq!(body.in_memory().is_some(), in_memory);
            assert_eq!(body.len, whole.len() as u64);
            let hash = digest::digest(&digest::SHA256, &whole);
            assert_eq!(body.sha256.unwrap(), hash.as_ref());
            assert_eq!(body.load().unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn a_spooled_body_never_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let body = spooled(folder.path(), &[b"more than four bytes"]).await;
        assert!(body.in_memory().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_an_error_and_not_a_panic() {
        let mut writer = SpoolWriter::new(Path::new("/nonexistent/spool"), 4);
        assert!(writer.write(b"12345").await.is_err());
    }
}
