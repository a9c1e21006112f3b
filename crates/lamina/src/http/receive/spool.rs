//! Where a body waits until it can be worked on: small ones in memory, larger ones in a file that
//! never has a name, so that no way of ending, not even a killed process, leaves it behind.
//!
//! Invariant: memory held by bodies that wait is at most `memory_bytes` each, and at most the budget
//! of all bodies together: where that is used up, a small body goes to a file too.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};

use super::file_writer::FileWriter;
use crate::http::state::body_budget::{BodyBudget, Held as Share};

/// A body being written.
pub(in crate::http) struct SpoolWriter<'a> {
    folder: &'a Path,
    memory_bytes: usize,
    budget: &'a BodyBudget,
    /// Of the budget, as much as `memory` has.
    share: Share,
    memory: BytesMut,
    file: Option<FileWriter<File>>,
    digest: Option<digest::Context>,
    len: u64,
}

/// A whole body.
pub(in crate::http) struct Spooled {
    held: Held,
    /// Size in bytes.
    pub(in crate::http) len: u64,
    /// SHA-256 of the body, if it was asked for.
    pub(in crate::http) sha256: Option<[u8; 32]>,
}

enum Held {
    Memory(
        Bytes,
        #[expect(dead_code, reason = "given back when dropped")] Share,
    ),
    File(File),
}

impl<'a> SpoolWriter<'a> {
    /// A writer that keeps up to `memory_bytes` in memory, if `budget` has them, and the rest in
    /// `folder`.
    pub(in crate::http) fn new(
        folder: &'a Path,
        memory_bytes: usize,
        budget: &'a BodyBudget,
    ) -> Self {
        Self {
            folder,
            memory_bytes,
            share: budget.none(),
            budget,
            memory: BytesMut::new(),
            file: None,
            digest: None,
            len: 0,
        }
    }

    /// Computes the body's SHA-256 on the way.
    pub(in crate::http) fn hashing(mut self) -> Self {
        self.digest = Some(digest::Context::new(&digest::SHA256));
        self
    }

    /// Takes the next bytes.
    pub(in crate::http) async fn write(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        self.len += chunk.len() as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(chunk);
        }
        if let Some(file) = &mut self.file {
            return file.write(chunk).await;
        }
        let fits = self.memory.len() + chunk.len() <= self.memory_bytes;
        if fits && self.share.grow(chunk.len()) {
            self.memory.extend_from_slice(chunk);
            return Ok(());
        }
        let mut file = FileWriter::new(nameless(self.folder).await?, self.budget);
        file.write(&std::mem::take(&mut self.memory)).await?;
        self.share.release();
        file.write(chunk).await?;
        self.file = Some(file);
        Ok(())
    }

    /// Ends the body.
    pub(in crate::http) async fn finish(self) -> std::io::Result<Spooled> {
        let held = match self.file {
            None => Held::Memory(self.memory.freeze(), self.share),
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
    pub(in crate::http) fn of_file(file: File, len: u64) -> Self {
        Self {
            held: Held::File(file),
            len,
            sha256: None,
        }
    }

    /// No body.
    pub(in crate::http) fn empty(budget: &BodyBudget) -> Self {
        Self {
            held: Held::Memory(Bytes::new(), budget.none()),
            len: 0,
            sha256: None,
        }
    }

    /// The body, if it is small enough to be in memory already.
    pub(in crate::http) fn in_memory(&self) -> Option<&Bytes> {
        match &self.held {
            Held::Memory(bytes, _) => Some(bytes),
            Held::File(_) => None,
        }
    }

    /// The whole body in memory. Blocks on the file; for the pool.
    pub(in crate::http) fn load(&self) -> std::io::Result<Bytes> {
        match &self.held {
            Held::Memory(bytes, _) => Ok(bytes.clone()),
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
pub(in crate::http) async fn nameless(folder: &Path) -> std::io::Result<File> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder))
        .await
        .map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spooled(folder: &Path, chunks: &[&[u8]], budget: &BodyBudget) -> Spooled {
        let mut writer = SpoolWriter::new(folder, 4, budget).hashing();
        for chunk in chunks {
            writer.write(chunk).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    #[tokio::test]
    async fn a_body_comes_back_whole_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (chunks, left, in_memory) in [
            (vec![&b"ab"[..], b"cd"], 1 << 20, true),
            (vec![&b"ab"[..], b"cd"], 3, false),
            (vec![&b"ab"[..], b"cd", b"e", b"fgh"], 1 << 20, false),
        ] {
            let budget = BodyBudget::new(left);
            let body = spooled(folder.path(), &chunks, &budget).await;
            let whole = chunks.concat();
            assert_eq!(body.in_memory().is_some(), in_memory);
            assert_eq!(body.len, whole.len() as u64);
            let hash = digest::digest(&digest::SHA256, &whole);
            assert_eq!(body.sha256.unwrap(), hash.as_ref());
            assert_eq!(body.load().unwrap(), whole);
            let held = if in_memory { 4 } else { 0 };
            assert_eq!(budget.left() as u64, left - held);
            drop(body);
            assert_eq!(budget.left() as u64, left);
        }
    }

    #[tokio::test]
    async fn a_spooled_body_never_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let budget = BodyBudget::new(1 << 20);
        let body = spooled(folder.path(), &[b"more than four bytes"], &budget).await;
        assert!(body.in_memory().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_an_error_and_not_a_panic() {
        let budget = BodyBudget::new(1 << 20);
        let mut writer = SpoolWriter::new(Path::new("/nonexistent/spool"), 4, &budget);
        assert!(writer.write(b"12345").await.is_err());
    }
}
