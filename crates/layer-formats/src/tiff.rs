//! TIFF 6.0 with a page for each layer, as GIMP, ImageMagick and Hugin exchange them: trimmed RGBA with straight alpha, each page with its place.
//!
//! The format has neither opacity nor groups nor modes: opacities are in the alpha, groups are gone, layers that are not drawn are left out, and
//! modes are lost. What lies outside the canvas is cut off, since places are not negative. A page's tags follow its pixels, so that nothing is
//! written twice.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::composite::{PIXEL, band_rows, whole_layer};
use super::error::ExportError;
use super::flat::{Drawn, drawn};
use super::name::shown;
use super::pictures::Pictures;
use super::stack::{Bounds, Stack};

const HEAD_BYTES: u64 = 8;
/// Places and resolutions are fractions of this.
const FRACTION: u32 = 1_000;

/// Types of values (section 2 of TIFF 6.0).
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// Writes the stack. Each page is held deflated while it is written.
///
/// ```
/// use layer_formats::{Bounds, Layer, Node, Stack, tiff};
///
/// let stack = Stack {
///     width: 4,
///     height: 2,
///     pixels_per_inch: 72.0,
///     title: "A dot".into(),
///     recipe: None,
///     nodes: vec![Node::Layer(Layer::new(0, "Dot", Bounds::new(1, 0, 1, 1)))],
/// };
/// let mut file = Vec::new();
/// tiff::write(&stack, &vec![vec![200, 0, 0, 255]], &mut file)?;
/// assert_eq!(&file[..4], b"II*\0");
/// # Ok::<(), layer_formats::ExportError>(())
/// ```
///
/// # Errors
/// Those of [`Stack::check`]; [`ExportError::Io`], also for a file above 4 GB.
pub fn write(
    stack: &Stack,
    pictures: &dyn Pictures,
    out: &mut dyn Write,
) -> Result<(), ExportError> {
    stack.check()?;
    let layers = drawn(stack);
    let page = |number: usize| {
        layers
            .get(number)
            .map_or_else(Page::clear, |layer| Page::of(layer, pictures))
    };
    // A file has at least one page.
    let count = layers.len().max(1);
    let (mut page_now, mut at) = (page(0)?, HEAD_BYTES);
    out.write_all(b"II*\0")?;
    out.write_all(&offset(at + page_now.bytes())?)?;
    for number in 0..count {
        for strip in &page_now.strips {
            out.write_all(strip)?;
        }
        if page_now.length() % 2 == 1 {
            out.write_all(&[0])?;
        }
        let tags = Tags::of(stack, &page_now, at, (number, count))?;
        at += page_now.bytes() + tags.length();
        // Where the next page's tags are is known once it is deflated, which is when this one's pixels have gone.
        let mut next = 0;
        page_now.strips.clear();
        if number + 1 < count {
            page_now = page(number + 1)?;
            next = at + page_now.bytes();
        }
        out.write_all(&tags.written(next)?)?;
    }
    Ok(())
}

/// Places in the file have 32 bits.
fn offset(at: u64) -> io::Result<[u8; 4]> {
    let at = u32::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
    Ok(at.to_le_bytes())
}

/// A layer, deflated in strips of some rows.
struct Page {
    name: String,
    /// Inside the canvas.
    bounds: Bounds,
    strips: Vec<Vec<u8>>,
}

impl Page {
    fn of(drawn: &Drawn<'_>, pictures: &dyn Pictures) -> io::Result<Self> {
        let (layer, bounds) = (drawn.layer, drawn.inside);
        let left = (bounds.x - layer.bounds.x) as usize * PIXEL;
        let row_bytes = bounds.width as usize * PIXEL;
        let strip_bytes = band_rows(bounds.width) * row_bytes;
        let (mut strips, mut strip) = (Vec::new(), Vec::with_capacity(strip_bytes));
        let mut y = layer.bounds.y;
        whole_layer(layer, pictures, &mut |band| {
            for row in band.chunks_exact(layer.bounds.width as usize * PIXEL) {
                if (bounds.y..bounds.bottom()).contains(&y) {
                    let start = strip.len();
                    strip.extend_from_slice(&row[left..left + row_bytes]);
                    prepare(&mut strip[start..], drawn.opacity);
                }
                y += 1;
                if strip.len() == strip_bytes {
                    strips.push(deflated(&strip)?);
                    strip.clear();
                }
            }
            Ok(())
        })?;
        if !strip.is_empty() {
            strips.push(deflated(&strip)?);
        }
        Ok(Self {
            name: shown(&layer.name, &format!("Layer {}", drawn.place + 1)),
            bounds,
            strips,
        })
    }

    /// One clear pixel.
    fn clear() -> io::Result<Self> {
        Ok(Self {
            name: shown("", "Layer 1"),
            bounds: Bounds::new(0, 0, 1, 1),
            strips: vec![deflated(&[0; PIXEL])?],
        })
    }

    fn length(&self) -> u64 {
        self.strips.iter().map(|strip| strip.len() as u64).sum()
    }

    /// In the file; what follows begins at an even place.
    fn bytes(&self) -> u64 {
        self.length().next_multiple_of(2)
    }
}

