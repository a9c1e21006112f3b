//! The block structure of a GIF (GIF89a specification).
//!
//! Walks every block, so that a cut file is found however late it was cut, and keeps the first
//! frame alone with its own transparency. A file whose last block is whole but whose one-byte
//! trailer is missing is taken as complete, as every viewer does, and so is one in which no block, but something
//! else, follows a whole frame. A screen that does not hold its first frame grows to hold it, as in browsers.

use std::ops::Range;

use image::metadata::Orientation;

use super::{Clean, Container, LEAST_PIXEL_BITS, Samples, u16_le};
use crate::error::ImageError;
use crate::media_type::MediaType;
use crate::profile::ColourTag;

const TRUNCATED: ImageError = ImageError::Truncated {
    format: MediaType::Gif,
};
/// What stands between a control extension's introducer and its terminator; writers that say more mean no more.
const CONTROL_BYTES: usize = 4;

/// What is kept: one frame and how to read it.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The screen's width and height as they are written.
    screen: [u8; 4],
    /// The file up to the end of the global colours.
    head: Range<usize>,
    control: Option<[u8; CONTROL_BYTES]>,
    image: Range<usize>,
}

impl Frame {
    /// The file that holds this frame and nothing else.
    pub(super) fn alone(&self, given: &[u8]) -> Vec<u8> {
        let mut file = given[self.head.clone()].to_vec();
        file[6..10].copy_from_slice(&self.screen);
        if let Some(control) = &self.control {
            file.extend_from_slice(b"\x21\xF9\x04");
            file.extend_from_slice(control);
            file.push(0);
        }
        file.extend_from_slice(&given[self.image.clone()]);
        file.push(0x3B);
        file
    }
}

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let flags = *bytes.get(10).ok_or(TRUNCATED)?;
    let mut at = 13 + table_bytes(flags);
    if at > bytes.len() {
        return Err(TRUNCATED);
    }
    let head = 0..at;
    let mut control = None;
    let mut first = None;
    loop {
        let start = at;
        match bytes.get(at) {
            Some(0x3B) => break,
            // A zero between blocks is a terminator too many, as some encoders write; it holds nothing.
            Some(0x00) => at += 1,
            None if first.is_some() => break,
            None => return Err(TRUNCATED),
            Some(0x21) => {
                at = skip_sub_blocks(bytes, at + 2)?;
                let fields = bytes[start + 2..at].split_first();
                if bytes[start + 1] == 0xF9
                    && let Some((length, fields)) = fields
                    && usize::from(*length) >= CONTROL_BYTES
                {
                    control = fields.first_chunk().copied();
                }
            }
            Some(0x2C) => {
                let flags = *bytes.get(at + 9).ok_or(TRUNCATED)?;
                // After descriptor and local colours comes one byte with the LZW code size.
                at = skip_sub_blocks(bytes, at + 10 + table_bytes(flags) + 1)?;
                if first.is_none() {
                    first = Some((control.take(), start..at));
                }
            }
            Some(_) if first.is_some() => break,
            Some(_) => return Err(corrupt("it has an unknown block")),
        }
    }
    let (control, image) = first.ok_or_else(|| corrupt("it holds no frame"))?;
    let number = |at: usize| u16_le(bytes, at).map(u32::from).ok_or(TRUNCATED);
    let at = image.start;
    let width = number(6)?.max(number(at + 1)? + number(at + 5)?);
    let height = number(8)?.max(number(at + 3)? + number(at + 7)?);
    let (Ok(across), Ok(down)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(corrupt("its first frame lies beyond every screen"));
    };
    let ([w0, w1], [h0, h1]) = (across.to_le_bytes(), down.to_le_bytes());
    Ok(Container {
        format: MediaType::Gif,
        width,
        height,
        samples: Samples::Colour,
        orientation: Orientation::NoTransforms,
        colour: ColourTag::Srgb,
        must_encode: true,
        // A frame that is smaller than its screen is decoded beside it.
        pixel_bits: if (number(at + 1)?, number(at + 5)?) == (0, width) {
            LEAST_PIXEL_BITS
        } else {
            8 * 8
        },
        unfit: None,
        clean: Clean::Gif(Frame {
            screen: [w0, w1, h0, h1],
            head,
            control,
            image,
        }),
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
    ImageError::corrupt(MediaType::Gif, reason)
}
