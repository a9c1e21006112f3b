//! Smooth filling of holes by a pyramid (push-pull, after Gortler et al., "The Lumigraph", 1996):
//! known colours are averaged into ever smaller pictures, and holes take their colour from the
//! smallest one that knows any.
//!
//! Never absurd, never sharp. Invariant: fully known pixels are returned as they were.

use crate::plane::{Gray, Plane, Rgb, mix};

/// Fills places where `known` is below 1 from those around; all zero gives mid grey.
pub(crate) fn fill(picture: &Rgb, known: &Gray) -> Rgb {
    let (w, h) = (picture.w, picture.h);
    if w == 1 && h == 1 {
        let t = known.data[0].min(1.0);
        return picture.map(|colour| mix([128.0; 3], colour, t));
    }
    let (half, half_known) = pull(picture, known);
    if known.data.iter().all(|&weight| weight >= 1.0) {
        return picture.clone();
    }
    let coarse = fill(&half, &half_known);
    let mut filled = picture.clone();
    let rows = filled.data.chunks_exact_mut(w);
    for (y, (row, known)) in rows.zip(known.data.chunks_exact(w)).enumerate() {
        for (x, (pixel, &weight)) in row.iter_mut().zip(known).enumerate() {
            if weight < 1.0 {
                *pixel = mix(sample(&coarse, x, y), *pixel, weight);
            }
        }
    }
    filled
}

/// The picture at half size: weighted means of 2 by 2 pixels, and how well they are known.
fn pull(picture: &Rgb, known: &Gray) -> (Rgb, Gray) {
    let (w, h) = (picture.w.div_ceil(2), picture.h.div_ceil(2));
    let mut half = Plane::filled(w, h, [0.0; 3]);
    let mut weights = Plane::filled(w, h, 0.0);
    let wide = picture.w;
    let pairs = picture.data.chunks(2 * wide);
    for (y, (colours, known)) in pairs.zip(known.data.chunks(2 * wide)).enumerate() {
        for x in 0..w {
            let (mut sum, mut total) = ([0.0_f32; 3], 0.0_f32);
            let mut add = |at: usize| {
                let weight = known[at];
                for c in 0..3 {
                    sum[c] += colours[at][c] * weight;
                }
                total += weight;
            };
            for row in (0..colours.len()).step_by(wide) {
                add(row + 2 * x);
                if 2 * x + 1 < wide {
                    add(row + 2 * x + 1);
                }
            }
            if total > 0.0 {
                half.data[y * w + x] = sum.map(|value| value / total);
                weights.data[y * w + x] = total.min(1.0);
            }
        }
    }
    (half, weights)
}

/// The colour of the half-size picture under a full-size pixel, bilinear.
fn sample(half: &Rgb, x: usize, y: usize) -> [f32; 3] {
    let neighbour = |at: usize, limit: usize| {
        let near = at / 2;
        let far = if at.is_multiple_of(2) {
            near.saturating_sub(1)
        } else {
            (near + 1).min(limit - 1)
        };
        (near, far)
    };
    let ((near_x, far_x), (near_y, far_y)) = (neighbour(x, half.w), neighbour(y, half.h));
    let near = mix(half.at(near_x, near_y), half.at(far_x, near_y), 0.25);
    let far = mix(half.at(near_x, far_y), half.at(far_x, far_y), 0.25);
    mix(near, far, 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_a_flat_picture_takes_its_colour() {
        let mut picture = Plane::filled(33, 17, [10.0, 20.0, 30.0]);
        let mut known = Plane::filled(33, 17, 1.0);
        for y in 3..14 {
            for x in 5..30 {
                picture.set(x, y, [255.0; 3]);
                known.set(x, y, 0.0);
            }
        }
        let filled = fill(&picture, &known);
        assert!(
            filled
                .data
                .iter()
                .all(|c| crate::plane::max_difference(*c, [10.0, 20.0, 30.0]) < 0.01)
        );
    }
}
