//! What is learned about a layer's edges at the model's size, to be used at the source's.
//!
//! At each small pixel near an edge there are three guesses how alpha follows from a colour of the source, each with the variance of
//! its error where both sizes are known, at the model's:
//!
//! - *plain*: interpolation, whatever the colour;
//! - *linear*: `a = slope · colour + offset`, fitted over 5 × 5 small pixels. It is the guided filter's model (He, Sun, Tang,
//!   "Guided Image Filtering", 2013) fitted small as in "Fast Guided Filter" (2015): means over areas keep a linear relation, so it
//!   holds within a small pixel too, and a stroke thinner than one becomes solid again;
//! - *unmixed*: the share of the layer's own paint over the paint expected below, projected on the line between both. It needs no
//!   neighbours, and a stack knows both paints, unlike a picture that is to be matted.
//!
//! Invariant: variances are above zero, so that guesses can be weighed by them.

use rayon::prelude::*;

use super::plane::{Plane, dot, minus, mix};

/// How far the windows of the fit reach, in small pixels.
const REACH: usize = 2;
/// Alpha has to differ by this much within 3 × 3 small pixels to make an edge.
const RANGE: f32 = 0.03;
/// Standard deviation of what sensors and JPEG add to a channel, 0 to 1.
const NOISE: f32 = 1.2 / 255.0;
/// Places are guided where the layers above let at least this much through.
pub(crate) const THROUGH: f32 = 0.3;

/// What is known about a small pixel near an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit {
    slope: [f32; 3],
    offset: f32,
    plain: f32,
    linear: f32,
    unmixed: f32,
    /// Variance of a channel of the source that has nothing to do with the edge.
    texture: f32,
}

/// The edges of a layer.
pub(crate) struct Edges {
    /// The place in `fits` of each small pixel; `NONE` where there is no edge.
    index: Vec<u32>,
    fits: Vec<Fit>,
    w: usize,
    /// How far both guesses from colours miss the layer's alpha, in all.
    pub(crate) misses: f32,
}

const NONE: u32 = u32::MAX;

/// What the fits are made from, all of the model's size.
pub(crate) struct Evidence<'a> {
    /// The source with the layers above taken off.
    pub(crate) guide: &'a Plane<3>,
    /// How much the layers above let through.
    pub(crate) through: &'a Plane<1>,
    /// The layer's paint and alpha.
    pub(crate) paint: &'a Plane<4>,
    /// The paints and alphas of all below it, bottom first.
    pub(crate) lower: &'a [Plane<4>],
    pub(crate) texture: &'a Plane<1>,
}

impl Edges {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let (w, paint) = (evidence.paint.w, evidence.paint);
        let flags: Vec<f32> = (0..paint.data.len())
            .into_par_iter()
            .map(|at| range(paint, (at % w, at / w)))
            .collect();
        let is_edge = |at: &usize| flags[*at] > RANGE && evidence.through.data[*at][0] > 0.05;
        let places: Vec<usize> = (0..flags.len()).filter(is_edge).collect();
        let mut index = vec![NONE; flags.len()];
        for (nth, &at) in places.iter().enumerate() {
            index[at] = nth as u32;
        }
        let misses = |at: &usize| evidence.unmix_miss(*at);
        let misses: Vec<f32> = places.par_iter().map(misses).collect();
        let fit = |&at: &usize| evidence.fit((at % w, at / w), flags[at], &index, &misses);
        let fits: Vec<Fit> = places.par_iter().map(fit).collect();
        let misses = fits.iter().map(|fit| fit.linear.min(fit.unmixed)).sum();
        Self {
            index,
            fits,
            w,
            misses,
        }
    }

    pub(crate) fn at(&self, x: u32, y: u32) -> Option<&Fit> {
        self.fits
            .get(self.index[y as usize * self.w + x as usize] as usize)
    }
}

/// How far alpha differs within 3 × 3 small pixels.
fn range(paint: &Plane<4>, place: (usize, usize)) -> f32 {
    let (mut least, mut most) = (1.0_f32, 0.0_f32);
    paint.around(place, 1, |x, y| {
        let alpha = paint.at(x, y)[3];
        (least, most) = (least.min(alpha), most.max(alpha));
    });
    most - least
}

impl Evidence<'_> {
    /// By how much unmixing misses the layer's alpha at a place.
    fn unmix_miss(&self, at: usize) -> f32 {
        let [r, g, b, alpha] = self.paint.data[at];
        let below = self.lower.iter().fold([0.5; 3], |below, lower| {
            let [r, g, b, a] = lower.data[at];
            mix(below, [r, g, b], a)
        });
        let guess = unmix(self.guide.data[at], [r, g, b], below);
        guess.value - alpha
    }

    fn fit(&self, place: (usize, usize), range: f32, index: &[u32], misses: &[f32]) -> Fit {
        let (w, here) = (self.paint.w, place.1 * self.paint.w + place.0);
        let texture = self.texture.data[here][0] + NOISE * NOISE;
        let mut sums = Sums::default();
        let (mut missed, mut count) = (0.0, 1e-6);
        self.paint.around(place, REACH, |x, y| {
            let at = y * w + x;
            let far = (x.abs_diff(place.0).pow(2) + y.abs_diff(place.1).pow(2)) as f32;
            let through = self.through.data[at][0];
            let weight = (-far / 2.5).exp() * through * through + 1e-6;
            sums.add(weight, self.guide.data[at], self.paint.data[at][3]);
            if far <= 2.0 {
                let miss = misses.get(index[at] as usize).copied().unwrap_or(0.0);
                missed += weight * miss * miss;
                count += weight;
            }
        });
        let (slope, offset, linear) = sums.solve(texture * 0.05 + 1e-5);
        Fit {
            slope,
            offset,
            plain: 0.04 * range * range + 1e-4,
            linear: linear + 2e-5,
            unmixed: missed / count + 2e-5,
            texture,
        }
    }
}

