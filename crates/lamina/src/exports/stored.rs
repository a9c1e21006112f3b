//! Layers whose files lie one after the other in one file, as pictures of an export: read at their places when a writer asks, so that
//! nothing of them is kept in memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use image_intake::{LayerRows, Limits, RgbaImage, scale_to};
use layer_formats::{Bounds, Pictures, PngFile, Rows};
use parking_lot::Mutex;

use super::arranged::Scaled;
use super::plan::Plan;
use super::stop::Stop;
use crate::jobs::{Layer, MediaType};

const PIXEL: usize = 4;
/// Of a layer's file, read at once.
const BLOCK: usize = 32 << 10;

/// The layers of a job.
#[derive(Debug)]
pub struct StoredLayers {
    file: Arc<Mutex<File>>,
    layers: Vec<(Layer, Range<u64>)>,
    background: Option<[u8; 3]>,
    scaled: Vec<Scaled>,
    stop: Stop,
}

/// What a layer's file may have. It was checked when it came, by the limits of that time; these only hold it to its row.
pub(super) fn limits(layer: &Layer) -> Limits {
    let pixels = u64::from(layer.width) * u64::from(layer.height);
    Limits {
        max_bytes: u64::MAX,
        max_side: layer.width.max(layer.height),
        // Kinds that take more memory for a pixel are let in up to fewer of them.
        max_pixels: pixels.saturating_mul(16),
        min_side: 1,
    }
}

/// The number of a layer of one colour below all, which no file has.
pub(super) fn background_source(layers: &[Layer]) -> usize {
    layers.len()
}

impl StoredLayers {
    /// Layers and where each one's bytes are in `file`.
    #[must_use]
    pub fn new(file: File, layers: Vec<(Layer, Range<u64>)>, stop: Stop) -> Self {
        Self {
            file: Arc::new(Mutex::new(file)),
            layers,
            background: None,
            scaled: Vec::new(),
            stop,
        }
    }

    /// The same, with what a plan has below them.
    #[must_use]
    pub fn on(self, plan: &Plan) -> Self {
        Self {
            background: plan.background,
            scaled: plan.scaled.clone(),
            ..self
        }
    }

    fn of(&self, source: usize) -> io::Result<&(Layer, Range<u64>)> {
        let found = self.layers.get(source);
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A layer's box, read whole and scaled.
    fn in_another_size(&self, scaled: &Scaled) -> io::Result<Box<dyn Rows + '_>> {
        let bounds = self
            .of(scaled.source)?
            .0
            .bbox
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut pixels = vec![0; bounds.width as usize * bounds.height as usize * PIXEL];
        self.open(scaled.source)?.read(&mut pixels)?;
        let image = RgbaImage::new(bounds.width, bounds.height, pixels);
        let image = image.ok_or(io::ErrorKind::InvalidData)?;
        let image = scale_to(&image, scaled.width, scaled.height);
        Ok(Box::new(Held(io::Cursor::new(image.into_pixels()))))
    }

    fn bytes(&self, place: &Range<u64>) -> Section {
        Section {
            file: Arc::clone(&self.file),
            place: place.clone(),
            at: 0,
        }
    }
}

impl Pictures for StoredLayers {
    fn open(&self, source: usize) -> io::Result<Box<dyn Rows + '_>> {
        if let (Some(colour), true) = (self.background, source == self.layers.len()) {
            return Ok(Box::new(Ground(colour)));
        }
        let behind = source.checked_sub(self.layers.len() + 1);
        if let Some(scaled) = behind.and_then(|place| self.scaled.get(place)) {
            return self.in_another_size(scaled);
        }
        let (layer, place) = self.of(source)?;
        let open = || Ok(BufReader::with_capacity(BLOCK, self.bytes(place)));
        let rows = LayerRows::open(open, &limits(layer))?;
        let (width, height) = rows.size();
        let (Some(bounds), true) = (layer.bbox, (width, height) == (layer.width, layer.height))
        else {
            return Err(io::Error::other("a layer's file is not what its row says"));
        };
        Ok(Box::new(Cropped {
            rows,
            above: bounds.y,
            left: bounds.x as usize * PIXEL,
            row_bytes: bounds.width as usize * PIXEL,
            line: vec![0; width as usize * PIXEL],
            stop: &self.stop,
        }))
    }

    fn file(&self, source: usize) -> io::Result<Option<PngFile>> {
        let Some((layer, place)) = self.layers.get(source) else {
            return Ok(None);
        };
        let (MediaType::Png, Some(bounds)) = (layer.media_type, layer.bbox) else {
            return Ok(None);
        };
        self.stop.check()?;
        let mut bytes = Vec::new();
        self.bytes(place).read_to_end(&mut bytes)?;
        Ok(Some(PngFile {
            bytes,
            bounds: Bounds::new(
                0_i32.saturating_sub_unsigned(bounds.x),
                0_i32.saturating_sub_unsigned(bounds.y),
                layer.width,
                layer.height,
            ),
        }))
    }
}

/// The rows inside a layer's box.
struct Cropped<'a> {
    rows: LayerRows<BufReader<Section>>,
    /// Rows of the canvas before the first.
    above: u32,
    /// Bytes of a row before the first, and how many.
    left: usize,
    row_bytes: usize,
    line: Vec<u8>,
    stop: &'a Stop,
}

impl Rows for Cropped<'_> {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        self.stop.check()?;
        for _ in 0..std::mem::take(&mut self.above) {
            self.rows.read(&mut self.line)?;
        }
        for row in rows.chunks_exact_mut(self.row_bytes) {
            self.rows.read(&mut self.line)?;
            let shown = self.line.get(self.left..self.left + self.row_bytes);
            row.copy_from_slice(shown.ok_or(io::ErrorKind::InvalidData)?);
        }
        Ok(())
    }
}

/// Rows that are in memory.
struct Held(io::Cursor<Vec<u8>>);

impl Rows for Held {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        self.0.read_exact(rows)
    }
}

/// Rows of one colour.
struct Ground([u8; 3]);

impl Rows for Ground {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        let [red, green, blue] = self.0;
        for pixel in rows.as_chunks_mut::<PIXEL>().0 {
            *pixel = [red, green, blue, u8::MAX];
        }
        Ok(())
    }
}

/// A part of a file that others read too.
struct Section {
    file: Arc<Mutex<File>>,
    place: Range<u64>,
    /// From the part's start.
    at: u64,
}

impl Read for Section {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let left = (self.place.end - self.place.start).saturating_sub(self.at);
        let most = to.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut file = self.file.lock();
        file.seek(SeekFrom::Start(self.place.start + self.at))?;
        let count = file.read(&mut to[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let length = self.place.end - self.place.start;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
