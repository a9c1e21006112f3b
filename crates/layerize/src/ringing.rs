//! How much JPEG compression left beside strong edges: ringing, which near them looks like faint things.
//!
//! Nothing is filtered here. Invariant: 0 for drawings that were never compressed with losses, whatever their colours
//! and gradients.

use crate::plane::{Rgb, max_difference};

/// Step between neighbours, in levels, that is a strong edge.
const STRONG: f32 = 60.0;
/// From which to which distance of such an edge is looked: nearer it is the edge itself, farther another block.
const NEAR: std::ops::Range<usize> = 2..7;
/// Step, in levels, that is no ringing but drawn.
const DRAWN: f32 = 24.0;
/// Rows between two that are looked at.
const ROWS: usize = 4;
/// Fewest places that say anything.
const PLACES: usize = 200;
/// Level below which it is rounding, or a gradient.
const LEAST: f32 = 1.5;

/// Typical step between neighbours in calm places beside strong edges, in levels.
pub(crate) fn ringing(picture: &Rgb) -> f32 {
    let (w, h) = (picture.w, picture.h);
    let mut seen = Vec::new();
    for y in (0..h).step_by(ROWS) {
        let mut last = None;
        for x in 1..w {
            let step = max_difference(picture.at(x, y), picture.at(x - 1, y));
            if step >= STRONG {
                last = Some(x);
            } else if last.is_some_and(|last| NEAR.contains(&(x - last))) && step < DRAWN {
                seen.push(step);
            }
        }
    }
    if seen.len() < PLACES {
        return 0.0;
    }
    let rank = seen.len() * 8 / 10;
    let (_, level, _) = seen.select_nth_unstable_by(rank, f32::total_cmp);
    if *level < LEAST { 0.0 } else { *level }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Plane;

    #[test]
    fn stripes_ring_only_where_something_was_left_beside_them() {
        let (w, h) = (400, 64);
        for (off, rings) in [(0.0, false), (9.0, true)] {
            let mut picture = Plane::filled(w, h, [0.0; 3]);
            for y in 0..h {
                for x in 0..w {
                    let dark = x % 40 < 8;
                    let wave = if !dark && x % 40 < 16 && x % 2 == 0 {
                        off
                    } else {
                        0.0
                    };
                    let level = if dark { 20.0 } else { 200.0 + x as f32 / 20.0 };
                    picture.set(x, y, [level - wave; 3]);
                }
            }
            let level = ringing(&picture);
            assert_eq!(level > 0.0, rings, "{level}");
        }
    }
}
