//! A PNG's compressed data, inflated once and not kept: whether it is its rows and nothing else.
//!
//! Decoders stop at the last row, and whatever stands behind it in the compressed data, or behind the end of that, goes
//! unseen. Memory: a fixed window.

use std::ops::Range;

use zlib_rs::{Inflate, InflateFlush, Status};

/// Inflated at once.
const ROOM: usize = 64 * 1024;
/// The base-2 logarithm of how far back compressed data may refer (RFC 1950).
const WINDOW_BITS: u8 = 15;
/// The last filter that there is (section 9.2).
const LAST_FILTER: u8 = 4;

/// How compressed data ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With its last row, and the checksum that every reader expects.
    Tight,
    /// With more than its rows, or in a way that some readers refuse.
    Loose,
    /// Before its last row.
    Short,
}

/// Where the compressed data is, and what it has to come to.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// The bodies of the data chunks, in order.
    pub(super) chunks: Vec<Range<usize>>,
    /// What all rows take, each with its filter.
    pub(super) raw_bytes: u64,
    /// What each row takes, where every reader makes the same of any such row; `None` for pictures of which only a
    /// decoder can tell.
    pub(super) row_bytes: Option<usize>,
}

impl Data {
    /// How the data in `file` ends. Of data that does not inflate the decoder says what is wrong with it.
    pub(super) fn ending(&self, file: &[u8]) -> Ending {
        self.inflate(file, |_| {})
    }

    /// Whether the data is all of its rows and each has a filter that there is, so that it decodes.
    pub(super) fn is_proven(&self, file: &[u8]) -> (Ending, bool) {
        let Some(row_bytes) = self.row_bytes else {
            return (self.ending(file), false);
        };
        let (mut left, mut sound) = (0, true);
        let ending = self.inflate(file, |mut raw| {
            while raw.len() > left {
                raw = &raw[left..];
                sound &= raw[0] <= LAST_FILTER;
                left = row_bytes;
            }
            left -= raw.len();
        });
        (ending, sound)
    }

    fn inflate(&self, file: &[u8], mut seen: impl FnMut(&[u8])) -> Ending {
        let mut inflater = Inflate::new(true, WINDOW_BITS);
        // Of the stack: what is taken from the allocator and given back for each picture is taken from the system again.
        let mut room = [0; ROOM];
        for (index, range) in self.chunks.iter().enumerate() {
            let mut input = &file[range.clone()];
            loop {
                let (read, written) = (inflater.total_in(), inflater.total_out());
                let Ok(status) = inflater.decompress(input, &mut room, InflateFlush::NoFlush)
                else {
                    return Ending::Loose;
                };
                // Neither can be more than what was given.
                let read = usize::try_from(inflater.total_in() - read).unwrap_or(input.len());
                let written = usize::try_from(inflater.total_out() - written).unwrap_or(ROOM);
                input = &input[read..];
                if inflater.total_out() > self.raw_bytes {
                    return Ending::Loose;
                }
                seen(&room[..written]);
                if status == Status::StreamEnd {
                    let behind = &self.chunks[index + 1..];
                    return match inflater.total_out() == self.raw_bytes {
                        true if input.is_empty() && behind.iter().all(Range::is_empty) => {
                            Ending::Tight
                        }
                        true => Ending::Loose,
                        false => Ending::Short,
                    };
                }
                if read == 0 && written == 0 {
                    break;
                }
            }
        }
        if inflater.total_out() == self.raw_bytes {
            Ending::Loose
        } else {
            Ending::Short
        }
    }
}
