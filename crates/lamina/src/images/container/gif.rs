//! The block structure of a GIF (GIF89a specification).
//!
//! Walks every block, so that a cut file is found however late it was cut, and keeps the first
//! frame alone with its own transparency. A file whose last block is whole but whose one-byte
//! trailer is missing is taken as complete, as every viewer does.

use image::metadata::Orientation;

use super::{Clean, Container, Kept, Samples, u16_le};
use crate::images::error::ImageError;
use crate::images::format::Format;
use crate::images::profile::ColourTag;

const TRUNCATED: ImageError = ImageError::Truncated {
    format: Format::Gif,
};

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let (Some(width), Some(height), Some(&flags)) =
        (u16_le(bytes, 6), u16_le(bytes, 8), bytes.get(10))
    else {
        return Err(TRUNCATED);
    };
    let mut at = 13 + table_bytes(flags);
    if at > bytes.len() {
        return Err(TRUNCATED);
    }
    let mut kept = Kept::default();
    kept.push(0..at);
    let mut control = None;
    let mut has_frame = false;
    loop {
        let start = at;
        match bytes.get(at) {
            Some(0x3B) => {
                kept.push(at..at + 1);
                break;
            }
            // A zero between blocks is a terminator too many, as some encoders write; it holds nothing.
            Some(0x00) => at += 1,
            None if has_frame => break,
            None => return Err(TRUNCATED),
            Some(0x21) => {
                at = skip_sub_blocks(bytes, at + 2)?;
                if bytes.get(start + 1) == Some(&0xF9) {
                    control = Some(start..at);
                }
            }
            Some(0x2C) => {
                let flags = *bytes.get(at + 9).ok_or(TRUNCATED)?;
                // After descriptor and local colours comes one byte with the LZW code size.
                at = skip_sub_blocks(bytes, at + 10 + table_bytes(flags) + 1)?;
                if !has_frame {
                    has_frame = true;
                    if let Some(control) = control.take() {
                        kept.push(control);
                    }
                    kept.push(start..at);
                }
            }
            Some(_) => return Err(corrupt("it has an unknown block")),
        }
    }
    if !has_frame {
        return Err(corrupt("it holds no frame"));
    }
    Ok(Container {
        format: Format::Gif,
        width: u32::from(width),
        height: u32::from(height),
        samples: Samples::Colour,
        orientation: Orientation::NoTransforms,
        colour: ColourTag::Srgb,
        must_encode: true,
        heavy: false,
        short: false,
        clean: Clean::Ranges(kept.into_ranges()),
    })
}

/// Length of the colour table that a flags byte announces.
fn table_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        0
    } else {
        3 << ((flags & 7) + 1)
    }
}

/// Where the run of sub-blocks at `at` ends, its terminator included.
fn skip_sub_blocks(bytes: &[u8], mut at: usize) -> Result<usize, ImageError> {
    loop {
        let length = usize::from(*bytes.get(at).ok_or(TRUNCATED)?);
        at += 1 + length;
        if length == 0 {
            return Ok(at);
        }
    }
}

fn corrupt(reason: &str) -> ImageError {
    ImageError::corrupt(Format::Gif, reason)
}
