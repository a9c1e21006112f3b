//! A ZIP file, entry by entry, each stored as it is with its length and sum before it.
//!
//! The `zip` crate writes to what cannot seek only with lengths behind the data, which readers that take a stream refuse for stored entries; entries
//! are at most one picture here, so their lengths are known. What goes in is compressed already, but for a few kilobytes of text. Dates are
//! the first that the format knows: the same stack gives the same file.

use std::io::{self, Write};

/// The format counts in 32 bits; its wide form is not written.
const MOST: u64 = u32::MAX as u64 - 1;
/// 1 January 1980.
const DATE: u16 = 0x21;
/// Version 2.0.
const NEEDS: u16 = 20;
/// Made on a Unix, so that the mode below counts.
const MADE_BY: u16 = 3 << 8 | NEEDS;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// A plain file that all may read.
const MODE: u32 = 0o100_644 << 16;

/// A ZIP file that is being written.
pub(crate) struct Archive<'a> {
    out: &'a mut dyn Write,
    at: u64,
    /// What the file ends with, one entry after the other.
    directory: Vec<u8>,
    count: u16,
}

impl<'a> Archive<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            at: 0,
            directory: Vec::new(),
            count: 0,
        }
    }

    /// Adds a file. Names are those of this crate: relative, with slashes.
    pub(crate) fn entry(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        if data.len() as u64 > MOST || self.at > MOST {
            return Err(too_large());
        }
        let mut common = Vec::new();
        for number in [NEEDS, FLAGS, 0, 0, DATE] {
            common.extend(number.to_le_bytes());
        }
        common.extend(crc32fast::hash(data).to_le_bytes());
        for _ in 0..2 {
            common.extend((data.len() as u32).to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);

        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(MADE_BY.to_le_bytes());
        self.directory.extend(&common);
        // No comment, the first disk, no text.
        self.directory.extend([0; 6]);
        self.directory.extend(MODE.to_le_bytes());
        self.directory.extend((self.at as u32).to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count = self.count.checked_add(1).ok_or_else(too_large)?;

        let head = [b"PK\x03\x04".as_slice(), &common, name.as_bytes()].concat();
        self.out.write_all(&head)?;
        self.out.write_all(data)?;
        self.at += head.len() as u64 + data.len() as u64;
        Ok(())
    }

    /// Writes the directory.
    pub(crate) fn finish(self) -> io::Result<()> {
        if self.at > MOST || self.count == u16::MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
        for _ in 0..2 {
            end.extend(self.count.to_le_bytes());
        }
        end.extend((self.directory.len() as u32).to_le_bytes());
        end.extend((self.at as u32).to_le_bytes());
        end.extend([0, 0]);
        self.out.write_all(&self.directory)?;
        self.out.write_all(&end)
    }
}
