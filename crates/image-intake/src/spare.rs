//! Room that a PNG's pixels leave: colours of a palette that no pixel has, and the bits that fill up a row's last byte.
//!
//! Both are bytes that a stranger chooses and no reader shows. Only palettes and samples of fewer than 8 bits have them.
//! Nothing here can fail a picture: what cannot be read is encoded anew.

use std::io::Cursor;

use bytes::Bytes;
use png::{Decoder, Transformations};

/// Where IHDR, which stands first, has depth, colour type and interlace.
const DEPTH: usize = 24;
const COLOUR: usize = 25;
const INTERLACE: usize = 28;
/// The colour type of a picture with a palette.
const INDEXED: u8 = 3;
/// Signature, and around a chunk's body its length, name and checksum.
const SIGNATURE: usize = 8;
const FRAME: usize = 12;

/// The file with its spare room emptied, untouched if it has none; `None` if it has to be encoded anew for that.
///
/// `file` is a PNG that was decoded, with IHDR first and whole chunks only.
pub(super) fn emptied(file: &Bytes) -> Option<Bytes> {
    let (depth, colour) = (*file.get(DEPTH)?, *file.get(COLOUR)?);
    if depth >= 8 && colour != INDEXED {
        return Some(file.clone());
    }
    if depth < 8 && *file.get(INTERLACE)? != 0 {
        // Seven small pictures with rows of their own: too rare to follow.
        return None;
    }
    let used = used(file, depth)?;
    if colour != INDEXED {
        return Some(file.clone());
    }
    let emptied = without(file, &used);
    Some(if emptied == *file {
        file.clone()
    } else {
        emptied.into()
    })
}

/// Which samples occur; `None` if a row's last byte is filled up with anything but zeros.
fn used(file: &[u8], depth: u8) -> Option<[bool; 256]> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().ok()?;
    let depth = u32::from(depth);
    let in_last = reader.info().width.wrapping_mul(depth) % 8;
    let spare = if in_last == 0 { 0 } else { 8 - in_last };
    let mut used = [false; 256];
    while let Some(row) = reader.next_row().ok()? {
        let (last, whole) = row.data().split_last()?;
        if u32::from(*last) & ((1 << spare) - 1) != 0 {
            return None;
        }
        for byte in whole {
            for shift in (0..8).step_by(depth as usize) {
                used[usize::from(*byte) >> shift & ((1 << depth) - 1)] = true;
            }
        }
        for shift in (spare..8).step_by(depth as usize) {
            used[usize::from(*last) >> shift & ((1 << depth) - 1)] = true;
        }
    }
    Some(used)
}

/// Colours and transparency that are not used as zeros.
fn without(file: &[u8], used: &[bool; 256]) -> Vec<u8> {
    let mut clean = file.to_vec();
    let mut at = SIGNATURE;
    while let Some(length) = clean.get(at..).and_then(|rest| rest.first_chunk()) {
        let end = at + FRAME + u32::from_be_bytes(*length) as usize;
        let Some(chunk) = clean.get_mut(at + 4..end) else {
            break;
        };
        let entry = match &chunk[..4] {
            b"PLTE" => 3,
            b"tRNS" => 1,
            _ => 0,
        };
        if entry > 0 {
            let (named, sum) = chunk.split_at_mut(chunk.len() - 4);
            for (colour, used) in named[4..].chunks_mut(entry).zip(used) {
                if !used {
                    colour.fill(0);
                }
            }
            sum.copy_from_slice(&crc32fast::hash(named).to_be_bytes());
        }
        at = end;
    }
    clean
}