/// A row under the opacity, each sample as its difference from the pixel before (section 14).
fn prepare(row: &mut [u8], opacity: u8) {
    let mut before = [0; PIXEL];
    for pixel in row.as_chunks_mut::<PIXEL>().0 {
        if opacity < u8::MAX {
            pixel[3] = ((u32::from(pixel[3]) * u32::from(opacity) + 127) / 255) as u8;
        }
        let own = if pixel[3] == 0 { [0; PIXEL] } else { *pixel };
        *pixel = std::array::from_fn(|place| own[place].wrapping_sub(before[place]));
        before = own;
    }
}

fn deflated(strip: &[u8]) -> io::Result<Vec<u8>> {
    let mut zip = ZlibEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(strip)?;
    zip.finish()
}

/// A page's tags (its image file directory), and the values that are too long for it, which follow.
struct Tags {
    entries: Vec<(u16, u16, u32, Vec<u8>)>,
    /// In the file.
    at: u64,
}

impl Tags {
    /// `at` is where the page's pixels begin.
    fn of(
        stack: &Stack,
        page: &Page,
        at: u64,
        (number, count): (usize, usize),
    ) -> io::Result<Self> {
        let mut tags = Self {
            entries: Vec::new(),
            at: at + page.bytes(),
        };
        let (mut offsets, mut lengths, mut strip_at) = (Vec::new(), Vec::new(), at);
        for strip in &page.strips {
            offsets.extend(offset(strip_at)?);
            lengths.extend((strip.len() as u32).to_le_bytes());
            strip_at += strip.len() as u64;
        }
        let bounds = page.bounds;
        let rows = band_rows(bounds.width).min(bounds.height as usize) as u32;
        let resolution = (stack.pixels_per_inch * f64::from(FRACTION)).round() as u32;
        let place = |pixels: i32| (pixels.unsigned_abs() * FRACTION, resolution);
        let numbers = [number, count].map(|number| number.min(usize::from(u16::MAX)) as u16);
        let mut name = page.name.clone().into_bytes();
        name.push(0);

        // One page of several; their order is the tags' own.
        tags.longs(254, &[2]);
        tags.longs(256, &[bounds.width]);
        tags.longs(257, &[bounds.height]);
        tags.shorts(258, &[8; PIXEL]);
        // Deflate, RGB.
        tags.shorts(259, &[8]);
        tags.shorts(262, &[2]);
        tags.add(273, LONG, page.strips.len(), offsets);
        tags.shorts(277, &[PIXEL as u16]);
        tags.longs(278, &[rows]);
        tags.add(279, LONG, page.strips.len(), lengths);
        tags.rational(282, (resolution, FRACTION));
        tags.rational(283, (resolution, FRACTION));
        // Samples side by side.
        tags.shorts(284, &[1]);
        tags.add(285, ASCII, name.len(), name);
        // In inches from the canvas's corner.
        tags.rational(286, place(bounds.x));
        tags.rational(287, place(bounds.y));
        tags.shorts(296, &[2]);
        tags.shorts(297, &numbers);
        // Differences along the row; straight alpha.
        tags.shorts(317, &[2]);
        tags.shorts(338, &[2]);
        // The canvas's size, by Pixar's tags, which ImageMagick and Hugin go by.
        tags.longs(33_300, &[stack.width]);
        tags.longs(33_301, &[stack.height]);
        Ok(tags)
    }

    fn shorts(&mut self, tag: u16, values: &[u16]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.add(tag, SHORT, values.len(), bytes.collect());
    }

    fn longs(&mut self, tag: u16, values: &[u32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.add(tag, LONG, values.len(), bytes.collect());
    }

    fn rational(&mut self, tag: u16, (above, below): (u32, u32)) {
        let bytes = [above.to_le_bytes(), below.to_le_bytes()].concat();
        self.add(tag, RATIONAL, 1, bytes);
    }

    fn add(&mut self, tag: u16, kind: u16, count: usize, value: Vec<u8>) {
        self.entries.push((tag, kind, count as u32, value));
    }

    /// Of the tags alone.
    fn table(&self) -> u64 {
        2 + self.entries.len() as u64 * 12 + 4
    }

    fn length(&self) -> u64 {
        let long = self.entries.iter().map(|(.., value)| value.len() as u64);
        let long = long.filter(|length| *length > 4);
        self.table() + long.map(|length| length.next_multiple_of(2)).sum::<u64>()
    }

    /// As bytes; `next` is where the next page's tags are, 0 behind the last.
    fn written(&self, next: u64) -> io::Result<Vec<u8>> {
        let mut table = (self.entries.len() as u16).to_le_bytes().to_vec();
        let mut long = Vec::new();
        for (tag, kind, count, value) in &self.entries {
            table.extend(tag.to_le_bytes());
            table.extend(kind.to_le_bytes());
            table.extend(count.to_le_bytes());
            if value.len() <= 4 {
                let mut short = [0; 4];
                short[..value.len()].copy_from_slice(value);
                table.extend(short);
                continue;
            }
            table.extend(offset(self.at + self.table() + long.len() as u64)?);
            long.extend(value);
            if value.len() % 2 == 1 {
                long.push(0);
            }
        }
        table.extend(offset(next)?);
        table.extend(long);
        Ok(table)
    }
}
