//! The RIFF structure of a WebP (RFC 9649).
//!
//! Keeps the bitstream and its alpha; leaves out ICC, Exif, XMP and unknown chunks and clears their
//! flags in VP8X. Of an animation the first frame is kept, which then has to be encoded anew. A still picture is whole when
//! its own chunks are, whatever is missing behind them, unless that would turn it.

use std::ops::Range;

use image::metadata::Orientation;

use super::{Clean, Container, Kept, LEAST_PIXEL_BITS, Samples, exif_orientation, u16_le, u32_le};
use crate::error::ImageError;
use crate::media_type::MediaType;
use crate::profile::{ColourTag, MAX_PROFILE_BYTES};

const TRUNCATED: ImageError = ImageError::Truncated {
    format: MediaType::WebP,
};
/// The two flags of VP8X that may stay.
const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;
/// The flag of VP8X that promises Exif, and with it perhaps another orientation.
const EXIF: u8 = 0x08;

/// Where the flags of an ANMF chunk stand, and the one that says that the frame replaces what is below it.
const FRAME_FLAGS: usize = 15;
const UNBLENDED: u8 = 0x02;

#[derive(Default)]
struct Walk {
    size: Option<(u32, u32)>,
    animated: bool,
    has_picture: bool,
    has_alpha: bool,
    /// What VP8X says; alpha that it does not announce is seen by some readers and not by others, and so left out.
    says_alpha: bool,
    /// Exif is promised and has not come yet.
    awaits_exif: bool,
    kept: Kept,
    orientation: Option<Orientation>,
    icc: Option<Vec<u8>>,
}

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let riff_size = u32_le(bytes, 4).ok_or(TRUNCATED)? as usize;
    let declared = riff_size.checked_add(8).ok_or(TRUNCATED)?;
    let end = declared.min(bytes.len());
    let mut is_cut = declared > bytes.len();
    let file = &bytes[..end];
    let mut walk = Walk::default();
    let mut at = 12;
    while at + 8 <= end {
        let kind = &file[at..at + 4];
        let length = u32_le(file, at + 4).ok_or(TRUNCATED)? as usize;
        let Some(body) = file.get(at + 8..).and_then(|rest| rest.get(..length)) else {
            is_cut = true;
            break;
        };
        // Chunks are padded to an even length; the last pad byte is often forgotten.
        let next = (at + 8 + length + (length & 1)).min(end);
        walk.chunk(kind, body, at, next)?;
        at = next;
    }
    if is_cut && (!walk.has_picture || walk.animated || walk.awaits_exif) {
        return Err(TRUNCATED);
    }
    walk.finish()
}

impl Walk {
    fn chunk(
        &mut self,
        kind: &[u8],
        body: &[u8],
        at: usize,
        next: usize,
    ) -> Result<(), ImageError> {
        match kind {
            b"VP8X" if self.size.is_none() => {
                let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = *body else {
                    return Err(corrupt("its VP8X chunk has an impossible length"));
                };
                self.animated = flags & ANIMATION != 0;
                self.awaits_exif = flags & EXIF != 0;
                self.says_alpha = flags & ALPHA != 0;
                self.size = Some((
                    u32::from_le_bytes([w0, w1, w2, 0]) + 1,
                    u32::from_le_bytes([h0, h1, h2, 0]) + 1,
                ));
                self.kept.push(at..next);
            }
            b"VP8 " | b"VP8L" if !self.has_picture && !self.animated => {
                let size = bitstream_size(kind, body)?;
                if *self.size.get_or_insert(size) != size {
                    return Err(corrupt("its canvas and its picture differ in size"));
                }
                if kind == b"VP8L" && self.has_alpha {
                    return Err(corrupt("it has two kinds of alpha"));
                }
                self.has_picture = true;
                self.kept.push(at..next);
            }
            b"ANMF" if self.animated && !self.has_picture => {
                check_frame(body, self.size)?;
                self.has_picture = true;
                self.kept.push(at..next);
            }
            b"ANIM" if self.animated => self.kept.push(at..next),
            b"ALPH"
                if self.says_alpha && !self.animated && !self.has_picture && !self.has_alpha =>
            {
                self.has_alpha = true;
                self.kept.push(at..next);
            }
            b"ICCP" if self.icc.is_none() && body.len() <= MAX_PROFILE_BYTES => {
                self.icc = Some(body.to_vec());
            }
            b"EXIF" => {
                self.awaits_exif = false;
                self.orientation = self.orientation.or_else(|| exif_orientation(body));
            }
            _ => {}
        }
        Ok(())
    }

    /// What the crate `image-webp` holds: of an animation frame, canvas and picture; of lossy colours with alpha the
    /// planes, RGBA, and RGBA and alpha of the alpha, which is a picture of its own.
    fn pixel_bits(&self) -> u64 {
        match (self.animated, self.has_alpha) {
            (true, _) => 12 * 8,
            (false, true) => 11 * 8,
            (false, false) => LEAST_PIXEL_BITS,
        }
    }

