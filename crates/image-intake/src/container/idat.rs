//! Whether a PNG's data is its picture and nothing else.
//!
//! Decoders stop at the last row, and whatever stands behind it in the compressed data, or behind the end of that, goes
//! unseen. Inflates without keeping anything; allocates a fixed window.

use std::ops::Range;

use fdeflate::Decompressor;

/// How far back the compressed data may refer (RFC 1950).
const WINDOW: usize = 32 * 1024;
const ROOM: usize = 256 * 1024;

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

/// How the data chunks in these ranges end, whose rows take `raw_bytes`. Of data that does not inflate the decoder says
/// what is wrong with it.
pub(super) fn ending(file: &[u8], data: &[Range<usize>], raw_bytes: u64) -> Ending {
    let mut inflater = Decompressor::new();
    let mut window = vec![0; WINDOW + ROOM];
    let (mut at, mut total) = (0, 0_u64);
    for (index, range) in data.iter().enumerate() {
        let mut input = &file[range.clone()];
        loop {
            let Ok((read, written)) = inflater.read(input, &mut window, at, false) else {
                return Ending::Loose;
            };
            input = &input[read..];
            at += written;
            total += written as u64;
            if total > raw_bytes || inflater.is_done() {
                break;
            }
            if at > window.len() / 2 {
                window.copy_within(at - WINDOW..at, 0);
                at = WINDOW;
            } else if read == 0 && written == 0 {
                break;
            }
        }
        if total > raw_bytes {
            return Ending::Loose;
        }
        if inflater.is_done() {
            let rest = data[index + 1..].iter().all(Range::is_empty);
            return match total == raw_bytes {
                true if input.is_empty() && rest => Ending::Tight,
                true => Ending::Loose,
                false => Ending::Short,
            };
        }
    }
    if total == raw_bytes {
        Ending::Loose
    } else {
        Ending::Short
    }
}
