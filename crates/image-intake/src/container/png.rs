//! The chunk structure of a PNG (W3C PNG, third edition).
//!
//! Keeps the header, palette, fitting transparency, sRGB mark and the default image's data. Of an APNG the
//! animation's own chunks are left out, so that its default image remains. Colour chunks take
//! precedence as the standard says: cICP, iCCP, sRGB, then gAMA with cHRM, each if it tells anything. What may be ignored and
//! has a wrong checksum is ignored. A file is whole when its rows are, however it ends.

use std::ops::Range;

use image::metadata::Orientation;

use super::rows::Data;
use super::{Clean, Container, Kept, LEAST_PIXEL_BITS, Samples, exif_orientation, u32_be};
use crate::error::ImageError;
use crate::media_type::MediaType;
use crate::profile::{ColourTag, MAX_PROFILE_BYTES};

pub(super) const TRUNCATED: ImageError = ImageError::Truncated {
    format: MediaType::Png,
};

/// The chunk that ends a file.
pub(super) const IEND: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// One whole chunk.
struct Chunk<'a> {
    kind: &'a [u8],
    body: &'a [u8],
    end: usize,
    /// Its checksum is right.
    sound: bool,
}

struct Header {
    width: u32,
    height: u32,
    bits: u8,
    colour_type: u8,
    interlaced: bool,
    /// Compression and filtering are the methods that there are.
    known_methods: bool,
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
    let mut walk = Walk::default();
    walk.kept.push(0..8);
    let mut at = 8;
    let mut ended = true;
    loop {
        let chunk = match Chunk::read(bytes, at) {
            Some(chunk) => chunk,
            // The rows decide what the file is without its end; a cut piece of them is none.
            None if !walk.data.is_empty() && bytes.get(at + 4..at + 8) != Some(b"IDAT") => {
                ended = false;
                break;
            }
            None => return Err(TRUNCATED),
        };
        if !chunk.is_named() && !walk.data.is_empty() {
            ended = false;
            break;
        }
        walk.take(&chunk, at)?;
        if chunk.kind == b"IEND" {
            break;
        }
        at = chunk.end;
    }
    walk.container(ended)
}

/// What the chunks so far have told.
struct Walk<'a> {
    header: Option<Header>,
    colour: ColourChunks<'a>,
    orientation: Option<Orientation>,
    /// Places of compressed rows.
    data: Vec<Range<usize>>,
    /// How many colours the palette has.
    palette: Option<usize>,
    has_key: bool,
    /// Nothing but a header, an sRGB mark, data and an end, all with right checksums.
    plain: bool,
    /// The checksums of all chunks that may not be ignored are right.
    sound: bool,
    kept: Kept,
}

impl Default for Walk<'_> {
    fn default() -> Self {
        Self {
            header: None,
            colour: ColourChunks::default(),
            orientation: None,
            data: Vec::new(),
            palette: None,
            has_key: false,
            plain: true,
            sound: true,
            kept: Kept::default(),
        }
    }
}

impl<'a> Walk<'a> {
    fn take(&mut self, chunk: &Chunk<'a>, at: usize) -> Result<(), ImageError> {
        let &Chunk {
            kind, body, end, ..
        } = chunk;
        self.plain &= chunk.sound;
        self.sound &= chunk.sound || chunk.kind[0] & 0x20 != 0;
        if kind == b"CgBI" {
            return Err(ImageError::VariantUnsupported {
                format: MediaType::Png,
                feature: "Apple's own variant of the format (CgBI), as Xcode packs into an app",
            });
        }
        if self.header.is_none() && kind != b"IHDR" {
            return Err(corrupt("its first chunk is not IHDR"));
        }
        match kind {
            // Bit 5 of the first letter is the standard's mark of a chunk that may be ignored.
            _ if kind[0] & 0x20 != 0 && !chunk.sound => {}
            b"IHDR" if self.header.is_none() => {
                self.header = Some(read_header(body)?);
                self.kept.push(at..end);
            }
            b"IHDR" => return Err(corrupt("it has two IHDR chunks")),
            b"IDAT" => {
                self.data.push(at + 8..at + 8 + body.len());
                self.kept.push(at..end);
            }
            b"PLTE" => self.take_palette(body.len(), at..end)?,
            b"tRNS" => self.take_key(body.len(), at..end),
            b"sRGB" => self.take_srgb(body.len(), at..end),
            b"cICP" => self.colour.cicp = body.try_into().ok(),
            b"iCCP" => self.colour.iccp = self.colour.iccp.or(Some(body)),
            b"gAMA" => self.colour.gamma = u32_be(body, 0),
            b"cHRM" => self.colour.chroma = read_chroma(body),
            b"eXIf" => self.orientation = self.orientation.or_else(|| exif_orientation(body)),
            b"IEND" if !body.is_empty() => return Err(corrupt("its IEND chunk is not empty")),
            b"IEND" => self.kept.push(at..end),
            _ if kind[0] & 0x20 == 0 => return Err(corrupt("it has an unknown critical chunk")),
            _ => {}
        }
        Ok(())
    }