    fn finish(self) -> Result<Container, ImageError> {
        let (width, height) = self.size.ok_or_else(|| corrupt("it holds no picture"))?;
        if !self.has_picture {
            return Err(corrupt("it holds no picture data"));
        }
        let pixel_bits = self.pixel_bits();
        Ok(Container {
            format: MediaType::WebP,
            width,
            height,
            samples: Samples::Colour,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            colour: self.icc.map_or(ColourTag::Srgb, ColourTag::Icc),
            must_encode: self.animated,
            pixel_bits,
            unfit: None,
            clean: Clean::Riff(self.kept.into_ranges()),
        })
    }
}

/// Whether a frame lies on its canvas and has the size of its picture (RFC 9649, 2.7.1.1). The decoder takes that for granted:
/// it would allocate what the picture says, however small the canvas that was checked against limits.
fn check_frame(body: &[u8], canvas: Option<(u32, u32)>) -> Result<(), ImageError> {
    let field = |at: usize| {
        let [low, middle, high] = *body.get(at..at + 3)?.first_chunk()?;
        Some(u32::from_le_bytes([low, middle, high, 0]))
    };
    let (Some(x), Some(y), Some(width), Some(height)) = (field(0), field(3), field(6), field(9))
    else {
        return Err(corrupt("its first frame is too short"));
    };
    let size = (width + 1, height + 1);
    let fits =
        canvas.is_some_and(|(across, down)| x * 2 + size.0 <= across && y * 2 + size.1 <= down);
    if !fits {
        return Err(corrupt("its first frame lies outside of its canvas"));
    }
    let mut at = FRAME_FLAGS + 1;
    while let (Some(kind), Some(length)) = (body.get(at..at + 4), u32_le(body, at + 4)) {
        if matches!(kind, b"VP8 " | b"VP8L") {
            let picture = body.get(at + 8..).unwrap_or_default();
            return if bitstream_size(kind, picture)? == size {
                Ok(())
            } else {
                Err(corrupt(
                    "its first frame and the picture in it differ in size",
                ))
            };
        }
        let length = length as usize;
        at = at.saturating_add(8 + (length & 1)).saturating_add(length);
    }
    Err(corrupt("its first frame holds no picture"))
}

/// Size in the bitstream's own header; 14 bits a side in both.
fn bitstream_size(kind: &[u8], body: &[u8]) -> Result<(u32, u32), ImageError> {
    let size = if kind == b"VP8L" {
        u32_le(body, 1).map(|packed| ((packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1))
    } else {
        u16_le(body, 6)
            .zip(u16_le(body, 8))
            .map(|(width, height)| (u32::from(width & 0x3FFF), u32::from(height & 0x3FFF)))
    };
    size.ok_or_else(|| corrupt("its bitstream is too short"))
}

/// The RIFF file of the kept chunks.
pub(super) fn rebuilt(given: &[u8], chunks: &[Range<usize>]) -> Vec<u8> {
    let mut clean = given[..12].to_vec();
    let (mut has_alpha, mut says_alpha) = (false, false);
    for range in chunks {
        clean.extend_from_slice(&given[range.clone()]);
    }
    let mut at = 12;
    while let (Some(kind), Some(length)) = (clean.get(at..at + 4), u32_le(&clean, at + 4)) {
        has_alpha |= matches!(kind, b"ALPH" | b"VP8L" | b"ANMF");
        says_alpha |= kind == b"VP8L" && clean.get(at + 12).is_some_and(|bits| bits & 0x10 != 0);
        // On an empty canvas blending changes nothing, but for a decoder's rounding.
        if kind == b"ANMF"
            && let Some(flags) = clean.get_mut(at + 8 + FRAME_FLAGS)
        {
            *flags |= UNBLENDED;
        }
        at += 8 + length as usize + (length as usize & 1);
    }
    if clean.get(12..16) == Some(b"VP8X") {
        // A flag that promises alpha where no alpha is makes decoders give up.
        clean[20] &= if has_alpha {
            ALPHA | ANIMATION
        } else {
            ANIMATION
        };
        // A lossless picture says so itself, and its readers agree only where both say the same.
        if says_alpha {
            clean[20] |= ALPHA;
        }
    }
    // Lengths fit: the result is never longer than the file, whose own length is 32 bits.
    let riff_size = u32::try_from(clean.len() - 8).unwrap_or(u32::MAX);
    clean[4..8].copy_from_slice(&riff_size.to_le_bytes());
    clean
}

fn corrupt(reason: &str) -> ImageError {
    ImageError::corrupt(MediaType::WebP, reason)
}
