//! The structure of a JPEG (ITU-T T.81 Annex B; Exif; ICC.1 Annex B.4; Adobe TN 5116).
//!
//! `walk` reads the markers alone and is cheap. `Jpeg::cleaned` then follows every code of every scan: a file is whole
//! when all its blocks are there, however it ends, and cut when one is missing, whatever marker follows. What comes out
//! holds a plain JFIF header, Adobe's colour marker, the tables that a scan uses, the scans up to their last byte, and an
//! end marker; previews, gain maps, the film behind a motion photo and everything else is left out.

mod frame;
mod huffman;
mod scan;
mod tables;
mod typical;
mod whole;
mod work;

use std::ops::Range;

use image::metadata::Orientation;

use super::{Clean, Container, LEAST_PIXEL_BITS, Samples, exif_orientation, u16_be};
use crate::error::ImageError;
use crate::media_type::MediaType;
use crate::profile::{ColourTag, MAX_PROFILE_BYTES};
use frame::Frame;
use scan::Scan;
use tables::Tables;
use work::Work;

const TRUNCATED: ImageError = ImageError::Truncated {
    format: MediaType::Jpeg,
};

/// What [`Jpeg::cleaned`] goes through, in the order of the file.
#[derive(Debug)]
enum Step {
    Huffman(Tables),
    Quantisation(Tables),
    RestartInterval(u16, Range<usize>),
    Frame(Range<usize>),
    /// Header with its marker; the data begins where it ends.
    Scan(Scan, Range<usize>),
}

/// The markers of one file.
#[derive(Debug)]
pub(crate) struct Jpeg {
    frame: Frame,
    steps: Vec<Step>,
    /// JFIF's and Adobe's segment, as far as there are any, without thumbnails.
    header: Vec<u8>,
    /// What is wrong behind the first scan; it matters if a block is missing.
    trouble: Option<ImageError>,
}

#[derive(Default)]
struct Walk {
    frame: Option<Frame>,
    steps: Vec<Step>,
    work: Work,
    scan_bytes: usize,
    jfif: Option<Vec<u8>>,
    adobe: Option<Vec<u8>>,
    orientation: Option<Orientation>,
    icc: Vec<(u8, Range<usize>)>,
}

pub(super) fn walk(bytes: &[u8]) -> Result<Container, ImageError> {
    let mut walk = Walk::default();
    let trouble = match walk.markers(bytes) {
        Ok(()) => None,
        // Behind the first scan anything may follow a picture that is whole.
        Err(error) if walk.work.scans > 0 => Some(error),
        Err(error) => return Err(error),
    };
    walk.finish(bytes, trouble)
}

