//! The chunk structure of a PNG (W3C PNG, third edition).
//!
//! Keeps the header, palette, transparency, sRGB mark and the default image's data. Of an APNG the
//! animation's own chunks are left out, so that its default image remains. Colour chunks take
//! precedence as the standard says: cICP, iCCP, sRGB, then gAMA with cHRM.

use image::metadata::Orientation;

use super::{Clean, Container, Kept, Samples, exif_orientation, u32_be};
use crate::images::error::ImageError;
use crate::images::format::Format;
use crate::images::profile::{ColourTag, MAX_PROFILE_BYTES};

const TRUNCATED: ImageError = ImageError::Truncated {
    format: Format::Png,
};

struct Header {
    width: u32,
    height: u32,
    bits: u8,
    colour_type: u8,
    interlaced: bool,
}

#[derive(Default)]
struct ColourChunks<'a> {
    cicp: Option<[u8; 4]>,
    iccp: Option<&'a [u8]>,
    srgb: bool,
    gamma: Option<u32>,
    chroma: Option<[u32; 8]>,
}

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let mut kept = Kept::default();
    kept.push(0..8);
    let mut at = 8;
    let mut header = None;
    let mut colour = ColourChunks::default();
    let mut orientation = None;
    let mut data = Vec::new();
    loop {
        let length = u32_be(bytes, at).ok_or(TRUNCATED)? as usize;
        let kind = bytes.get(at + 4..at + 8).ok_or(TRUNCATED)?;
        let body = bytes
            .get(at + 8..)
            .and_then(|rest| rest.get(..length))
            .ok_or(TRUNCATED)?;
        let end = at + 12 + length;
        if end > bytes.len() {
            return Err(TRUNCATED);
        }
        if kind == b"CgBI" {
            return Err(ImageError::VariantUnsupported {
                format: Format::Png,
                feature: "Apple's own variant of the format (CgBI), as Xcode packs into an app",
            });
        }
        if header.is_none() && kind != b"IHDR" {
            return Err(corrupt("its first chunk is not IHDR"));
        }
        match kind {
            b"IHDR" if header.is_none() => {
                header = Some(read_header(body)?);
                kept.push(at..end);
            }
            b"IHDR" => return Err(corrupt("it has two IHDR chunks")),
            b"IDAT" => {
                data.push(at + 8..at + 8 + length);
                kept.push(at..end);
            }
            // What is longer than it can be has room for more than the picture.
            b"PLTE" if length <= 768 => kept.push(at..end),
            b"tRNS" if length <= 256 => kept.push(at..end),
            b"PLTE" | b"tRNS" => return Err(corrupt("its palette is too long")),
            b"sRGB" => {
                if length == 1 && !colour.srgb {
                    kept.push(at..end);
                }
                colour.srgb = true;
            }
            b"cICP" => colour.cicp = body.try_into().ok(),
            b"iCCP" => colour.iccp = colour.iccp.or(Some(body)),
            b"gAMA" => colour.gamma = u32_be(body, 0),
            b"cHRM" => colour.chroma = read_chroma(body),
            b"eXIf" => orientation = orientation.or_else(|| exif_orientation(body)),
            b"IEND" if length > 0 => return Err(corrupt("its IEND chunk is not empty")),
            b"IEND" => {
                kept.push(at..end);
                break;
            }
            // Bit 5 of the first letter is the standard's mark of a chunk that may be ignored.
            _ if kind[0] & 0x20 == 0 => return Err(corrupt("it has an unknown critical chunk")),
            _ => {}
        }
        at = end;
    }
    let header = header.ok_or_else(|| corrupt("it has no IHDR chunk"))?;
    if data.is_empty() {
        return Err(corrupt("it holds no picture data"));
    }
    Ok(Container {
        format: Format::Png,
        width: header.width,
        height: header.height,
        samples: if header.colour_type & 2 == 0 {
            Samples::Grey
        } else {
            Samples::Colour
        },
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        colour: colour.tag(),
        must_encode: header.bits == 16,
        heavy: header.bits == 16,
        short: false,
        clean: Clean::Png {
            kept: kept.into_ranges(),
            data,
            raw_bytes: header.raw_bytes(),
        },
    })
}

impl Header {
    /// How many bytes the rows have before they are compressed, each with its filter (section 7.2 and 8).
    fn raw_bytes(&self) -> u64 {
        let channels: u64 = match self.colour_type {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        let rows = |width: u32, height: u32| {
            let row = (u64::from(width) * channels * u64::from(self.bits)).div_ceil(8) + 1;
            if width == 0 {
                0
            } else {
                row.saturating_mul(u64::from(height))
            }
        };
        if !self.interlaced {
            return rows(self.width, self.height);
        }
        // Adam7: where each pass begins, and its steps.
        const PASSES: [[u32; 4]; 7] = [
            [0, 0, 8, 8],
            [4, 0, 8, 8],
            [0, 4, 4, 8],
            [2, 0, 4, 4],
            [0, 2, 2, 4],
            [1, 0, 2, 2],
            [0, 1, 1, 2],
        ];
        PASSES
            .iter()
            .map(|[x, y, across, down]| {
                rows(
                    self.width.saturating_sub(*x).div_ceil(*across),
                    self.height.saturating_sub(*y).div_ceil(*down),
                )
            })
            .sum()
    }
}

fn read_header(body: &[u8]) -> Result<Header, ImageError> {
    let (Some(width), Some(height), Some(&[bits, colour_type, _, _, interlace])) =
        (u32_be(body, 0), u32_be(body, 4), body.get(8..))
    else {
        return Err(corrupt("its IHDR chunk has an impossible length"));
    };
    Ok(Header {
        width,
        height,
        bits,
        colour_type,
        interlaced: interlace != 0,
    })
}

fn read_chroma(body: &[u8]) -> Option<[u32; 8]> {
    let mut chroma = [0; 8];
    for (index, value) in chroma.iter_mut().enumerate() {
        *value = u32_be(body, index * 4)?;
    }
    Some(chroma)
}

impl ColourChunks<'_> {
    fn tag(&self) -> ColourTag {
        if let Some(code_points) = self.cicp {
            ColourTag::Cicp(code_points)
        } else if let Some(profile) = self.iccp.and_then(inflated_profile) {
            ColourTag::Icc(profile)
        } else if self.srgb {
            ColourTag::Srgb
        } else if let Some(gamma) = self.gamma {
            ColourTag::Gamma {
                gamma,
                chroma: self.chroma,
            }
        } else {
            ColourTag::Srgb
        }
    }
}

/// The profile inside an iCCP chunk: name, 0, method 0, zlib data.
///
/// The only thing that is inflated here, and never to more than a profile may have; a bomb counts
/// as no profile.
fn inflated_profile(body: &[u8]) -> Option<Vec<u8>> {
    let name_end = body.iter().take(80).position(|byte| *byte == 0)?;
    let (method, data) = body.get(name_end + 1..)?.split_first()?;
    if *method != 0 {
        return None;
    }
    fdeflate::decompress_to_vec_bounded(data, MAX_PROFILE_BYTES).ok()
}

fn corrupt(reason: &str) -> ImageError {
    ImageError::corrupt(Format::Png, reason)
}
