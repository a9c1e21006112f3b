//! The marker structure of a JPEG (ITU-T T.81 Annex B; Exif; ICC.1 Annex B.4; Adobe TN 5116).
//!
//! Keeps the markers that the picture needs, a plain JFIF header and Adobe's colour marker; every
//! other application segment and every comment is left out, as is all that follows the end of the
//! image (previews, gain maps, the film behind a motion photo).

use image::metadata::Orientation;

use super::{Clean, Container, Kept, Samples, exif_orientation, u16_be};
use crate::images::error::ImageError;
use crate::images::format::Format;
use crate::images::profile::{ColourTag, MAX_PROFILE_BYTES};

/// A progressive file refines the whole picture once a scan, so scans are work that costs a
/// sender nothing. Encoders write about ten; four components with every bit on its own take 60.
const MAX_SCANS: usize = 80;

const TRUNCATED: ImageError = ImageError::Truncated {
    format: Format::Jpeg,
};

#[derive(Default)]
struct Walk {
    frame: Option<Frame>,
    scans: usize,
    scan_bytes: usize,
    kept: Kept,
    orientation: Option<Orientation>,
    icc: Vec<(u8, std::ops::Range<usize>)>,
    jfif_thumbnail: bool,
}

struct Frame {
    width: u32,
    height: u32,
    components: u8,
    progressive: bool,
    /// 8 × 8 blocks of all components together, padding not counted.
    blocks: usize,
}

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let mut walk = Walk::default();
    walk.kept.push(0..2);
    let mut at = 2;
    loop {
        let (start, marker) = next_marker(bytes, at).ok_or(TRUNCATED)?;
        match marker {
            0xD9 => {
                walk.kept.push(start..start + 2);
                return walk.finish(bytes);
            }
            // Stuffing, fill, restart and a repeated start outside a scan carry nothing.
            0x00 | 0x01 | 0xD0..=0xD8 => at = start + 2,
            _ => {
                let length = usize::from(u16_be(bytes, start + 2).ok_or(TRUNCATED)?);
                if length < 2 {
                    return Err(corrupt("a segment has an impossible length"));
                }
                let end = start + 2 + length;
                let body = bytes.get(start + 4..end).ok_or(TRUNCATED)?;
                at = walk.segment(bytes, marker, start, body)?;
            }
        }
    }
}

/// The next marker at or after `at`: where its 0xFF stands, and its code.
fn next_marker(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let mut start = at + bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
    // Any number of fill bytes may stand before the code.
    while *bytes.get(start + 1)? == 0xFF {
        start += 1;
    }
    Some((start, bytes[start + 1]))
}

/// Where the entropy-coded data that begins at `at` ends: at a marker that is no restart.
fn scan_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr(0xFF, bytes.get(at..)?)?;
        match *bytes.get(at + 1)? {
            0x00 | 0xD0..=0xD7 => at += 2,
            0xFF => at += 1,
            _ => return Some(at),
        }
    }
}

impl Walk {
    /// Takes one segment and answers where to go on.
    fn segment(
        &mut self,
        bytes: &[u8],
        marker: u8,
        start: usize,
        body: &[u8],
    ) -> Result<usize, ImageError> {
        let end = start + 4 + body.len();
        match marker {
            0xC0..=0xC2 => {
                self.start_of_frame(marker, body)?;
                self.kept.push(start..end);
            }
            0xC3 | 0xC5..=0xC7 | 0xCB | 0xCD..=0xCF => {
                return Err(unsupported("lossless, hierarchical or arithmetic coding"));
            }
            0xC9 | 0xCA | 0xCC => return Err(unsupported("arithmetic coding")),
            0xDC => return Err(unsupported("a height that is declared behind the picture")),
            0xC4 | 0xDB | 0xDD => self.kept.push(start..end),
            0xDA => {
                if self.frame.is_none() {
                    return Err(corrupt("a scan begins before the frame is declared"));
                }
                self.scans += 1;
                if self.scans > MAX_SCANS {
                    return Err(corrupt("it has far more scans than any encoder writes"));
                }
                let data = end;
                let end = scan_end(bytes, data).ok_or(TRUNCATED)?;
                self.scan_bytes += end - data;
                self.kept.push(start..end);
                return Ok(end);
            }
            0xE0 if body.starts_with(b"JFIF\0") => {
                if body.len() == 14 {
                    self.kept.push(start..end);
                } else {
                    self.jfif_thumbnail = true;
                }
            }
            0xE1 if body.starts_with(b"Exif\0\0") => {
                self.orientation = self.orientation.or_else(|| exif_orientation(body));
            }
            0xE2 if body.starts_with(b"ICC_PROFILE\0") && body.len() > 14 => {
                self.icc.push((body[12], start + 18..end));
            }
            0xEE if body.starts_with(b"Adobe") && body.len() == 12 => {
                self.kept.push(start..end);
            }
            _ => {}
        }
        Ok(end)
    }

