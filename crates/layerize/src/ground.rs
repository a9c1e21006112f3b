//! What a plain ground would look like where things lie on it.
//!
//! A quadratic surface is fitted to the seen ground, outliers (shadows, leaks) are trimmed, and
//! what the surface leaves is carried on smoothly by push-pull. Exact for flat colours, linear
//! gradients and radial ones about the middle. Invariant: every place has a colour, seen or not.

use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb, max_difference};
use crate::{Error, linear, push_pull};

/// Least trim, in levels: quantisation and JPEG blocks stay below.
const TRIM: f32 = 2.5;
/// How far beyond the levels seen a hidden ground may go, in levels or as a share of their range.
const BEYOND: f32 = 6.0;
const BEYOND_SHARE: f32 = 0.15;

/// The colour of the ground everywhere, fitted to `picture` where `seed` is true; `None` when there
/// is too little of it.
pub(crate) fn fit(picture: &Rgb, seed: &[bool], ctx: &Context<'_>) -> Result<Option<Rgb>, Error> {
    let count = seed.iter().filter(|&&s| s).count();
    if count < 6 {
        return Ok(None);
    }
    let step = (count / 12_000).max(1);
    let places: Vec<usize> = (0..seed.len())
        .filter(|&at| seed[at])
        .step_by(step)
        .collect();
    let mut kept = places.clone();
    let mut surface = Surface::flat(picture, &kept);
    let mut rough = 0.0;
    for round in 0..9 {
        ctx.check()?;
        if round > 0 && kept.len() >= 40 {
            surface = Surface::fit(picture, &kept).unwrap_or(surface);
        }
        let mut off: Vec<f32> = places
            .iter()
            .map(|&at| max_difference(picture.data[at], surface.at(picture, at)))
            .collect();
        let middle = off.len() / 2;
        let mut ranked = off.clone();
        let (_, median, _) = ranked.select_nth_unstable_by(middle, f32::total_cmp);
        let limit = (1.7 * *median).max(if round == 0 { 40.0 } else { TRIM });
        kept = places
            .iter()
            .zip(&off)
            .filter(|(_, o)| **o <= limit)
            .map(|(&at, _)| at)
            .collect();
        off.retain(|o| *o <= limit);
        rough = off.iter().sum::<f32>() / off.len().max(1) as f32;
    }
    let limit = (3.0 * rough).max(TRIM) + 1.0;
    let mut model = carry_on(picture, seed, &surface, limit, rough, ctx)?;
    ctx.check()?;
    let range = seen_range(picture, &places);
    for colour in &mut model.data {
        for (value, (low, high)) in colour.iter_mut().zip(range) {
            *value = value.clamp(low, high);
        }
    }
    Ok(Some(model))
}

/// For each channel the levels a ground may have where it is hidden: those that were seen of it, and
/// a little beyond, as a gradient goes on. A surface left to itself runs away where nothing holds
/// it.
fn seen_range(picture: &Rgb, places: &[usize]) -> [(f32, f32); 3] {
    [0, 1, 2].map(|c| {
        let mut values: Vec<f32> = places.iter().map(|&at| picture.data[at][c]).collect();
        values.sort_unstable_by(f32::total_cmp);
        let few = values.len() / 200;
        let (low, high) = (values[few], values[values.len() - 1 - few]);
        let beyond = (BEYOND_SHARE * (high - low)).max(BEYOND);
        ((low - beyond).max(0.0), (high + beyond).min(255.0))
    })
}

/// The surface plus what it leaves, at a quarter of the size and therefore smooth.
fn carry_on(
    picture: &Rgb,
    seed: &[bool],
    surface: &Surface,
    limit: f32,
    rough: f32,
    ctx: &Context<'_>,
) -> Result<Rgb, Error> {
    let (w, h) = (picture.w, picture.h);
    let data = (0..w * h).map(|at| surface.at(picture, at)).collect();
    let mut model = Plane { w, h, data };
    if rough < 0.35 {
        return Ok(model);
    }
    ctx.check()?;
    let (qw, qh) = (w.div_ceil(4), h.div_ceil(4));
    let mut left: Rgb = Plane::filled(qw, qh, [0.0; 3]);
    let mut weight: Gray = Plane::filled(qw, qh, 0.0);
    for at in (0..w * h).filter(|&at| seed[at]) {
        let (seen, plain) = (picture.data[at], model.data[at]);
        if max_difference(seen, plain) <= limit * 1.5 {
            let q = (at / w / 4) * qw + at % w / 4;
            for c in 0..3 {
                left.data[q][c] += seen[c] - plain[c];
            }
            weight.data[q] += 1.0;
        }
    }
    for (sum, count) in left.data.iter_mut().zip(&mut weight.data) {
        *sum = sum.map(|v| v / count.max(1.0));
        *count = if *count >= 8.0 { 1.0 } else { 0.0 };
    }
    if weight.data.iter().all(|&k| k == 0.0) {
        return Ok(model);
    }
    ctx.check()?;
    let left = push_pull::fill(&left, &weight).resize(w, h);
    ctx.check()?;
    for (colour, more) in model.data.iter_mut().zip(&left.data) {
        for c in 0..3 {
            colour[c] = (colour[c] + more[c]).clamp(0.0, 255.0);
        }
    }
    Ok(model)
}