/// Weighted sums of colours and alphas.
#[derive(Default)]
struct Sums {
    weight: f32,
    colour: [f32; 3],
    alpha: f32,
    squares: [f32; 3],
    crosses: [f32; 3],
    with_alpha: [f32; 3],
    alpha_squares: f32,
}

impl Sums {
    fn add(&mut self, weight: f32, c: [f32; 3], alpha: f32) {
        self.weight += weight;
        self.alpha += weight * alpha;
        self.alpha_squares += weight * alpha * alpha;
        let crosses = [c[0] * c[1], c[0] * c[2], c[1] * c[2]];
        for i in 0..3 {
            self.colour[i] += weight * c[i];
            self.squares[i] += weight * c[i] * c[i];
            self.crosses[i] += weight * crosses[i];
            self.with_alpha[i] += weight * c[i] * alpha;
        }
    }

    /// Slope, offset and mean squared error of the fit; `eps` is the variance below which a window counts as flat.
    fn solve(&self, eps: f32) -> ([f32; 3], f32, f32) {
        let mean = |sums: [f32; 3]| sums.map(|sum| sum / self.weight);
        let (m, p) = (mean(self.colour), self.alpha / self.weight);
        let (s, x, t) = (
            mean(self.squares),
            mean(self.crosses),
            mean(self.with_alpha),
        );
        let variance: [f32; 3] = std::array::from_fn(|i| s[i] - m[i] * m[i]);
        let crosses = [x[0] - m[0] * m[1], x[1] - m[0] * m[2], x[2] - m[1] * m[2]];
        let right: [f32; 3] = std::array::from_fn(|i| t[i] - m[i] * p);
        let slope = solve(variance.map(|v| v + eps), crosses, right);
        let [a, b, c] = slope;
        let explained = 2.0 * dot(slope, right)
            - (a * a * variance[0] + b * b * variance[1] + c * c * variance[2])
            - 2.0 * (a * b * crosses[0] + a * c * crosses[1] + b * c * crosses[2]);
        let all = self.alpha_squares / self.weight - p * p;
        (slope, p - dot(slope, m), (all - explained).max(0.0))
    }
}

/// Solves a symmetric 3 by 3 system by Cramer's rule; what was added to the diagonal keeps it regular.
fn solve(diagonal: [f32; 3], off: [f32; 3], right: [f32; 3]) -> [f32; 3] {
    let ([a, d, f], [b, c, e]) = (diagonal.map(f64::from), off.map(f64::from));
    let (m00, m01, m02) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let (m11, m12, m22) = (a * f - c * c, b * c - a * e, a * d - b * b);
    let determinant = a * m00 + b * m01 + c * m02;
    if determinant.abs() < 1e-24 {
        return [0.0; 3];
    }
    let [x, y, z] = right.map(f64::from);
    [
        (m00 * x + m01 * y + m02 * z) / determinant,
        (m01 * x + m11 * y + m12 * z) / determinant,
        (m02 * x + m12 * y + m22 * z) / determinant,
    ]
    .map(|value| value as f32)
}

/// A share of paint over what is below, told from a colour.
pub(crate) struct Unmixed {
    value: f32,
    /// Squared distance of both paints, and of the colour from the line between them.
    gap: f32,
    beside: f32,
}

pub(crate) fn unmix(colour: [f32; 3], paint: [f32; 3], below: [f32; 3]) -> Unmixed {
    let line = minus(paint, below);
    let gap = dot(line, line).max(1e-6);
    let value = (dot(minus(colour, below), line) / gap).clamp(0.0, 1.0);
    let beside = minus(colour, mix(below, paint, value));
    Unmixed {
        value,
        gap,
        beside: dot(beside, beside),
    }
}

impl Fit {
    /// Adds this small pixel's guesses about `colour` to a weighted sum.
    pub(crate) fn weigh(
        &self,
        near: f32,
        colour: [f32; 3],
        plain: f32,
        unmixed: &Unmixed,
        sum: &mut Guess,
    ) {
        let linear = (dot(self.slope, colour) + self.offset).clamp(0.0, 1.0);
        sum.add(near / self.plain, plain);
        sum.add(
            near / (self.linear + self.texture * dot(self.slope, self.slope)),
            linear,
        );
        let unsure = (self.texture + 0.25 * unmixed.beside) / unmixed.gap;
        sum.add(near / (self.unmixed + unsure), unmixed.value);
    }
}

/// A mean of guesses, each weighed by how sure it is.
#[derive(Default)]
pub(crate) struct Guess {
    weight: f32,
    sum: f32,
}

impl Guess {
    pub(crate) fn add(&mut self, weight: f32, value: f32) {
        self.weight += weight;
        self.sum += weight * value;
    }

    pub(crate) fn mean(&self) -> f32 {
        self.sum / self.weight.max(1e-12)
    }
}