    fn take_palette(&mut self, length: usize, place: Range<usize>) -> Result<(), ImageError> {
        // What is longer than it can be has room for more than the picture.
        if length > 768 {
            return Err(corrupt("its palette is too long"));
        }
        // Where the samples are no indexes, a palette is a hint for old screens.
        if self.palette.is_none() && self.header.as_ref().is_some_and(Header::is_indexed) {
            self.palette = Some(length / 3);
            self.kept.push(place);
        }
        Ok(())
    }

    fn take_key(&mut self, length: usize, place: Range<usize>) {
        let header = self.header.as_ref();
        let fits = header.is_some_and(|one| one.takes(length, self.palette));
        if fits && !self.has_key {
            (self.has_key, self.plain) = (true, false);
            self.kept.push(place);
        }
    }

    fn take_srgb(&mut self, length: usize, place: Range<usize>) {
        if length == 1 && !self.colour.srgb {
            self.plain &= self.data.is_empty();
            self.kept.push(place);
        }
        self.colour.srgb = true;
    }

    fn container(self, ended: bool) -> Result<Container, ImageError> {
        let header = self.header.ok_or_else(|| corrupt("it has no IHDR chunk"))?;
        if self.data.is_empty() {
            return Err(corrupt("it holds no picture data"));
        }
        let samples = if header.colour_type & 2 == 0 {
            Samples::Grey
        } else {
            Samples::Colour
        };
        let plain = self.plain;
        Ok(Container {
            format: MediaType::Png,
            width: header.width,
            height: header.height,
            samples,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            colour: self.colour.tag(samples),
            must_encode: header.bits == 16,
            pixel_bits: header.pixel_bits(),
            unfit: None,
            clean: Clean::Png {
                kept: self.kept.into_ranges(),
                data: Data {
                    chunks: self.data,
                    raw_bytes: header.raw_bytes(),
                    row_bytes: header.plain_row_bytes().filter(|_| plain),
                },
                ended,
                sound: self.sound,
            },
        })
    }
}

impl<'a> Chunk<'a> {
    /// `None` where the file ends before the chunk does.
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        let length = u32_be(bytes, at)? as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        let body = bytes.get(at + 8..)?.get(..length)?;
        let sum = u32_be(bytes, at + 8 + length)?;
        Some(Self {
            kind,
            body,
            end: at + 12 + length,
            sound: sum == crc32fast::hash(&bytes[at + 4..at + 8 + length]),
        })
    }

    /// What has no letters for its name is no chunk.
    fn is_named(&self) -> bool {
        self.kind.iter().all(u8::is_ascii_alphabetic)
    }
}

impl Header {
    fn is_indexed(&self) -> bool {
        self.colour_type == 3
    }

    /// Whether transparency of this length belongs to such samples and a palette of so many colours (section 11.3.1.1).
    /// Some readers ignore what does not, as libpng does, and others do not, so it is left out.
    fn takes(&self, length: usize, palette: Option<usize>) -> bool {
        match self.colour_type {
            0 => length == 2,
            2 => length == 6,
            3 => palette.is_some_and(|colours| (1..=colours).contains(&length)),
            _ => false,
        }
    }

    /// Samples of 16 bits are held as such, then as RGBA of 16 bits, beside which RGBA of 8 bits is made.
    fn pixel_bits(&self) -> u64 {
        match (self.bits, self.colour_type) {
            (16, 2) => 14 * 8,
            (16, _) => 12 * 8,
            _ => LEAST_PIXEL_BITS,
        }
    }

    /// What a row takes, where there is no more to a picture than its rows: 8-bit samples, no palette, one pass.
    fn plain_row_bytes(&self) -> Option<usize> {
        let direct = matches!(self.colour_type, 0 | 2 | 4 | 6);
        let plain = direct && self.bits == 8 && !self.interlaced && self.known_methods;
        let pixels = usize::try_from(self.width).ok()?;
        let row = pixels.checked_mul(self.channels())?.checked_add(1)?;
        (plain && self.width > 0 && self.height > 0).then_some(row)
    }

    fn channels(&self) -> usize {
        match self.colour_type {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        }
    }

    /// How many bytes the rows have before they are compressed, each with its filter (section 7.2 and 8).
    fn raw_bytes(&self) -> u64 {
        let channels = self.channels() as u64;
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
            .fold(0, u64::saturating_add)
    }
}

fn read_header(body: &[u8]) -> Result<Header, ImageError> {
    let (Some(width), Some(height), Some(&[bits, colour_type, compression, filtering, interlace])) =
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
        known_methods: (compression, filtering) == (0, 0) && interlace <= 1,
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
    /// The first in order that tells anything.
    fn tag(&self, samples: Samples) -> ColourTag {
        let by_profile = || self.iccp.and_then(inflated_profile).map(ColourTag::Icc);
        let by_gamma = || {
            let gamma = self.gamma?;
            let chroma = self.chroma;
            Some(ColourTag::Gamma { gamma, chroma })
        };
        (self.cicp.map(ColourTag::Cicp))
            .filter(|tag| tag.is_usable(samples))
            .or_else(|| by_profile().filter(|tag| tag.is_usable(samples)))
            .or_else(|| self.srgb.then_some(ColourTag::Srgb))
            .or_else(by_gamma)
            .unwrap_or(ColourTag::Srgb)
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
    ImageError::corrupt(MediaType::Png, reason)
}
