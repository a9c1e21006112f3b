//! Means over square windows, cut off at the edges.
//!
//! Running sums, so the radius costs nothing. Invariant: a flat plane stays flat.

use crate::plane::{Gray, Plane, Rgb, Sample};

/// The mean over the window of `2 * radius + 1` pixels a side.
pub(crate) fn box_blur<T: Sample>(plane: &Plane<T>, radius: usize) -> Plane<T> {
    let (w, h) = (plane.w, plane.h);
    let mut wide = Vec::with_capacity(w * h);
    for row in plane.data.chunks_exact(w) {
        let mut sum = row[..(radius + 1).min(w)]
            .iter()
            .fold(T::ZERO, |sum, &v| sum.add(v, 1.0));
        let mut count = (radius + 1).min(w);
        for x in 0..w {
            wide.push(T::ZERO.add(sum, 1.0 / count as f32));
            if x + radius + 1 < w {
                sum = sum.add(row[x + radius + 1], 1.0);
                count += 1;
            }
            if x >= radius {
                sum = sum.add(row[x - radius], -1.0);
                count -= 1;
            }
        }
    }
    let mut sums = vec![T::ZERO; w];
    let mut count = (radius + 1).min(h);
    for row in wide.chunks_exact(w).take(count) {
        accumulate(&mut sums, row, 1.0);
    }
    let mut data = Vec::with_capacity(w * h);
    for y in 0..h {
        let share = 1.0 / count as f32;
        data.extend(sums.iter().map(|&sum| T::ZERO.add(sum, share)));
        if y + radius + 1 < h {
            accumulate(&mut sums, &wide[(y + radius + 1) * w..][..w], 1.0);
            count += 1;
        }
        if y >= radius {
            accumulate(&mut sums, &wide[(y - radius) * w..][..w], -1.0);
            count -= 1;
        }
    }
    Plane { w, h, data }
}

fn accumulate<T: Sample>(sums: &mut [T], row: &[T], weight: f32) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum = sum.add(value, weight);
    }
}

/// The mean about each place of what has a weight; black where nothing near has any.
pub(crate) fn weighted_mean(picture: &Rgb, weight: &Gray, radius: usize) -> Rgb {
    let each = picture.data.iter().zip(&weight.data);
    let weighted = Plane {
        w: picture.w,
        h: picture.h,
        data: each.map(|(colour, w)| colour.map(|v| v * w)).collect(),
    };
    let (mut sums, shares) = (box_blur(&weighted, radius), box_blur(weight, radius));
    for (sum, share) in sums.data.iter_mut().zip(&shares.data) {
        *sum = sum.map(|v| v / share.max(1e-3));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_larger_than_the_plane_gives_the_mean_of_what_is_there() {
        let plane = Plane {
            w: 3,
            h: 1,
            data: vec![0.0_f32, 3.0, 6.0],
        };
        let blurred = box_blur(&plane, 9);
        assert!(blurred.data.iter().all(|value| (value - 3.0).abs() < 1e-5));
        let near = box_blur(&plane, 1);
        assert!((near.data[0] - 1.5).abs() < 1e-5 && (near.data[1] - 3.0).abs() < 1e-5);
    }
}
