//! One row of a layer, taken off the row of the picture.
//!
//! Coverage and colours wanted come from the cuts, enlarged; where an edge is enlarged, coverage is
//! solved anew from the colours at both sides. Invariant: a row depends on no other row, so rows
//! may be worked on in any order and at once.

use super::pixel::{self, Below, EDGE_GIVES, FAINT, SHADED_GIVES};
use super::tap::{Tap, bilinear};
use crate::plane::{Gray, Rect};
use crate::scene::{Cut, Edge, Scene};
use crate::{LayerKind, guided, matte};

/// What the rows of all layers have in common.
pub(super) struct Peeling<'a> {
    pub(super) scene: &'a Scene,
    /// Where the cuts lie at full size.
    pub(super) places: Vec<Rect>,
    /// How opaque the background is, where it is not.
    pub(super) ground: Option<&'a Gray>,
}

impl Peeling<'_> {
    /// Takes the cut of this index off row `y` of the picture, off which all above it were taken: `own` is the row of its
    /// place, all zero. Whether anything of it is seen.
    pub(super) fn row(&self, index: usize, y: usize, own: &mut [u8], picture: &mut [u8]) -> bool {
        let (scene, place) = (self.scene, self.places[index]);
        let v = Tap::of(y, scene.work.h, scene.size.1);
        let crosses = |lower: &usize| {
            let other = self.places[*lower];
            (other.y..other.y + other.h).contains(&y)
        };
        let lower: Vec<usize> = (0..index).filter(crosses).collect();
        let cut = &scene.cuts[index];
        let unmixes = scene.size.0 > scene.work.w && matches!(cut.edge, Edge::Unmix);
        let gives = match cut.kind {
            LayerKind::Shadow => SHADED_GIVES,
            _ => EDGE_GIVES,
        };
        let picture = picture[place.x * 4..(place.x + place.w) * 4]
            .as_chunks_mut::<4>()
            .0;
        let mut is_seen = false;
        for ((x, own), picture) in (place.x..).zip(own.as_chunks_mut::<4>().0).zip(picture) {
            let u = Tap::of(x, scene.work.w, scene.size.0);
            let (mut alpha, paint) = want(cut, *picture, u, v);
            if alpha <= 0.0 {
                continue;
            }
            let below = self.below(&lower, x, *picture, u, v);
            if unmixes && alpha < 1.0 {
                alpha = pixel::unmix(*picture, paint, below.colour).unwrap_or(alpha);
            }
            (*own, *picture) = pixel::take_off(*picture, alpha, paint, below, gives);
            is_seen |= own[3] > 0;
        }
        is_seen
    }

    /// What the model expects at a pixel below a cut: the background, and over it what is `lower` in this row.
    fn below(&self, lower: &[usize], x: usize, picture: [u8; 4], u: Tap, v: Tap) -> Below {
        let mut below = Below {
            colour: bilinear(&self.scene.rest, u, v),
            opacity: self.ground.map_or(1.0, |ground| bilinear(ground, u, v)),
        };
        for index in lower {
            let place = self.places[*index];
            if (place.x..place.x + place.w).contains(&x) {
                let (alpha, paint) = want(&self.scene.cuts[*index], picture, u, v);
                below = below.under(alpha, paint);
            }
        }
        below
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
