//! Where a cut lies at full size, and its layer cut down to what can be seen.
//!
//! Invariant: a place is never smaller than the cut it was made for, and lies on the canvas.

use crate::context::Context;
use crate::scene::{Cut, Scene};
use crate::{Error, Layer, RgbaImage};

/// Bytes of a layer between two looks at the stop flag.
const LOOK: usize = 16 << 20;

/// The rectangle of a cut at full size.
pub(super) struct Place {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) w: usize,
    pub(super) h: usize,
}

impl Place {
    pub(super) fn of(cut: &Cut, scene: &Scene) -> Self {
        let span = |from: usize, length: usize, small: usize, full: usize| {
            let start = from * full / small;
            (
                start,
                ((from + length) * full).div_ceil(small).min(full) - start,
            )
        };
        let (x, w) = span(cut.rect.x, cut.rect.w, scene.work.w, scene.size.0);
        let (y, h) = span(cut.rect.y, cut.rect.h, scene.work.h, scene.size.1);
        Self { x, y, w, h }
    }
}

/// The layer of a cut, cut down in place to what can be seen of it; nothing if nothing can.
pub(super) fn trimmed(
    cut: &Cut,
    place: &Place,
    mut image: RgbaImage,
    ctx: &Context<'_>,
) -> Result<Option<Layer>, Error> {
    let row_bytes = image.width as usize * 4;
    let rows_a_look = (LOOK / row_bytes).max(1);
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for (y, row) in image.pixels.chunks_exact(row_bytes).enumerate() {
        if y % rows_a_look == 0 {
            ctx.check()?;
        }
        let seen = |p: &[u8]| p[3] > 0;
        if let Some(first) = row.chunks_exact(4).position(seen) {
            let last = row.chunks_exact(4).rposition(seen).unwrap_or(first);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
    }
    if top == usize::MAX {
        return Ok(None);
    }
    let (w, h) = (right - left + 1, bottom - top + 1);
    // Rows move towards the begin, so none is overwritten before it was read.
    for row in 0..h {
        if row % rows_a_look == 0 {
            ctx.check()?;
        }
        let from = (top + row) * row_bytes + left * 4;
        image.pixels.copy_within(from..from + w * 4, row * w * 4);
    }
    image.pixels.truncate(w * h * 4);
    image.pixels.shrink_to_fit();
    Ok(Some(Layer {
        kind: cut.kind,
        name: cut.name.clone(),
        text: cut.words.as_ref().map(|words| words.text.clone()),
        text_confidence: cut.words.as_ref().map(|words| words.sure),
        confidence: cut.confidence,
        x: (place.x + left) as u32,
        y: (place.y + top) as u32,
        image: RgbaImage {
            width: w as u32,
            height: h as u32,
            pixels: image.pixels,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::{Plane, Rect};
    use crate::scene::Edge;
    use crate::{Cancel, LayerKind, Options};

    #[test]
    fn a_layer_is_cut_down_to_what_can_be_seen_and_keeps_it() {
        let rect = Rect {
            x: 5,
            y: 6,
            w: 7,
            h: 8,
        };
        let cut = Cut {
            kind: LayerKind::Shape,
            confidence: 1.0,
            name: String::new(),
            words: None,
            rect,
            alpha: Plane::filled(7, 8, 1.0),
            paint: Plane::filled(7, 8, [0.0; 3]),
            edge: Edge::Soft,
        };
        let place = Place {
            x: 5,
            y: 6,
            w: 7,
            h: 8,
        };
        let mut image = RgbaImage::transparent(7, 8);
        let seen = [(2, 1, 11), (4, 3, 12), (3, 5, 13)];
        for (x, y, value) in seen {
            image.pixels[(y * 7 + x) * 4..][..4].copy_from_slice(&[value, 0, 0, 255]);
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let layer = trimmed(&cut, &place, image, &ctx)
            .expect("not cancelled")
            .expect("something is seen");
        assert_eq!((layer.x, layer.y), (7, 7));
        assert_eq!((layer.image.width, layer.image.height), (3, 5));
        assert_eq!(layer.image.pixels.len(), 3 * 5 * 4);
        for (x, y, value) in seen {
            let pixel = layer.image.pixel(x as u32 - 2, y as u32 - 1);
            assert_eq!(pixel, [value, 0, 0, 255]);
        }
        let gone = RgbaImage::transparent(7, 8);
        let layer = trimmed(&cut, &place, gone, &ctx).expect("not cancelled");
        assert!(layer.is_none());
    }
}
