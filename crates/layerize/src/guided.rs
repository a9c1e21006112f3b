//! The guided filter with a colour guide (He, Sun, Tang, "Guided Image Filtering", 2013): a rough
//! mask takes the edges of the picture it belongs to.
//!
//! Returned are the coefficients rather than the mask, so that they can be applied to a larger
//! picture ("Fast Guided Filter", 2015). Invariant: a constant mask gives back the constant.

use crate::Error;
use crate::box_blur::box_blur;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};

/// `mask = slope · colour + offset` at each place, colours in 0 to 1.
pub(crate) struct Guided {
    pub(crate) slope: Rgb,
    pub(crate) offset: Gray,
}

/// Fits `mask` to `guide` (0 to 255) over windows of `radius`; `eps` is the variance (of colours
/// in 0 to 1) below which a window counts as flat.
pub(crate) fn fit(
    guide: &Rgb,
    mask: &Gray,
    radius: usize,
    eps: f32,
    ctx: &Context<'_>,
) -> Result<Guided, Error> {
    let unit = guide.map(|colour| colour.map(|value| value / 255.0));
    let mean = box_blur(&unit, radius);
    let mean_mask = box_blur(mask, radius);
    let with_mask = box_blur(&zip(&unit, mask, |c, m| c.map(|value| value * m)), radius);
    ctx.check()?;
    let squares = box_blur(
        &unit.map(|c| [c[0] * c[0], c[1] * c[1], c[2] * c[2]]),
        radius,
    );
    let crosses = box_blur(
        &unit.map(|c| [c[0] * c[1], c[0] * c[2], c[1] * c[2]]),
        radius,
    );
    ctx.check()?;
    let mut slope = Vec::with_capacity(mask.data.len());
    let mut offset = Vec::with_capacity(mask.data.len());
    for at in 0..mask.data.len() {
        let (m, p) = (mean.data[at], mean_mask.data[at]);
        let (s, x, t) = (squares.data[at], crosses.data[at], with_mask.data[at]);
        let covariance = [t[0] - m[0] * p, t[1] - m[1] * p, t[2] - m[2] * p];
        let a = solve(
            [
                s[0] - m[0] * m[0] + eps,
                s[1] - m[1] * m[1] + eps,
                s[2] - m[2] * m[2] + eps,
            ],
            [x[0] - m[0] * m[1], x[1] - m[0] * m[2], x[2] - m[1] * m[2]],
            covariance,
        );
        slope.push(a);
        offset.push(p - a[0] * m[0] - a[1] * m[1] - a[2] * m[2]);
    }
    let (w, h) = (mask.w, mask.h);
    ctx.check()?;
    Ok(Guided {
        slope: box_blur(&Plane { w, h, data: slope }, radius),
        offset: box_blur(&Plane { w, h, data: offset }, radius),
    })
}

impl Guided {
    /// The mask over `guide`, which must have the size of the coefficients.
    pub(crate) fn apply(&self, guide: &Rgb) -> Gray {
        let data = guide
            .data
            .iter()
            .zip(&self.slope.data)
            .zip(&self.offset.data)
            .map(|((&c, &a), &b)| evaluate(a, b, c))
            .collect();
        Plane {
            w: guide.w,
            h: guide.h,
            data,
        }
    }
}

/// One value of the mask from its coefficients and a colour in 0 to 255.
pub(crate) fn evaluate(slope: [f32; 3], offset: f32, colour: [f32; 3]) -> f32 {
    let sum = slope[0] * colour[0] + slope[1] * colour[1] + slope[2] * colour[2];
    (sum / 255.0 + offset).clamp(0.0, 1.0)
}

fn zip(picture: &Rgb, mask: &Gray, each: impl Fn([f32; 3], f32) -> [f32; 3]) -> Rgb {
    let data = picture
        .data
        .iter()
        .zip(&mask.data)
        .map(|(&c, &m)| each(c, m))
        .collect();
    Plane {
        w: picture.w,
        h: picture.h,
        data,
    }
}

/// Solves a symmetric 3 by 3 system by Cramer's rule; `eps` on the diagonal keeps it regular.
fn solve(diagonal: [f32; 3], off: [f32; 3], right: [f32; 3]) -> [f32; 3] {
    let ([a, d, f], [b, c, e]) = (diagonal, off);
    let (m00, m01, m02) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let (m11, m12, m22) = (a * f - c * c, b * c - a * e, a * d - b * b);
    let determinant = a * m00 + b * m01 + c * m02;
    if determinant.abs() < 1e-18 {
        return [0.0; 3];
    }
    let [x, y, z] = right;
    [
        (m00 * x + m01 * y + m02 * z) / determinant,
        (m01 * x + m11 * y + m12 * z) / determinant,
        (m02 * x + m12 * y + m22 * z) / determinant,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    #[test]
    fn a_shifted_mask_snaps_to_the_edge_of_the_guide() {
        let (w, h) = (40, 20);
        let mut guide = Plane::filled(w, h, [20.0, 30.0, 40.0]);
        let mut mask = Plane::filled(w, h, 0.0);
        for y in 0..h {
            for x in 20..w {
                guide.set(x, y, [220.0, 180.0, 90.0]);
            }
            for x in 19..w {
                mask.set(x, y, 1.0);
            }
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let fit = fit(&guide, &mask, 6, 1e-4, &ctx).expect("not cancelled");
        let sharp = fit.apply(&guide);
        assert!(sharp.at(18, 10) < 0.3 && sharp.at(19, 10) < 0.4);
        assert!(sharp.at(21, 10) > 0.9);
    }
}
