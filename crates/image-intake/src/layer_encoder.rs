//! A layer to PNG as its rows come: what is held is its file and a few rows, however large its canvas is.
//!
//! What it writes shows the very pixels of [`encode_layer`](super::encode_layer): the colours of edges go on in windows that
//! overlap as far as a colour goes.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use png::{BitDepth, ColorType, Compression, Encoder, StreamWriter};

use super::bleed::{REACH, bleed};
use super::encode::IDAT_BYTES;
use super::error::ImageError;
use super::layer::{BoundingBox, LayerMeasures, Seen};
use super::media_type::MediaType;
use super::rgba::RgbaImage;

/// Rows that are worked on at once.
const STRIP: usize = 64;
const PIXEL: usize = 4;

/// Writes one layer; see [`Self::rows`].
///
/// ```
/// use image_intake::{BoundingBox, LayerEncoder, Limits, decode_rgba};
///
/// let place = BoundingBox { x: 1, y: 2, width: 2, height: 1 };
/// let mut encoder = LayerEncoder::new(4, 4, place)?;
/// encoder.rows(&[9, 9, 9, 255, 8, 8, 8, 128])?;
/// let (file, measures) = encoder.finish()?;
/// assert_eq!(measures.bbox, Some(place));
/// let canvas = decode_rgba(&file, &Limits::default())?;
/// assert_eq!((canvas.width(), canvas.height()), (4, 4));
/// assert_eq!(canvas.pixels()[(2 * 4 + 2) * 4..][..4], [8, 8, 8, 128]);
/// # Ok::<(), image_intake::ImageError>(())
/// ```
pub struct LayerEncoder {
    stream: StreamWriter<'static, Shared>,
    file: Shared,
    canvas: (usize, usize),
    place: BoundingBox,
    /// Columns of the canvas that are not blank.
    columns: std::ops::Range<usize>,
    /// Rows that came and are still needed, as wide as `columns`; the first is row `first` of the canvas.
    window: Vec<u8>,
    first: usize,
    /// The next row of the canvas to be written.
    next: usize,
    seen: Seen,
}

/// The file, which the stream writer does not give back.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn take(&self) -> Vec<u8> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *file)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl LayerEncoder {
    /// Begins a layer that lies at `place` on a transparent canvas of `width` by `height` pixels.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where the place is not on the canvas.
    pub fn new(width: u32, height: u32, place: BoundingBox) -> Result<Self, ImageError> {
        let ends = |from: u32, length: u32, all: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= all)
        };
        if !ends(place.x, place.width, width) || !ends(place.y, place.height, height) {
            return Err(ImageError::Internal);
        }
        let file = Shared::default();
        let mut encoder = Encoder::new(file.clone(), width, height);
        encoder.set_color(ColorType::Rgba);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let writer = encoder.write_header().map_err(internal)?;
        let stream = writer.into_stream_writer_with_size(IDAT_BYTES);
        let reach = REACH as usize;
        let (left, top) = (place.x as usize, place.y as usize);
        let columns =
            left.saturating_sub(reach)..(left + place.width as usize + reach).min(width as usize);
        let first = top.saturating_sub(reach);
        let mut encoder = Self {
            stream: stream.map_err(internal)?,
            file,
            canvas: (width as usize, height as usize),
            place,
            window: vec![0; (top - first) * columns.len() * PIXEL],
            columns,
            first,
            next: 0,
            seen: Seen::of(width, height),
        };
        encoder.seen.skip(place.y);
        encoder.blank(first)?;
        Ok(encoder)
    }

    /// The next rows of the place: whole rows of straight-alpha RGBA, 8 bits a sample, from top to bottom.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where they are no whole rows.
    pub fn rows(&mut self, rows: &[u8]) -> Result<(), ImageError> {
        let row_bytes = self.place.width as usize * PIXEL;
        if !rows.len().is_multiple_of(row_bytes) {
            return Err(ImageError::Internal);
        }
        let before = (self.place.x as usize - self.columns.start) * PIXEL;
        for row in rows.chunks_exact(row_bytes) {
            self.seen.row(self.place.x, row);
            let begins = self.window.len();
            self.window.resize(begins + before, 0);
            self.window.extend_from_slice(row);
            self.window.resize(begins + self.columns.len() * PIXEL, 0);
            if self.came() >= self.next + STRIP + REACH as usize {
                self.write(STRIP)?;
            }
        }
        Ok(())
    }

    /// The file, and what [`inspect_layer`](super::inspect_layer) says of it.
    ///
    /// # Errors
    /// [`ImageError::Internal`] where rows of the place are missing, or too many came.
    pub fn finish(mut self) -> Result<(Vec<u8>, LayerMeasures), ImageError> {
        let ends = self.place.y as usize + self.place.height as usize;
        if self.came() != ends {
            return Err(ImageError::Internal);
        }
        let last = (ends + REACH as usize).min(self.canvas.1);
        self.window
            .resize((last - self.first) * self.columns.len() * PIXEL, 0);
        while self.next < last {
            self.write(STRIP.min(last - self.next))?;
        }
        self.blank(self.canvas.1 - last)?;
        self.stream.finish().map_err(internal)?;
        self.seen.skip((self.canvas.1 - ends) as u32);
        let measures = self.seen.measures(MediaType::Png);
        let measures = measures.ok_or(ImageError::Internal)?;
        Ok((self.file.take(), measures))
    }

    /// How many rows of the canvas there were so far.
    fn came(&self) -> usize {
        self.first + self.window.len() / (self.columns.len() * PIXEL)
    }

    fn blank(&mut self, rows: usize) -> Result<(), ImageError> {
        let row = vec![0; self.canvas.0 * PIXEL];
        for _ in 0..rows {
            self.stream
                .write_all(&row)
                .map_err(|_| ImageError::Internal)?;
        }
        self.next += rows;
        Ok(())
    }

    /// Writes so many rows of the window, and forgets those that no later row needs.
    fn write(&mut self, rows: usize) -> Result<(), ImageError> {
        let (width, reach) = (self.columns.len(), REACH as usize);
        let row_bytes = width * PIXEL;
        let until = (self.next + rows + reach).min(self.came());
        let seen = self.window[..(until - self.first) * row_bytes].to_vec();
        let size = (width as u32, (until - self.first) as u32);
        let mut seen = RgbaImage::new(size.0, size.1, seen).ok_or(ImageError::Internal)?;
        bleed(&mut seen);
        let mut row = vec![0; self.canvas.0 * PIXEL];
        let from = self.next - self.first;
        for shown in seen.pixels().chunks_exact(row_bytes).skip(from).take(rows) {
            row[self.columns.start * PIXEL..self.columns.end * PIXEL].copy_from_slice(shown);
            self.stream
                .write_all(&row)
                .map_err(|_| ImageError::Internal)?;
        }
        self.next += rows;
        let kept_from = self.next.saturating_sub(reach).max(self.first);
        self.window.drain(..(kept_from - self.first) * row_bytes);
        self.first = kept_from;
        Ok(())
    }
}

fn internal(_: png::EncodingError) -> ImageError {
    ImageError::Internal
}
