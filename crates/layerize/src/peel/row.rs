//! One row of the canvas, with the row of every layer that crosses it.
//!
//! Coverage and colours wanted come from the cuts, enlarged; where an edge is enlarged, coverage is
//! solved anew from the colours at both sides. Invariant: a row depends on no other row, so rows
//! may be worked on in any order and at once.

use super::pixel::{self, Below, FAINT};
use super::place::Place;
use super::tap::{Tap, bilinear};
use crate::plane::Gray;
use crate::scene::{Cut, Edge, Scene};
use crate::{guided, matte};

/// One row of the canvas and of every layer that crosses it, bottom first.
pub(super) struct Row<'a> {
    pub(super) y: usize,
    pub(super) bottom: &'a mut [u8],
    pub(super) layers: Vec<(usize, &'a mut [u8])>,
}

impl Row<'_> {
    /// Takes the layers off `bottom`. `ground` is how opaque the background is, where it is not.
    pub(super) fn run(&mut self, scene: &Scene, places: &[Place], ground: Option<&Gray>) {
        if self.layers.is_empty() {
            return;
        }
        let (full_w, full_h) = scene.size;
        let v = Tap::of(self.y, scene.work.h, full_h);
        let spans = self.layers.iter().map(|(index, _)| &places[*index]);
        let left = spans.clone().map(|place| place.x).min().unwrap_or(0);
        let right = spans.map(|place| place.x + place.w).max().unwrap_or(0);
        let enlarged = full_w > scene.work.w;
        let mut below: Vec<Below> = Vec::with_capacity(self.layers.len());
        let mut wanted: Vec<(f32, [f32; 3])> = Vec::with_capacity(self.layers.len());
        for x in left..right {
            let u = Tap::of(x, scene.work.w, full_w);
            let bytes = &mut self.bottom[x * 4..x * 4 + 4];
            let mut picture = [bytes[0], bytes[1], bytes[2], bytes[3]];
            let mut model = Below {
                colour: bilinear(&scene.rest, u, v),
                opacity: ground.map_or(1.0, |ground| bilinear(ground, u, v)),
            };
            below.clear();
            wanted.clear();
            for (index, _) in &self.layers {
                let place = &places[*index];
                below.push(model);
                if x < place.x || x >= place.x + place.w {
                    wanted.push((0.0, model.colour));
                    continue;
                }
                let (alpha, paint) = want(&scene.cuts[*index], picture, u, v);
                wanted.push((alpha, paint));
                model = model.under(alpha, paint);
            }
            for (slot, (index, row)) in self.layers.iter_mut().enumerate().rev() {
                let (mut alpha, paint) = wanted[slot];
                if alpha <= 0.0 {
                    continue;
                }
                if enlarged && alpha < 1.0 && matches!(scene.cuts[*index].edge, Edge::Unmix) {
                    alpha = pixel::unmix(picture, paint, below[slot].colour).unwrap_or(alpha);
                }
                let (top, under) = pixel::take_off(picture, alpha, paint, below[slot]);
                let at = (x - places[*index].x) * 4;
                row[at..at + 4].copy_from_slice(&top);
                picture = under;
            }
            bytes.copy_from_slice(&picture);
        }
    }
}

/// Coverage and colour a cut wants at a full-size pixel.
fn want(cut: &Cut, picture: [u8; 4], u: Tap, v: Tap) -> (f32, [f32; 3]) {
    let (u, v) = (
        u.inside(cut.rect.x, cut.rect.w),
        v.inside(cut.rect.y, cut.rect.h),
    );
    let rough = bilinear(&cut.alpha, u, v);
    let alpha = match &cut.edge {
        Edge::Guided(slope, offset) if u.share + v.share > 0.0 && rough > 0.0 && rough < 1.0 => {
            let colour = [
                f32::from(picture[0]),
                f32::from(picture[1]),
                f32::from(picture[2]),
            ];
            let sharp = guided::evaluate(bilinear(slope, u, v), bilinear(offset, u, v), colour);
            matte::contrast(sharp)
        }
        _ => rough,
    };
    if alpha * 255.0 < FAINT as f32 {
        (0.0, [0.0; 3])
    } else {
        (alpha, bilinear(&cut.paint, u, v))
    }
}
