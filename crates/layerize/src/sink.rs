//! Where a stack goes as it is made: one layer after the other, in rows, so that no more than the picture itself and
//! a few rows are in memory. Nothing here says what becomes of them.

use crate::plane::Rect;
use crate::scene::Cut;
use crate::{Layer, LayerKind, RgbaImage};

/// What is known of a layer before its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerInfo {
    /// What it shows.
    pub kind: LayerKind,
    /// A short name for people, as in [`Layer::name`].
    pub name: String,
    /// The words of a text, as in [`Layer::text`].
    pub text: Option<String>,
    /// How sure the engine is of these words, 0.0 to 1.0.
    pub text_confidence: Option<f32>,
    /// How sure the engine is of this cut, 0.0 to 1.0.
    pub confidence: f32,
    /// Left edge on the canvas, in pixels.
    pub x: u32,
    /// Top edge on the canvas, in pixels.
    pub y: u32,
    /// Pixels across; what lies outside the rectangle is transparent.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// Takes a stack, the **top layer first**, the background last. Each layer is begun, given in rows from top to bottom, and
/// ended.
pub trait LayerSink {
    /// Most pixels that all layers above the background may have together, each being as large as the rectangle it
    /// occupies; beyond that neighbours merge. By default there is no such limit: a sink that writes rows away needs none.
    fn most_pixels(&self) -> Option<usize> {
        None
    }

    /// A layer begins.
    fn begin(&mut self, layer: LayerInfo);

    /// Its next rows: whole rows of its rectangle, straight-alpha RGBA, 8 bits a sample.
    fn rows(&mut self, rows: &[u8]);

    /// It is whole. One of which nothing is `seen` is none: it is to be forgotten.
    fn end(&mut self, seen: bool);

    /// The last layer, as a picture of its own: by default given in rows like any other.
    fn background(&mut self, layer: LayerInfo, picture: RgbaImage) {
        let row_bytes = (picture.width as usize * 4).max(1);
        self.begin(layer);
        for rows in picture.pixels.chunks(row_bytes * ROWS) {
            self.rows(rows);
        }
        self.end(true);
    }
}

/// Rows of a background that are given at once.
const ROWS: usize = 64;

impl LayerInfo {
    pub(crate) fn of(cut: &Cut, place: Rect) -> Self {
        let name = if cut.name.is_empty() {
            cut.kind.to_string()
        } else {
            cut.name.clone()
        };
        Self {
            kind: cut.kind,
            name,
            text: cut.words.as_ref().map(|words| words.text.clone()),
            text_confidence: cut.words.as_ref().map(|words| words.sure),
            confidence: cut.confidence,
            x: place.x as u32,
            y: place.y as u32,
            width: place.w as u32,
            height: place.h as u32,
        }
    }

    pub(crate) fn of_background(picture: &RgbaImage) -> Self {
        Self {
            kind: LayerKind::Background,
            name: LayerKind::Background.to_string(),
            text: None,
            text_confidence: None,
            confidence: 1.0,
            x: 0,
            y: 0,
            width: picture.width,
            height: picture.height,
        }
    }

    fn with(self, image: RgbaImage) -> Layer {
        Layer {
            kind: self.kind,
            name: self.name,
            text: self.text,
            text_confidence: self.text_confidence,
            confidence: self.confidence,
            x: self.x,
            y: self.y,
            image,
        }
    }
}

/// Pixels of the layers that are kept, each as large as the rectangle it occupies: 144 MB.
const KEPT: usize = 36_000_000;

/// Keeps every layer whole, trimmed to what can be seen of it.
#[derive(Default)]
pub(crate) struct Kept {
    /// The top one first.
    layers: Vec<Layer>,
    open: Option<(LayerInfo, Vec<u8>)>,
}

impl Kept {
    /// The layers, bottom first.
    pub(crate) fn stack(mut self) -> Vec<Layer> {
        self.layers.reverse();
        self.layers
    }
}

impl LayerSink for Kept {
    fn most_pixels(&self) -> Option<usize> {
        Some(KEPT)
    }

