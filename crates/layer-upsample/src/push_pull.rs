//! Smooth filling of holes by a pyramid (push-pull, after Gortler et al., "The Lumigraph", 1996): known values are averaged into
//! ever smaller planes, and holes take theirs from the smallest one that knows any.
//!
//! Never absurd, never sharp. Invariant: what is fully known comes back as it was; where nothing is known, zero.

use super::plane::{Plane, mix};

/// Fills places whose `known`, 0 to 1, is below 1 from those around.
pub(crate) fn fill<const C: usize>(plane: &Plane<C>, known: &Plane<1>) -> Plane<C> {
    let mut filled = plane.clone();
    if plane.w == 1 && plane.h == 1 {
        filled.data[0] = mix([0.0; C], plane.data[0], known.data[0][0].min(1.0));
        return filled;
    }
    if known.data.iter().all(|weight| weight[0] >= 1.0) {
        return filled;
    }
    let (half, half_known) = pull(plane, known);
    let coarse = fill(&half, &half_known);
    for y in 0..plane.h {
        for x in 0..plane.w {
            let [weight] = known.at(x, y);
            if weight < 1.0 {
                let own = &mut filled.data[y * plane.w + x];
                *own = mix(sample(&coarse, x, y), *own, weight);
            }
        }
    }
    filled
}

/// The plane at half size: weighted means of 2 by 2 values, and how well they are known.
fn pull<const C: usize>(plane: &Plane<C>, known: &Plane<1>) -> (Plane<C>, Plane<1>) {
    let (w, h) = (plane.w.div_ceil(2), plane.h.div_ceil(2));
    let mut half = Plane::filled(w, h, [0.0; C]);
    let mut weights = Plane::filled(w, h, [0.0]);
    for y in 0..h {
        for x in 0..w {
            let (mut sum, mut total) = ([0.0_f32; C], 0.0_f32);
            for ny in 2 * y..(2 * y + 2).min(plane.h) {
                for nx in 2 * x..(2 * x + 2).min(plane.w) {
                    let ([weight], value) = (known.at(nx, ny), plane.at(nx, ny));
                    for c in 0..C {
                        sum[c] += value[c] * weight;
                    }
                    total += weight;
                }
            }
            if total > 0.0 {
                half.data[y * w + x] = sum.map(|value| value / total);
                weights.data[y * w + x] = [total.min(1.0)];
            }
        }
    }
    (half, weights)
}

/// The value of the half-size plane under a full-size place, bilinear.
fn sample<const C: usize>(half: &Plane<C>, x: usize, y: usize) -> [f32; C] {
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
    fn a_hole_in_a_flat_plane_takes_its_value_and_of_nothing_comes_zero() {
        let mut plane = Plane::filled(33, 17, [10.0, 20.0]);
        let mut known = Plane::filled(33, 17, [1.0]);
        for y in 3..14 {
            for x in 5..30 {
                plane.data[y * 33 + x] = [255.0; 2];
                known.data[y * 33 + x] = [0.0];
            }
        }
        let filled = fill(&plane, &known);
        let near =
            |value: &[f32; 2]| (value[0] - 10.0).abs() < 0.01 && (value[1] - 20.0).abs() < 0.01;
        assert!(filled.data.iter().all(near));
        let nothing = fill(&plane, &Plane::filled(33, 17, [0.0]));
        assert!(nothing.data.iter().all(|value| *value == [0.0; 2]));
    }
}
