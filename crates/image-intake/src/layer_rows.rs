//! A stored layer row by row as its file is read: what is held is a few rows, however large its canvas is.
//!
//! Of PNG in RGBA with 8 bits a sample, as engines make layers. Another kind of file (WebP, interlaced, with a colour profile) is decoded whole,
//! to the very pixels of [`decode_rgba`](super::decode_rgba). For layers that [`inspect_layer`](super::inspect_layer) or
//! [`declared_layer`](super::declared_layer) has taken before, not for strangers' files.

use std::io::{self, BufRead, Read as _, Seek};

use super::decode::decode_rgba;
use super::limits::Limits;

const PIXEL: usize = 4;
/// What the decoder may hold beside its rows.
const DECODER_BYTES: usize = 16 << 20;

/// A layer's rows, from top to bottom.
pub struct LayerRows<R: BufRead + Seek> {
    width: u32,
    height: u32,
    from: From<R>,
}

enum From<R: BufRead + Seek> {
    File(Box<png::Reader<R>>),
    Memory { pixels: Vec<u8>, at: usize },
}

impl<R: BufRead + Seek> LayerRows<R> {
    /// Begins to read. `open` gives the file from its start; it is asked a second time where the file has to be decoded whole.
    ///
    /// # Errors
    /// The file's own; an [`ImageError`](super::ImageError) inside where it is no picture within the limits.
    pub fn open(open: impl Fn() -> io::Result<R>, limits: &Limits) -> io::Result<Self> {
        if let Some(reader) = streamed(open()?, limits) {
            let (width, height) = (reader.info().width, reader.info().height);
            let from = From::File(Box::new(reader));
            return Ok(Self {
                width,
                height,
                from,
            });
        }
        let mut file = Vec::new();
        open()?
            .take(limits.max_bytes.saturating_add(1))
            .read_to_end(&mut file)?;
        let image = decode_rgba(&file, limits).map_err(io::Error::other)?;
        Ok(Self {
            width: image.width(),
            height: image.height(),
            from: From::Memory {
                pixels: image.into_pixels(),
                at: 0,
            },
        })
    }

    /// Of the canvas, in pixels.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Fills `rows` with the next whole rows of straight-alpha RGBA.
    ///
    /// # Errors
    /// The file's own, and one where there are no more rows.
    pub fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        match &mut self.from {
            From::Memory { pixels, at } => {
                let end = *at + rows.len();
                let found = pixels.get(*at..end).ok_or(io::ErrorKind::UnexpectedEof)?;
                rows.copy_from_slice(found);
                *at = end;
            }
            From::File(reader) => {
                for row in rows.chunks_exact_mut(self.width as usize * PIXEL) {
                    reader.read_row(row)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                }
            }
        }
        Ok(())
    }
}

/// A decoder that gives the very bytes of the picture as its rows; none where anything has to be done to them.
pub(super) fn streamed<R: BufRead + Seek>(file: R, limits: &Limits) -> Option<png::Reader<R>> {
    let bytes = png::Limits {
        bytes: DECODER_BYTES,
    };
    let mut decoder = png::Decoder::new_with_limits(file, bytes);
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().ok()?;
    let info = reader.info();
    let is_plain = info.icc_profile.is_none()
        && info.gama_chunk.is_none()
        && info.chrm_chunk.is_none()
        && info.coding_independent_code_points.is_none()
        && info.animation_control.is_none()
        && !info.interlaced;
    let is_small = info.width <= limits.max_side
        && info.height <= limits.max_side
        && u64::from(info.width) * u64::from(info.height) <= limits.max_pixels;
    let kind = reader.output_color_type();
    (is_plain && is_small && kind == (png::ColorType::Rgba, png::BitDepth::Eight)).then_some(reader)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{RgbaImage, encode_layer};
    use super::*;

    fn rows_of(file: &[u8], band: usize) -> Vec<u8> {
        let mut rows = LayerRows::open(|| Ok(Cursor::new(file)), &Limits::default()).unwrap();
        let (width, height) = rows.size();
        let mut all = vec![0; width as usize * height as usize * PIXEL];
        for band in all.chunks_mut(band * width as usize * PIXEL) {
            rows.read(band).unwrap();
        }
        assert!(rows.read(&mut vec![0; width as usize * PIXEL]).is_err());
        all
    }

    #[test]
    fn rows_are_those_of_the_whole_decode_whatever_the_file() {
        let pixels = (0..30 * 20 * 4).map(|at| (at * 7 % 251) as u8).collect();
        let image = RgbaImage::new(30, 20, pixels).unwrap();
        let png = encode_layer(image.clone());
        let mut interlaced_or_grey = Vec::new();
        let mut encoder = png::Encoder::new(&mut interlaced_or_grey, 5, 3);
        encoder.set_color(png::ColorType::GrayscaleAlpha);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&[77; 30])
            .unwrap();
        let mut gamma = Vec::new();
        let mut encoder = png::Encoder::new(&mut gamma, 2, 1);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_source_gamma(png::ScaledFloat::new(1.0));
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&[9, 90, 200, 255, 1, 2, 3, 4])
            .unwrap();
        let mut webp = Cursor::new(Vec::new());
        image::RgbaImage::from_raw(30, 20, image.into_pixels())
            .unwrap()
            .write_to(&mut webp, image::ImageFormat::WebP)
            .unwrap();
        for file in [png, interlaced_or_grey, gamma, webp.into_inner()] {
            let expected = decode_rgba(&file, &Limits::default()).unwrap();
            for band in [1, 7, 64] {
                assert!(rows_of(&file, band) == expected.pixels());
            }
        }
    }

    #[test]
    fn what_is_no_picture_or_cut_is_an_error_and_no_panic() {
        let image = RgbaImage::new(30, 20, vec![9; 2400]).unwrap();
        let file = encode_layer(image);
        for end in [0, 8, 20, 40, file.len() / 2] {
            let cut = &file[..end];
            let opened = LayerRows::open(|| Ok(Cursor::new(cut)), &Limits::default());
            let read = opened.and_then(|mut rows| rows.read(&mut vec![0; 2400]));
            assert!(read.is_err(), "{end} bytes");
        }
    }
}