    fn begin(&mut self, layer: LayerInfo) {
        let bytes = layer.width as usize * layer.height as usize * 4;
        self.open = Some((layer, Vec::with_capacity(bytes)));
    }

    fn rows(&mut self, rows: &[u8]) {
        if let Some((_, pixels)) = &mut self.open {
            pixels.extend_from_slice(rows);
        }
    }

    fn end(&mut self, seen: bool) {
        let open = self.open.take().filter(|_| seen);
        let whole = open.map(|(info, pixels)| {
            let image = RgbaImage {
                width: info.width,
                height: info.height,
                pixels,
            };
            info.with(image)
        });
        self.layers.extend(whole.and_then(trimmed));
    }

    fn background(&mut self, layer: LayerInfo, picture: RgbaImage) {
        self.layers.push(layer.with(picture));
    }
}

/// A layer cut down in place to what can be seen of it; nothing if nothing can.
fn trimmed(mut layer: Layer) -> Option<Layer> {
    let image = &mut layer.image;
    let row_bytes = image.width as usize * 4;
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in image.pixels.chunks_exact(row_bytes).enumerate() {
        let seen = |p: &[u8]| p[3] > 0;
        if let Some(first) = row.chunks_exact(4).position(seen) {
            let last = row.chunks_exact(4).rposition(seen).unwrap_or(first);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
    }
    if top == usize::MAX {
        return None;
    }
    let (w, h) = (right - left + 1, bottom - top + 1);
    // Rows move towards the begin, so none is overwritten before it was read.
    for row in 0..h {
        let from = (top + row) * row_bytes + left * 4;
        image.pixels.copy_within(from..from + w * 4, row * w * 4);
    }
    image.pixels.truncate(w * h * 4);
    image.pixels.shrink_to_fit();
    (image.width, image.height) = (w as u32, h as u32);
    layer.x += left as u32;
    layer.y += top as u32;
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> LayerInfo {
        let canvas = RgbaImage::transparent(7, 8);
        LayerInfo {
            x: 5,
            y: 6,
            ..LayerInfo::of_background(&canvas)
        }
    }

    #[test]
    fn a_layer_is_cut_down_to_what_can_be_seen_and_keeps_it() {
        let mut image = RgbaImage::transparent(7, 8);
        let seen = [(2, 1, 11), (4, 3, 12), (3, 5, 13)];
        for (x, y, value) in seen {
            image.pixels[(y * 7 + x) * 4..][..4].copy_from_slice(&[value, 0, 0, 255]);
        }
        let mut kept = Kept::default();
        kept.begin(info());
        for rows in image.pixels.chunks(3 * 7 * 4) {
            kept.rows(rows);
        }
        kept.end(true);
        for seen in [true, false] {
            kept.begin(info());
            kept.rows(&RgbaImage::transparent(7, 8).pixels);
            kept.end(seen);
        }
        let [layer] = kept
            .stack()
            .try_into()
            .expect("one of which something is seen");
        assert_eq!((layer.x, layer.y), (7, 7));
        assert_eq!((layer.image.width, layer.image.height), (3, 5));
        assert_eq!(layer.image.pixels.len(), 3 * 5 * 4);
        for (x, y, value) in seen {
            let pixel = layer.image.pixel(x as u32 - 2, y as u32 - 1);
            assert_eq!(pixel, [value, 0, 0, 255]);
        }
    }

    #[test]
    fn a_background_is_given_in_rows_where_nobody_wants_it_whole() {
        struct Rows(Vec<u8>, Vec<bool>);
        impl LayerSink for Rows {
            fn begin(&mut self, _: LayerInfo) {}
            fn rows(&mut self, rows: &[u8]) {
                self.0.extend_from_slice(rows);
            }
            fn end(&mut self, seen: bool) {
                self.1.push(seen);
            }
        }
        let pixels: Vec<u8> = (0..3 * 200 * 4).map(|at| (at % 251) as u8).collect();
        let picture = RgbaImage {
            width: 3,
            height: 200,
            pixels,
        };
        let mut rows = Rows(Vec::new(), Vec::new());
        rows.background(LayerInfo::of_background(&picture), picture.clone());
        assert_eq!((rows.0, rows.1), (picture.pixels, vec![true]));
    }
}
