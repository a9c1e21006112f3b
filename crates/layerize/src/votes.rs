//! Which colours near a place belong to the thing, and which to what is around it.
//!
//! Every labelled pixel votes in a coarse grid of place and colour (a bilateral grid, Chen, Paris
//! and Durand 2007); the grid is smoothed, and every pixel reads the votes at its own place and
//! colour. Colours far away in the picture hardly count. Invariant: a place whose colour was seen
//! nowhere near gets no votes, rather than a guess.

use crate::plane::{Gray, Plane, Rgb, lightness};

/// Cells along the longer side of the picture.
const PLACES: f32 = 16.0 / 3.0;
/// Levels of lightness, and of either colour difference, that one cell holds.
const LEVELS: [f32; 3] = [16.0, 8.0, 8.0];
/// Gaussian weights by distance in cells, for places (deviation 1.5) and colours (deviation 1).
const NEAR: [f32; 5] = [0.268, 0.214, 0.110, 0.036, 0.008];
const ALIKE: [f32; 4] = [0.399, 0.242, 0.054, 0.0044];

/// The cell of every pixel and the extent of the grid: x, y, lightness, two colour differences.
pub(crate) struct Votes {
    cells: Vec<usize>,
    extent: [usize; 5],
    w: usize,
    h: usize,
}

impl Votes {
    pub(crate) fn new(picture: &Rgb) -> Self {
        let (w, h) = (picture.w, picture.h);
        let step = w.max(h) as f32 / PLACES;
        let keys: Vec<[usize; 5]> = picture
            .data
            .iter()
            .enumerate()
            .map(|(at, &[r, g, b])| {
                let light = lightness([r, g, b]);
                let colour = [
                    light,
                    (b - light) * 0.56 + 128.0,
                    (r - light) * 0.71 + 128.0,
                ];
                let cell = |value: f32, size: f32| (value.max(0.0) / size).round() as usize;
                [
                    cell((at % w) as f32, step),
                    cell((at / w) as f32, step),
                    cell(colour[0], LEVELS[0]),
                    cell(colour[1], LEVELS[1]),
                    cell(colour[2], LEVELS[2]),
                ]
            })
            .collect();
        let mut low = [usize::MAX; 5];
        let mut high = [0; 5];
        for key in &keys {
            for axis in 0..5 {
                low[axis] = low[axis].min(key[axis]);
                high[axis] = high[axis].max(key[axis]);
            }
        }
        let extent: [usize; 5] = std::array::from_fn(|axis| high[axis] - low[axis] + 1);
        let cells = keys
            .iter()
            .map(|key| (0..5).fold(0, |at, axis| at * extent[axis] + key[axis] - low[axis]))
            .collect();
        Self {
            cells,
            extent,
            w,
            h,
        }
    }

    /// How many of the pixels where `inside` holds are near each pixel in place and colour.
    pub(crate) fn count(&self, inside: impl Fn(usize) -> bool) -> Gray {
        let mut grid = vec![0.0_f32; self.extent.iter().product()];
        for (at, &cell) in self.cells.iter().enumerate() {
            if inside(at) {
                grid[cell] += 1.0;
            }
        }
        let mut stride = 1;
        for axis in (0..5).rev() {
            let weights: &[f32] = if axis < 2 { &NEAR } else { &ALIKE };
            grid = blurred(&grid, stride, self.extent[axis], weights);
            stride *= self.extent[axis];
        }
        Plane {
            w: self.w,
            h: self.h,
            data: self.cells.iter().map(|&cell| grid[cell]).collect(),
        }
    }
}

/// The grid smoothed along the axis whose neighbours are `stride` apart and which is `length` long.
fn blurred(grid: &[f32], stride: usize, length: usize, weights: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; grid.len()];
    for (to, from) in out
        .chunks_exact_mut(stride * length)
        .zip(grid.chunks_exact(stride * length))
    {
        for place in 0..length {
            let row = &mut to[place * stride..][..stride];
            let first = place.saturating_sub(weights.len() - 1);
            let last = (place + weights.len() - 1).min(length - 1);
            for other in first..=last {
                let weight = weights[other.abs_diff(place)];
                for (sum, &value) in row.iter_mut().zip(&from[other * stride..][..stride]) {
                    *sum += weight * value;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_counted_where_it_is_near_and_alike_only() {
        let (w, h) = (160, 40);
        let mut picture = Plane::filled(w, h, [200.0, 40.0, 30.0]);
        for y in 0..h {
            for x in 0..40 {
                picture.set(x, y, [20.0, 60.0, 190.0]);
            }
        }
        let seen = Votes::new(&picture).count(|at| (46..60).contains(&(at % w)));
        assert!(seen.at(53, 20) > 1.0);
        assert!(seen.at(159, 20) < 0.2 * seen.at(53, 20));
        assert!(seen.at(35, 20) < 1e-3);
    }
}
