//! Whether a PNG's data is its picture and nothing else.
//!
//! Decoders stop at the last row, and whatever stands behind it in the compressed data, or behind the end of that, goes
//! unseen. Inflates without keeping anything; allocates a fixed window.

use std::ops::Range;

use fdeflate::Decompressor;

/// How far back the compressed data may refer (RFC 1950).
const WINDOW: usize = 32 * 1024;
const ROOM: usize = 256 * 1024;

/// Whether the data chunks in these ranges inflate to exactly `raw_bytes` and end there. Data that does not inflate at all
/// counts as such; the decoder says what is wrong with it.
pub(super) fn is_tight(file: &[u8], data: &[Range<usize>], raw_bytes: u64) -> bool {
    let mut inflater = Decompressor::new();
    let mut window = vec![0; WINDOW + ROOM];
    let (mut at, mut total) = (0, 0_u64);
    for (index, range) in data.iter().enumerate() {
        let is_last = index + 1 == data.len();
        let mut input = &file[range.clone()];
        loop {
            let Ok((read, written)) = inflater.read(input, &mut window, at, is_last) else {
                return true;
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
            return false;
        }
        if inflater.is_done() {
            let rest = data[index + 1..].iter().all(Range::is_empty);
            return input.is_empty() && rest && total == raw_bytes;
        }
    }
    true
}
