//! How noisy a picture is, and a filter that takes noise off flat places and leaves edges.
//!
//! Serves the search for regions alone; no layer ever holds filtered pixels as its own.
//! Invariant: a pixel moves only towards neighbours it already resembles.

use crate::plane::{Plane, Rgb, max_difference};

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
pub(crate) fn sigma_filter(picture: &Rgb, noise: f32) -> Rgb {
    let reach = 5.0 + 3.0 * noise;
    let once = pass(picture, reach);
    if noise > 0.8 {
        pass(&once, reach)
    } else {
        once
    }
}

fn pass(picture: &Rgb, reach: f32) -> Rgb {
    use rayon::prelude::*;
    let (w, h) = (picture.w, picture.h);
    let mut out = Plane::filled(w, h, [0.0; 3]);
    out.data.par_chunks_mut(w).enumerate().for_each(|(y, row)| {
        for (x, value) in row.iter_mut().enumerate() {
            let centre = picture.at(x, y);
            let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
            for ny in y.saturating_sub(2)..(y + 3).min(h) {
                for nx in x.saturating_sub(2)..(x + 3).min(w) {
                    let near = picture.at(nx, ny);
                    if max_difference(near, centre) <= reach {
                        for c in 0..3 {
                            sum[c] += near[c];
                        }
                        count += 1.0;
                    }
                }
            }
            *value = sum.map(|v| v / count);
        }
    });
    out
}
