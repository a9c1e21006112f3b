//! What a file declares about itself, read without decoding a pixel.
//!
//! One walker per format follows the marker, chunk or block structure from the first byte to the
//! format's own end: it finds a file that was cut, the sizes that limits are checked against, the
//! orientation and the colour tag, and which bytes make up the picture alone. It never inflates
//! and never reads past a declared length; its memory is bounded by the file's own size.
//!
//! Invariant: [`Container::clean`] yields a file of the same format that holds the picture and
//! nothing else (no metadata, no second frame, nothing behind the end), byte for byte from the
//! input where bytes were kept.

pub(super) mod gif;
pub(super) mod jpeg;
pub(super) mod png;
mod rows;
pub(super) mod webp;

use std::ops::Range;

use bytes::Bytes;
use image::metadata::Orientation;

use super::error::ImageError;
use super::media_type::MediaType;
use super::profile::ColourTag;
use super::sniff;
use rows::{Data, Ending};

/// Four bytes of RGBA, and three beside them: samples before they are widened, or what is encoded anew, which noise keeps as
/// large.
pub(super) const LEAST_PIXEL_BITS: u64 = 7 * 8;

/// What kind of samples the file stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Grey,
    /// RGB, YCbCr or a palette of RGB.
    Colour,
    /// CMYK or YCCK.
    Cmyk,
}

/// Which bytes make up the picture alone.
#[derive(Debug)]
pub(super) enum Clean {
    /// The first frame of a GIF, on a screen that holds it.
    Gif(gif::Frame),
    /// These chunks of a RIFF file, whose length and flags have to follow.
    Riff(Vec<Range<usize>>),
    /// Ranges of a PNG, and its compressed data.
    Png {
        kept: Vec<Range<usize>>,
        data: Data,
        /// Its IEND is among the kept.
        ended: bool,
        /// The checksums of all chunks that may not be ignored are right.
        sound: bool,
    },
    /// What is left when every code was followed.
    Jpeg(Box<jpeg::Jpeg>),
}

/// A file with the picture alone.
pub(super) struct Cleaned {
    pub(super) bytes: Bytes,
    /// It has room for bytes that no decoder reads, so its pixels have to be encoded anew.
    pub(super) loose: bool,
}

/// One walked file.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) format: MediaType,
    /// Stored size in pixels, before orientation; not yet checked against limits.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) samples: Samples,
    pub(super) orientation: Orientation,
    pub(super) colour: ColourTag,
    /// The picture cannot be stored as it is: too deep, not RGB, animated or a GIF.
    pub(super) must_encode: bool,
    /// Bits that decoding to RGBA, or encoding that anew, holds for each pixel, rounded up.
    pub(super) pixel_bits: u64,
    /// Why it is refused if its size is not: the data is less than the smallest picture of this size takes, or far more work.
    pub(super) unfit: Option<ImageError>,
    pub(super) clean: Clean,
}