/// A quadratic in place plus a cone about the middle (the usual radial gradient) for each channel,
/// over coordinates from -1 to 1.
struct Surface {
    terms: [[f32; 7]; 3],
}

impl Surface {
    fn flat(picture: &Rgb, places: &[usize]) -> Self {
        let median = |c: usize| {
            let mut values: Vec<f32> = places.iter().map(|&at| picture.data[at][c]).collect();
            values.sort_by(f32::total_cmp);
            values[values.len() / 2]
        };
        Self {
            terms: [0, 1, 2].map(|c| [median(c), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        }
    }

    /// Least squares over the places; `None` if they do not determine a quadratic.
    fn fit(picture: &Rgb, places: &[usize]) -> Option<Self> {
        let mut matrix = [[0.0_f64; 10]; 7];
        for &at in places {
            let basis = basis(picture, at);
            for (row, &value) in matrix.iter_mut().zip(&basis) {
                for (sum, &other) in row.iter_mut().zip(&basis) {
                    *sum += f64::from(value * other);
                }
                for c in 0..3 {
                    row[7 + c] += f64::from(value * picture.data[at][c]);
                }
            }
        }
        let count = places.len() as f64;
        for (k, row) in matrix.iter_mut().enumerate().skip(1) {
            // A pinch of shrinkage keeps narrow seeds from bending where nothing is known.
            row[k] += count * if k < 3 { 1e-6 } else { 1e-5 };
        }
        linear::solve(&mut matrix)?;
        Some(Self {
            terms: [0, 1, 2].map(|c| [0, 1, 2, 3, 4, 5, 6].map(|k| matrix[k][7 + c] as f32)),
        })
    }

    fn at(&self, picture: &Rgb, at: usize) -> [f32; 3] {
        let basis = basis(picture, at);
        self.terms.map(|terms| {
            terms
                .iter()
                .zip(&basis)
                .map(|(t, b)| t * b)
                .sum::<f32>()
                .clamp(0.0, 255.0)
        })
    }
}

fn basis(picture: &Rgb, at: usize) -> [f32; 7] {
    let x = 2.0 * (at % picture.w) as f32 / picture.w as f32 - 1.0;
    let y = 2.0 * (at / picture.w) as f32 / picture.h as f32 - 1.0;
    [1.0, x, y, x * x, x * y, y * y, (x * x + y * y).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    #[test]
    fn what_is_hidden_never_leaves_the_colours_seen() {
        // A ground that is bent at one side alone, most of it under a lump.
        let (w, h) = (90, 60);
        let mut picture = Plane::filled(w, h, [0.0; 3]);
        let mut seed = vec![false; w * h];
        for y in 0..h {
            for x in 0..w {
                let bent = (x as f32 - 12.0).max(0.0).powi(2);
                picture.set(x, y, [90.0 + bent, 120.0 - 0.7 * bent, 60.0]);
                seed[y * w + x] = x < 20;
            }
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let ground = fit(&picture, &seed, &ctx).expect("not cancelled");
        let ground = ground.expect("enough of it");
        for colour in &ground.data {
            assert!((80.0..155.0).contains(&colour[0]), "{colour:?}");
            assert!((70.0..135.0).contains(&colour[1]), "{colour:?}");
        }
    }

    #[test]
    fn a_gradient_is_continued_under_a_disc_and_past_a_shadow() {
        let (w, h) = (80, 60);
        let truth = |x: usize, y: usize| [40.0 + x as f32, 200.0 - y as f32, 90.0 + 0.5 * x as f32];
        let mut picture = Plane::filled(w, h, [0.0; 3]);
        let mut seed = vec![true; w * h];
        for y in 0..h {
            for x in 0..w {
                let off = (x as f32 - 40.0).hypot(y as f32 - 30.0);
                let dark = if off < 22.0 { 0.8 } else { 1.0 };
                picture.set(x, y, truth(x, y).map(|v| v * dark));
                seed[y * w + x] = off > 15.0;
            }
        }
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let ground = fit(&picture, &seed, &ctx).expect("not cancelled");
        let ground = ground.expect("enough of it");
        assert!(max_difference(ground.at(40, 30), truth(40, 30)) < 2.0);
    }
}
