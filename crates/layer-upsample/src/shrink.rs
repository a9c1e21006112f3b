//! The source at the layers' size: the mean over each small pixel's area, and how much the colours vary within it.
//!
//! A small pixel covers `W / w` by `H / h` source pixels; one that lies on its border counts for the part inside. Means of colour
//! count each pixel by its alpha. One pass over the source, in rows of sums as wide as the small picture.
//! Invariant: a flat source has its colour everywhere and varies nowhere.

use rayon::prelude::*;

use super::plane::Plane;
use super::source::Source;

/// What the source looks like at the layers' size.
pub(crate) struct Small {
    /// Colours, 0 to 1.
    pub(crate) colour: Plane<3>,
    /// Variance of one channel within the area, in squared units of 0 to 1.
    pub(crate) variance: Plane<1>,
    /// Mean alpha, 0 to 1.
    pub(crate) alpha: Plane<1>,
}

/// Weighted sums of an area: red, green, blue, their squares together, alpha.
type Sums = [f32; 5];

/// Shrinks `source` to `w` by `h`; neither is above the source's.
pub(crate) fn shrink(source: &Source<'_>, w: usize, h: usize) -> Small {
    let spans = |small, full| (0..small).map(|at| Span::of(at, small, full)).collect();
    let (across, downward): (Vec<Span>, Vec<Span>) =
        (spans(w, source.width), spans(h, source.height));
    let rows: Vec<Vec<Sums>> = downward
        .par_iter()
        .map(|span| row(source, &across, span))
        .collect();
    let sums = || rows.iter().flatten();
    let means = |sums: &Sums| {
        let weight = sums[4].max(1e-6);
        [sums[0] / weight, sums[1] / weight, sums[2] / weight]
    };
    let variance = |sums: &Sums| {
        let [r, g, b] = means(sums);
        let squares = sums[3] / sums[4].max(1e-6);
        [((squares - r * r - g * g - b * b) / 3.0).max(0.0)]
    };
    let area = (source.width as f32 / w as f32) * (source.height as f32 / h as f32);
    let alpha = |sums: &Sums| [(sums[4] / area).min(1.0)];
    Small {
        colour: Plane {
            w,
            h,
            data: sums().map(means).collect(),
        },
        variance: Plane {
            w,
            h,
            data: sums().map(variance).collect(),
        },
        alpha: Plane {
            w,
            h,
            data: sums().map(alpha).collect(),
        },
    }
}

/// The pixels of the source that a small one covers on one axis.
struct Span {
    first: usize,
    weights: Vec<f32>,
}

impl Span {
    fn of(at: usize, small: usize, full: usize) -> Self {
        let step = full as f64 / small as f64;
        let (from, to) = (at as f64 * step, (at + 1) as f64 * step);
        let first = (from.floor() as usize).min(full - 1);
        let last = (to.ceil() as usize).clamp(first + 1, full);
        let part = |pixel: usize| {
            let inside = to.min((pixel + 1) as f64) - from.max(pixel as f64);
            inside.max(0.0) as f32
        };
        Self {
            first,
            weights: (first..last).map(part).collect(),
        }
    }
}

fn row(source: &Source<'_>, across: &[Span], down: &Span) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); across.len()];
    for (y, &share) in (down.first..).zip(&down.weights) {
        let pixels = source.row(y);
        for (sum, span) in sums.iter_mut().zip(across) {
            let mut own = Sums::default();
            for (pixel, &weight) in pixels[span.first..].iter().zip(&span.weights) {
                let [r, g, b, a] = pixel.map(|value| f32::from(value) / 255.0);
                let weight = weight * a;
                own[0] += weight * r;
                own[1] += weight * g;
                own[2] += weight * b;
                own[3] += weight * (r * r + g * g + b * b);
                own[4] += weight;
            }
            for (sum, own) in sum.iter_mut().zip(own) {
                *sum += share * own;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_source_stays_flat_and_an_edge_is_shared_by_area() {
        let mut pixels = [10, 200, 90, 255].repeat(7 * 3);
        let flat = Source::new(7, 3, &pixels).expect("whole");
        let small = shrink(&flat, 3, 2);
        let wanted = [10.0 / 255.0, 200.0 / 255.0, 90.0 / 255.0];
        for (at, colour) in small.colour.data.iter().enumerate() {
            assert!((0..3).all(|c| (colour[c] - wanted[c]).abs() < 1e-5));
            assert!(small.variance.data[at][0] < 1e-5 && small.alpha.data[at][0] > 0.9999);
        }
        for row in pixels.chunks_exact_mut(7 * 4) {
            row[..4].copy_from_slice(&[255, 255, 255, 255]);
            row[4..].copy_from_slice(&[0, 0, 0, 255].repeat(6));
        }
        let edge = Source::new(7, 3, &pixels).expect("whole");
        // Of the first small pixel, 7/3 wide, one pixel is white.
        assert!((shrink(&edge, 3, 2).colour.at(0, 1)[0] - 3.0 / 7.0).abs() < 1e-5);
    }
}
