//! What makes a source right beside its likeness to what is already there: its surroundings have the
//! colour that the smooth fill has here, and it lies near, above all at the same height, since horizons,
//! floors and skies run across.
//!
//! Invariant: the same for a picture at any size, in squared levels.

use crate::box_blur::{box_blur, weighted_mean};
use crate::plane::{Gray, Rgb, distance2};

/// Radius of the surroundings, as a share of the longer side.
const AROUND: f32 = 0.03;
/// What a squared level of their colour counts.
const COLOUR: f32 = 0.5;
/// What the squared distance counts, in heights of the picture.
const UP: f32 = 30_000.0;
const ACROSS: f32 = 3_000.0;

/// What is wanted where, at one size of the picture.
pub(super) struct Guide {
    /// Colour of what is known about each place.
    offered: Rgb,
    /// Colour of the smooth fill about each place.
    wanted: Rgb,
    side: f32,
}

impl Guide {
    /// For `smooth`, the picture where `known` is 1 and its smooth fill elsewhere.
    pub(super) fn of(smooth: &Rgb, known: &Gray) -> Self {
        let (w, h) = (smooth.w, smooth.h);
        let radius = ((w.max(h) as f32 * AROUND) as usize).max(1);
        Self {
            offered: weighted_mean(smooth, known, radius),
            wanted: box_blur(smooth, radius),
            side: h as f32,
        }
    }

    /// What a source costs at a place beside its own likeness, a pixel of the patch.
    pub(super) fn off(&self, at: usize, source: usize) -> f32 {
        let w = self.wanted.w;
        let up = ((at / w) as f32 - (source / w) as f32) / self.side;
        let across = ((at % w) as f32 - (source % w) as f32) / self.side;
        let colour = distance2(self.wanted.data[at], self.offered.data[source]);
        COLOUR * colour + UP * up * up + ACROSS * across * across
    }
}
