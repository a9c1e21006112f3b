//! Ready-made layers: an opaque gradient at the bottom, soft-edged discs above it, each on its own
//! part of the canvas. Encoded once per size, count and format, then shared.
//!
//! They do not show the source. Invariant: same request, same bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use image::{Rgba, RgbaImage};

use super::encode::encode;
use crate::shared::lock;

/// Width, height, count, WebP instead of PNG.
type Key = (u32, u32, u8, bool);

/// The files made so far.
#[derive(Default)]
pub(crate) struct SyntheticLayers(Mutex<HashMap<Key, Arc<Vec<Bytes>>>>);

impl SyntheticLayers {
    /// `count` files of this size, bottom first.
    pub(crate) fn files(&self, size: (u32, u32), count: u8, webp: bool) -> Arc<Vec<Bytes>> {
        let key = (size.0, size.1, count, webp);
        // Held while drawing: two requests for the same set should not draw it twice.
        let mut made = lock(&self.0);
        let files = made.entry(key).or_insert_with(|| {
            let draw_one = |index| encode(&draw(size, index, count), webp);
            Arc::new((0..count).map(draw_one).collect())
        });
        Arc::clone(files)
    }
}

/// One layer of a synthetic stack.
fn draw((width, height): (u32, u32), index: u8, count: u8) -> RgbaImage {
    if index == 0 {
        return RgbaImage::from_fn(width, height, |x, y| {
            let down = (y * 160 / height.max(1)) as u8;
            let across = (x * 60 / width.max(1)) as u8;
            Rgba([70 + across, 60 + down, 200 - down, 255])
        });
    }
    let turn = f32::from(index) / f32::from(count.max(2)) * std::f32::consts::TAU;
    let (half_width, half_height) = (width as f32 / 2.0, height as f32 / 2.0);
    let center = (
        half_width * (1.0 + 0.5 * turn.cos()),
        half_height * (1.0 + 0.5 * turn.sin()),
    );
    let radius = half_width.min(half_height) * 0.4;
    let tone = 40 + index.wrapping_mul(61) % 200;
    RgbaImage::from_fn(width, height, |x, y| {
        let distance = (x as f32 - center.0).hypot(y as f32 - center.1);
        let alpha = ((radius - distance) / 6.0).clamp(0.0, 1.0) * 255.0;
        if alpha <= 0.0 {
            Rgba([0, 0, 0, 0])
        } else {
            Rgba([tone, 255 - tone, 128, alpha as u8])
        }
    })
}
