//! How noisy a picture is, and a filter that takes noise off flat places and leaves edges.
//!
//! Serves the search for regions alone; no layer ever holds filtered pixels as its own.
//! Invariant: a pixel moves only towards neighbours it already resembles.

use rayon::prelude::*;

use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};

/// Rows between two looks at the stop flag.
const BAND: usize = 128;

/// Typical deviation of a pixel from the mean of its neighbours where the picture is calm, in
/// levels; 0 for a clean design.
pub(crate) fn noise(picture: &Rgb) -> f32 {
    let (w, h) = (picture.w, picture.h);
    let mut seen = Vec::new();
    for y in (1..h.saturating_sub(1)).step_by(3) {
        for x in (1..w.saturating_sub(1)).step_by(3) {
            let centre = picture.at(x, y)[1];
            let around = (picture.at(x - 1, y)[1]
                + picture.at(x + 1, y)[1]
                + picture.at(x, y - 1)[1]
                + picture.at(x, y + 1)[1])
                / 4.0;
            let off = (centre - around).abs();
            if off < 12.0 {
                seen.push(off);
            }
        }
    }
    if seen.is_empty() {
        return 0.0;
    }
    let rank = seen.len() * 7 / 10;
    let (_, value, _) = seen.select_nth_unstable_by(rank, f32::total_cmp);
    value.min(5.0)
}

/// The mean over 5 by 5 pixels of those that resemble the centre (a sigma filter, Lee 1983); run
/// twice for noisy pictures.
pub(crate) fn sigma_filter(
    picture: &Rgb,
    noise: f32,
    ctx: &Context<'_>,
) -> Result<Rgb, crate::Error> {
    let reach = 5.0 + 3.0 * noise;
    let once = pass(picture, reach, ctx)?;
    if noise > 0.8 {
        pass(&once, reach, ctx)
    } else {
        Ok(once)
    }
}

fn pass(picture: &Rgb, reach: f32, ctx: &Context<'_>) -> Result<Rgb, crate::Error> {
    let (w, h) = (picture.w, picture.h);
    let planes = [0, 1, 2].map(|c| picture.map(|colour| colour[c]));
    let mut out = Plane::filled(w, h, [0.0; 3]);
    for (band, rows) in out.data.chunks_mut(w * BAND).enumerate() {
        ctx.check()?;
        ctx.pool.run(|| {
            rows.par_chunks_mut(w).enumerate().for_each(|(row, out)| {
                filter_row(&planes, band * BAND + row, reach, out);
            });
        });
    }
    Ok(out)
}

/// One row of the filter: every neighbour is added to the whole row at once, which the compiler
/// turns into vector instructions.
fn filter_row(planes: &[Gray; 3], y: usize, reach: f32, out: &mut [[f32; 3]]) {
    let (w, h) = (planes[0].w, planes[0].h);
    let row = |c: usize, y: usize| &planes[c].data[y * w..(y + 1) * w];
    let centre = [0, 1, 2].map(|c| row(c, y));
    let mut sums = [0, 1, 2].map(|_| vec![0.0_f32; w]);
    let mut counts = vec![0.0_f32; w];
    for ny in y.saturating_sub(2)..(y + 3).min(h) {
        let near = [0, 1, 2].map(|c| row(c, ny));
        for dx in -2_isize..=2 {
            let (from, to) = (dx.min(0).unsigned_abs(), dx.max(0).unsigned_abs());
            if from + to >= w {
                continue;
            }
            let n = w - from - to;
            let centre = centre.map(|values| &values[from..][..n]);
            let near = near.map(|values| &values[to..][..n]);
            let [red, green, blue] = &mut sums;
            let (red, green, blue) = (
                &mut red[from..][..n],
                &mut green[from..][..n],
                &mut blue[from..][..n],
            );
            let counts = &mut counts[from..][..n];
            for x in 0..n {
                let off = (near[0][x] - centre[0][x])
                    .abs()
                    .max((near[1][x] - centre[1][x]).abs())
                    .max((near[2][x] - centre[2][x]).abs());
                let weight = if off <= reach { 1.0 } else { 0.0 };
                red[x] += weight * near[0][x];
                green[x] += weight * near[1][x];
                blue[x] += weight * near[2][x];
                counts[x] += weight;
            }
        }
    }
    for (x, value) in out.iter_mut().enumerate() {
        *value = [0, 1, 2].map(|c: usize| sums[c][x] / counts[x]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::max_difference;
    use crate::{Cancel, Options};

    #[test]
    fn noise_goes_and_edges_stay_at_every_width() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (w, h) in [(1, 1), (2, 3), (4, 4), (40, 20)] {
            let mut picture = Plane::filled(w, h, [0.0; 3]);
            for at in 0..w * h {
                let side = if at % w < w / 2 { 40.0 } else { 200.0 };
                picture.data[at] = [side + [0.0, 2.0][at % 2], side, side];
            }
            let smooth = sigma_filter(&picture, 0.5, &ctx).expect("not cancelled");
            for (seen, calm) in picture.data.iter().zip(&smooth.data) {
                assert!(max_difference(*seen, *calm) <= 2.0, "{w} x {h}");
            }
            if w == 40 {
                let rough = |p: &Rgb| (p.at(8, 9)[0] - p.at(9, 9)[0]).abs();
                assert!(rough(&smooth) < 0.25 * rough(&picture));
            }
        }
    }
}