impl Container {
    /// Walks the file that `bytes` are.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        match sniff::sniff(bytes) {
            Some(MediaType::Jpeg) => jpeg::walk(bytes),
            Some(MediaType::Png) => png::walk(bytes),
            Some(MediaType::WebP) => webp::walk(bytes),
            Some(MediaType::Gif) => gif::walk(bytes),
            None => Err(sniff::refusal(bytes)),
        }
    }

    /// The file with the picture alone; the same buffer when nothing had to go.
    ///
    /// # Errors
    /// [`ImageError::Truncated`] and [`ImageError::Corrupt`] for a JPEG that lacks a block, [`ImageError::Truncated`] for a
    /// PNG without an end that lacks a row.
    pub(super) fn clean(&self, given: &Bytes) -> Result<Cleaned, ImageError> {
        let mut loose = false;
        // Nothing has to go, so no copy is made to find that out.
        if let Clean::Png {
            kept, ended: true, ..
        } = &self.clean
            && matches!(&**kept, [all] if all.len() == given.len())
        {
            return Ok(Cleaned {
                bytes: given.clone(),
                loose,
            });
        }
        let file = match &self.clean {
            Clean::Riff(chunks) => webp::rebuilt(given, chunks),
            Clean::Jpeg(jpeg) => {
                let cleaned = jpeg.cleaned(given)?;
                loose = cleaned.loose;
                cleaned.file
            }
            Clean::Png {
                kept, ended: true, ..
            } => joined(given, kept),
            Clean::Png { .. } if self.data_ending(given) == Some(Ending::Short) => {
                return Err(png::TRUNCATED);
            }
            Clean::Png { kept, .. } => [&joined(given, kept), png::IEND].concat(),
            Clean::Gif(frame) => frame.alone(given),
        };
        let bytes = if file == *given {
            given.clone()
        } else {
            file.into()
        };
        Ok(Cleaned { bytes, loose })
    }

    /// What a PNG's compressed data shows when it is inflated, at the cost of that; a decoder decides about the others.
    pub(super) fn rows(&self, given: &[u8]) -> Rows {
        let Clean::Png { data, .. } = &self.clean else {
            return Rows::Unproven;
        };
        match data.is_proven(given) {
            (Ending::Tight, true) => Rows::Proven,
            (Ending::Tight, false) => Rows::Unproven,
            (Ending::Loose | Ending::Short, _) => Rows::Loose,
        }
    }

    /// What the rows of a PNG take before they are compressed, where those may show that it decodes.
    pub(super) fn plain_raw_bytes(&self) -> Option<u64> {
        match &self.clean {
            Clean::Png { data, .. } => data.row_bytes.map(|_| data.raw_bytes),
            Clean::Riff(_) | Clean::Jpeg(_) | Clean::Gif(_) => None,
        }
    }

    /// Whether it is a PNG with 8-bit RGBA and nothing else to it.
    pub(super) fn has_plain_alpha(&self) -> bool {
        let rgba = u64::from(self.width) * 4 + 1;
        match &self.clean {
            Clean::Png { data, .. } => data.row_bytes.is_some_and(|row| row as u64 == rgba),
            Clean::Riff(_) | Clean::Jpeg(_) | Clean::Gif(_) => false,
        }
    }

    /// Whether nothing of a PNG contradicts its checksums, up to its end. Other formats have none.
    pub(super) fn is_sound(&self) -> bool {
        match &self.clean {
            Clean::Png { ended, sound, .. } => *ended && *sound,
            Clean::Riff(_) | Clean::Jpeg(_) | Clean::Gif(_) => true,
        }
    }

    fn data_ending(&self, file: &[u8]) -> Option<Ending> {
        match &self.clean {
            Clean::Png { data, .. } => Some(data.ending(file)),
            Clean::Riff(_) | Clean::Jpeg(_) | Clean::Gif(_) => None,
        }
    }
}

/// What can be said of a picture without a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// It decodes, and has nothing but its rows.
    Proven,
    /// Nothing.
    Unproven,
    /// Other readers may refuse its compressed data, or that goes on behind its last row.
    Loose,
}

fn joined(given: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let mut file = Vec::with_capacity(ranges.iter().map(ExactSizeIterator::len).sum());
    for range in ranges {
        file.extend_from_slice(&given[range.clone()]);
    }
    file
}

/// Ranges of the input that are kept, merged as they come.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<Range<usize>>);

impl Kept {
    pub(super) fn push(&mut self, range: Range<usize>) {
        match self.0.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.0.push(range),
        }
    }

    pub(super) fn into_ranges(self) -> Vec<Range<usize>> {
        self.0
    }
}

/// Reads big-endian numbers and slices; `None` at the end of the file.
pub(super) fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(field.try_into().ok()?))
}

pub(super) fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(field.try_into().ok()?))
}

pub(super) fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16_be(bytes, at)?.swap_bytes())
}

pub(super) fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32_be(bytes, at)?.swap_bytes())
}

/// The orientation that an Exif block asks for. A block that is damaged asks for none.
///
/// Starts at the TIFF header (Exif 3.0, section 4.5); tag 0x0112.
pub(super) fn exif_orientation(exif: &[u8]) -> Option<Orientation> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(tiff)
}
