//! What a copy between two stores has verified, so that the next run need not read it again: a text
//! file, one blob a line, appended to after the blob's bytes were read back and found the same. A
//! line that was lost or cut costs reading once more and nothing else.
//!
//! A line is `sha256 TAB size TAB version TAB path`; the version is the target's name for the bytes
//! (an ETag), by which a later change there shows. The first line names both ends of the copy.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::BlobKey;

/// One blob that is at its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Lower-case hex.
    pub(super) sha256: String,
    /// In bytes.
    pub(super) size: u64,
    /// The target's name for this version of the bytes; empty where it gives none.
    pub(super) version: String,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("the journal {0} cannot be used: {1}")]
    File(String, io::Error),
    /// It belongs to a copy between other places.
    #[error(
        "the journal {0} is of another copy ({1}); name another file with --journal, or remove it"
    )]
    Other(String, String),
}

/// The journal of one copy.
#[derive(Debug)]
pub struct Journal {
    name: String,
    file: File,
    entries: HashMap<String, Entry>,
}

impl Journal {
    /// Opens or makes the journal of the copy `from` → `to`.
    ///
    /// # Errors
    /// [`JournalError`]
    pub fn open(path: &Path, from: &str, to: &str) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let failed = |error| JournalError::File(name.clone(), error);
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(failed)?,
        };
        let title = format!("# lamina blobs copy {from} {to}");
        match text.lines().next() {
            Some(first) if first != title => {
                return Err(JournalError::Other(name, first.to_owned()));
            }
            Some(_) | None => {}
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let mut file = options.open(path).map_err(failed)?;
        if text.is_empty() {
            writeln!(file, "{title}").map_err(failed)?;
        } else if !text.ends_with('\n') {
            // The last run died within a line.
            writeln!(file).map_err(failed)?;
        }
        Ok(Self {
            entries: text.lines().skip(1).filter_map(parse).collect(),
            name,
            file,
        })
    }

    pub(super) fn get(&self, key: &BlobKey) -> Option<&Entry> {
        self.entries.get(&key.path())
    }

    /// Every blob that some run has put at the target.
    pub(super) fn keys(&self) -> Vec<BlobKey> {
        self.entries
            .keys()
            .filter_map(|path| BlobKey::parse(path))
            .collect()
    }

    pub(super) fn add(&mut self, key: &BlobKey, entry: Entry) -> Result<(), JournalError> {
        let Entry {
            sha256,
            size,
            version,
        } = &entry;
        writeln!(self.file, "{sha256}\t{size}\t{version}\t{key}")
            .map_err(|error| JournalError::File(self.name.clone(), error))?;
        self.entries.insert(key.path(), entry);
        Ok(())
    }
}

fn parse(line: &str) -> Option<(String, Entry)> {
    let mut parts = line.split('\t');
    let (sha256, size, version) = (parts.next()?, parts.next()?, parts.next()?);
    let path = parts.next()?;
    // A line that was cut is not a key, or has no digest.
    BlobKey::parse(path).filter(|_| sha256.len() == 64)?;
    let entry = Entry {
        sha256: sha256.to_owned(),
        size: size.parse().ok()?,
        version: version.to_owned(),
    };
    Some((path.to_owned(), entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{JobId, MediaType, UnixMs};

    #[test]
    fn a_journal_that_was_cut_anywhere_loses_its_last_line_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let keys: Vec<BlobKey> = (0..3)
            .map(|order| BlobKey::Layer(JobId::new(UnixMs(1)), order, MediaType::Png))
            .collect();
        let entry = Entry {
            sha256: "a".repeat(64),
            size: 7,
            version: "\"v\"".into(),
        };
        let mut journal = Journal::open(&path, "file:a", "s3://b").unwrap();
        for key in &keys[..2] {
            journal.add(key, entry.clone()).unwrap();
        }
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        let first_end = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in first_end..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path, "file:a", "s3://b").unwrap();
            journal.add(&keys[2], entry.clone()).unwrap();
            drop(journal);
            let journal = Journal::open(&path, "file:a", "s3://b").unwrap();
            assert_eq!(journal.get(&keys[2]), Some(&entry), "cut at {cut}");
            for key in journal.keys() {
                assert_eq!(journal.get(&key), Some(&entry), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_journal_of_another_copy_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(&path, "file:a", "s3://b").unwrap();
        let other = Journal::open(&path, "file:a", "s3://c").unwrap_err();
        assert!(other.to_string().contains("--journal"), "{other}");
    }
}