    fn start_of_frame(&mut self, marker: u8, body: &[u8]) -> Result<(), ImageError> {
        if self.frame.is_some() {
            return Err(corrupt("it declares two frames"));
        }
        let [bits, h1, h0, w1, w0, components, ..] = *body else {
            return Err(corrupt("its frame header is too short"));
        };
        if bits != 8 {
            return Err(unsupported("more than 8 bits a sample"));
        }
        if !matches!(components, 1 | 3 | 4) {
            return Err(unsupported(
                "a number of colour components other than 1, 3 or 4",
            ));
        }
        let height = u32::from(u16::from_be_bytes([h1, h0]));
        if height == 0 {
            return Err(unsupported("a height that is declared behind the picture"));
        }
        let width = u32::from(u16::from_be_bytes([w1, w0]));
        let Some(factors) = body[6..].as_chunks::<3>().0.get(..usize::from(components)) else {
            return Err(corrupt("its frame header is too short"));
        };
        self.frame = Some(Frame {
            width,
            height,
            components,
            progressive: marker == 0xC2,
            blocks: blocks(width, height, factors)?,
        });
        Ok(())
    }

    fn finish(self, bytes: &[u8]) -> Result<Container, ImageError> {
        let Some(frame) = self.frame else {
            return Err(corrupt("it declares no frame"));
        };
        if self.scans == 0 {
            return Err(corrupt("it holds no picture data"));
        }
        // A decoder fills what is missing before an early end with flat colour. No Huffman code is
        // shorter than a bit, and a block has one for its mean and, unless the file is progressive,
        // one for its end; so less data than this cannot be the whole picture.
        let bits_a_block = if frame.progressive { 1 } else { 2 };
        let short = self.scan_bytes * 8 < frame.blocks * bits_a_block;
        let samples = match frame.components {
            1 => Samples::Grey,
            4 => Samples::Cmyk,
            _ => Samples::Colour,
        };
        Ok(Container {
            format: Format::Jpeg,
            width: frame.width,
            height: frame.height,
            samples,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            colour: assembled_profile(bytes, self.icc),
            // Without its JFIF header a decoder may guess the colours differently.
            must_encode: samples == Samples::Cmyk || self.jfif_thumbnail,
            heavy: frame.progressive || samples == Samples::Cmyk,
            short,
            clean: Clean::Ranges(self.kept.into_ranges()),
        })
    }
}

/// How many blocks the components have, given their sampling factors (T.81, A.1.1 and A.2).
fn blocks(width: u32, height: u32, components: &[[u8; 3]]) -> Result<usize, ImageError> {
    let factors = components
        .iter()
        .map(|[_, factors, _]| (u32::from(factors >> 4), u32::from(factors & 15)));
    let across_max = factors.clone().map(|(across, _)| across).max().unwrap_or(1);
    let down_max = factors.clone().map(|(_, down)| down).max().unwrap_or(1);
    let mut blocks = 0;
    for (across, down) in factors {
        if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
            return Err(corrupt("its sampling factors are impossible"));
        }
        let columns = (width * across).div_ceil(across_max).div_ceil(8);
        let rows = (height * down).div_ceil(down_max).div_ceil(8);
        blocks += columns as usize * rows as usize;
    }
    Ok(blocks)
}

/// Joins the numbered pieces of an ICC profile; a set with a gap counts as no profile.
fn assembled_profile(bytes: &[u8], mut pieces: Vec<(u8, std::ops::Range<usize>)>) -> ColourTag {
    pieces.sort_by_key(|(number, _)| *number);
    let whole = pieces
        .iter()
        .enumerate()
        .all(|(index, (number, _))| usize::from(*number) == index + 1);
    let length: usize = pieces.iter().map(|(_, range)| range.len()).sum();
    if pieces.is_empty() || !whole || length > MAX_PROFILE_BYTES {
        return ColourTag::Srgb;
    }
    let mut profile = Vec::with_capacity(length);
    for (_, range) in pieces {
        profile.extend_from_slice(&bytes[range]);
    }
    ColourTag::Icc(profile)
}

fn corrupt(reason: &str) -> ImageError {
    ImageError::corrupt(Format::Jpeg, reason)
}

fn unsupported(feature: &'static str) -> ImageError {
    ImageError::VariantUnsupported {
        format: Format::Jpeg,
        feature,
    }
}