/// The next marker at or after `at`: where its 0xFF stands, and its code.
fn next_marker(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    let mut start = at + memchr::memchr(0xFF, bytes.get(at..)?)?;
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
    /// Up to the end marker, which is the only end without an error.
    fn markers(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        let mut at = 2;
        loop {
            let (start, marker) = next_marker(bytes, at).ok_or(TRUNCATED)?;
            match marker {
                0xD9 => return Ok(()),
                // A second picture begins; the first one should have ended.
                0xD8 if self.work.scans > 0 => return Err(TRUNCATED),
                // Stuffing, fill, restart and a repeated start outside a scan carry nothing.
                0x00 | 0x01 | 0xD0..=0xD8 => at = start + 2,
                _ => {
                    let length = usize::from(u16_be(bytes, start + 2).ok_or(TRUNCATED)?);
                    if length < 2 {
                        return Err(corrupt("a segment has an impossible length"));
                    }
                    let body = start + 4..start + 2 + length;
                    bytes.get(body.clone()).ok_or(TRUNCATED)?;
                    at = self.segment(bytes, marker, start, body)?;
                }
            }
        }
    }

    /// Takes one segment and answers where to go on.
    fn segment(
        &mut self,
        bytes: &[u8],
        marker: u8,
        start: usize,
        range: Range<usize>,
    ) -> Result<usize, ImageError> {
        let (whole, end) = (start..range.end, range.end);
        let body = &bytes[range.clone()];
        match marker {
            0xC0..=0xC2 if self.frame.is_some() => return Err(corrupt("it declares two frames")),
            0xC0..=0xC2 => {
                self.frame = Some(Frame::read(marker, body)?);
                self.steps.push(Step::Frame(whole));
            }
            0xC3 | 0xC5..=0xC7 => return Err(unsupported("lossless or hierarchical coding")),
            0xC9..=0xCF => return Err(unsupported("arithmetic coding")),
            0xF7 if self.frame.is_none() => return Err(unsupported("lossless coding (JPEG-LS)")),
            0xC4 => {
                let tables = Tables::huffman(bytes, range)?;
                self.work.tables(tables.parts.len())?;
                self.steps.push(Step::Huffman(tables));
            }
            0xDB => {
                let tables = Tables::quantisation(bytes, range)?;
                self.work.tables(tables.parts.len())?;
                self.steps.push(Step::Quantisation(tables));
            }
            0xDD => {
                self.work.tables(1)?;
                let interval = body
                    .try_into()
                    .map_err(|_| corrupt("its restart interval has an impossible length"))?;
                let interval = u16::from_be_bytes(interval);
                self.steps.push(Step::RestartInterval(interval, whole));
            }
            0xDA => return self.scan(bytes, whole, body),
            0xE0 if self.work.scans == 0 && body.starts_with(b"JFIF\0") && body.len() >= 14 => {
                // Without the thumbnail, whose sides are the last two bytes.
                self.jfif = Some([&body[..12], &[0, 0]].concat());
            }
            0xE1 if body.starts_with(b"Exif\0\0") => {
                self.orientation = self.orientation.or_else(|| exif_orientation(body));
            }
            0xE2 if body.starts_with(b"ICC_PROFILE\0") && body.len() > 14 => {
                self.icc.push((body[12], start + 18..end));
            }
            0xEE if self.work.scans == 0 && body.starts_with(b"Adobe") && body.len() >= 12 => {
                self.adobe = Some(body[..12].to_vec());
            }
            _ => {}
        }
        Ok(end)
    }

    fn scan(
        &mut self,
        bytes: &[u8],
        header: Range<usize>,
        body: &[u8],
    ) -> Result<usize, ImageError> {
        let Some(frame) = &self.frame else {
            return Err(corrupt("a scan begins before the frame is declared"));
        };
        let Some(scan) = Scan::read(body, frame) else {
            return Err(corrupt("a scan of it declares what cannot be"));
        };
        self.work.scan(&scan, frame)?;
        let data = header.end;
        let end = scan_end(bytes, data);
        self.scan_bytes += end.unwrap_or(bytes.len()) - data;
        self.steps.push(Step::Scan(scan, header));
        end.ok_or(TRUNCATED)
    }

    fn finish(self, bytes: &[u8], trouble: Option<ImageError>) -> Result<Container, ImageError> {
        let Some(frame) = self.frame else {
            return Err(corrupt("it declares no frame"));
        };
        if self.work.scans == 0 {
            return Err(corrupt("it holds no picture data"));
        }
        // No Huffman code is shorter than a bit, and a block has one for its mean and, unless the file is progressive,
        // one for its end; so less data than this cannot be the whole picture, and nothing is allocated for it.
        let bits_a_block = if frame.progressive { 1 } else { 2 };
        let is_short = self.scan_bytes * 8 < frame.blocks() * bits_a_block;
        let unfit = match &trouble {
            Some(error @ ImageError::TooComplex { .. }) => Some(error.clone()),
            _ => is_short.then_some(TRUNCATED),
        };
        let samples = match frame.components.len() {
            1 => Samples::Grey,
            4 => Samples::Cmyk,
            _ => Samples::Colour,
        };
        let transform = self.adobe.as_ref().map(|adobe| adobe[11]);
        let must_encode = match samples {
            Samples::Grey => false,
            Samples::Cmyk => true,
            Samples::Colour => !is_plainly_ycc(self.jfif.is_some(), transform, &frame),
        };
        Ok(Container {
            format: MediaType::Jpeg,
            width: frame.width,
            height: frame.height,
            samples,
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            colour: assembled_profile(bytes, self.icc),
            must_encode,
            pixel_bits: if frame.progressive || self.work.scans > 1 {
                frame.pixel_bits_of_scans()
            } else {
                LEAST_PIXEL_BITS
            },
            unfit,
            clean: Clean::Jpeg(Box::new(Jpeg {
                frame,
                steps: self.steps,
                header: header(self.jfif.as_deref(), self.adobe.as_deref()),
                trouble,
            })),
        })
    }
}

/// Whether every reader takes three components for YCbCr. Where readers differ, as on RGB or on headers that contradict
/// each other, the picture is stored encoded anew, in the colours that libjpeg sees.
fn is_plainly_ycc(has_jfif: bool, adobe_transform: Option<u8>, frame: &Frame) -> bool {
    match (has_jfif, adobe_transform) {
        (_, Some(transform)) => transform == 1,
        (true, None) => true,
        (false, None) => frame.components.iter().map(|one| one.id).eq([1, 2, 3]),
    }
}

fn header(jfif: Option<&[u8]>, adobe: Option<&[u8]>) -> Vec<u8> {
    let mut header = Vec::new();
    for (marker, body) in [(0xE0, jfif), (0xEE, adobe)] {
        if let Some(body) = body {
            header.extend_from_slice(&segment(marker, body));
        }
    }
    header
}

/// A segment with its marker and length. Bodies are parts of segments that were read, so their length fits.
fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2)
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    [&[0xFF, marker], length.as_slice(), body].concat()
}

/// Joins the numbered pieces of an ICC profile; a set with a gap counts as no profile.
fn assembled_profile(bytes: &[u8], mut pieces: Vec<(u8, Range<usize>)>) -> ColourTag {
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
    ImageError::corrupt(MediaType::Jpeg, reason)
}

fn unsupported(feature: &'static str) -> ImageError {
    ImageError::VariantUnsupported {
        format: MediaType::Jpeg,
        feature,
    }
}
