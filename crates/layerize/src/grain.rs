//! Texture for a smooth fill: the fine detail of what surrounds a hole, laid over the fill.
//!
//! Only what is left after the colours are smoothed away is ever copied, and only from places as
//! lively as the rim of the hole, so no object of the surroundings can turn up in it. Square
//! pieces are chosen to continue what is beside them (after Efros and Leung 1999 and the quilting
//! of Efros and Freeman 2001), and blended so that the contrast stays (Heitz and Neyret 2018).
//! Rims that are smooth, of several kinds, or crossed by edges rather than textured get nothing: a
//! piece of an edge is worse than a blur. Invariant: known pixels stay as they
//! were.

use crate::Error;
use crate::box_blur::box_blur;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb, lightness};

/// Side of a piece, how much neighbouring pieces overlap, and from one piece to the next.
const SIDE: usize = 48;
const OVERLAP: usize = 12;
const STEP: usize = SIDE - OVERLAP;
const HALF: usize = SIDE / 2;
/// How far detail reaches: the radius of the smoothing, run twice.
const REACH: usize = 8;
/// Places tried for each piece.
const TRIED: usize = 160;
/// How many places copied from last are not copied from again, so that nothing repeats nearby.
const LATEST: usize = 16;
/// Lightness added before dividing by it: the deepest shade has no grain, only noise.
const DARK: f32 = 24.0;
/// Median step between neighbours at the rim, as a share of the lightness, under which there is
/// nothing to continue: blurred surroundings have structure, but no texture.
const LIVELY: f32 = 0.02;
/// How much livelier or calmer than the rim a place may be to be copied from.
const ALIKE: f32 = 1.8;
/// Least share of the rim that must be alike, or there are several kinds of surroundings.
const ONE_KIND: f32 = 0.5;
/// Side of the windows a rim is looked at in.
const WINDOW: usize = 24;
/// How many times livelier the livelier quarter of them may be than the calmer quarter.
const EVEN: f32 = 3.0;
/// Largest kurtosis of the detail: 3 for noise, far more for a few edges among little.
const TAILS: f32 = 8.0;
/// Share of the detail's energy that must not change its direction from window to window; windows
/// count that have one.
const DIRECTED: f32 = 0.45;
const ONE_WAY: f32 = 0.6;
/// Largest change of lightness one pixel of grain makes.
const MOST: f32 = 0.5;

/// Lays detail over `filled`, the smooth fill of `picture` where `known` is 0; where `painted` is 1
/// the picture is a guess itself, and nothing is copied from there.
pub(crate) fn lay(
    ctx: &Context<'_>,
    picture: &Rgb,
    known: &Gray,
    painted: &Gray,
    filled: &mut Rgb,
) -> Result<(), Error> {
    let (w, h) = (picture.w, picture.h);
    if w.min(h) < 2 * SIDE {
        return Ok(());
    }
    let known = known.map(|k| if k > 0.0 { 1.0 } else { 0.0 });
    let light = picture.map(lightness);
    ctx.check()?;
    let detail = detail_of(&light, &known, REACH);
    ctx.check()?;
    let seen = Plane {
        w,
        h,
        data: known
            .data
            .iter()
            .zip(&painted.data)
            .map(|(k, p)| k * (1.0 - p))
            .collect(),
    };
    let life = life_of(&detail, &seen);
    ctx.check()?;
    let finest = detail_of(&light, &seen, 1);
    ctx.check()?;
    let fine = life_of(&finest, &seen);
    ctx.check()?;
    let sources = sources(&life, &fine, &known, &seen, ctx)?;
    ctx.check()?;
    if !stationary(&detail, &known, &seen) {
        return Ok(());
    }
    ctx.check()?;
    if sources.len() < SIDE {
        return Ok(());
    }
    let mut quilt = Quilt::new(&detail, &known);
    let (mut latest, mut next) = ([(usize::MAX / 2, 0); LATEST], 0_usize);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for y in (0..h - OVERLAP).step_by(STEP) {
        ctx.check()?;
        for x in (0..w - OVERLAP).step_by(STEP) {
            let place = (x.min(w - SIDE), y.min(h - SIDE));
            if quilt.is_hole(place) {
                let mut best = (f32::MAX, sources[0]);
                for _ in 0..TRIED {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let source = sources[(state >> 33) as usize % sources.len()];
                    if latest.iter().any(|&used| close(used, source)) {
                        continue;
                    }
                    let off = quilt.mismatch(place, source, best.0);
                    if off < best.0 {
                        best = (off, source);
                    }
                }
                quilt.put(place, best.1);
                latest[next % LATEST] = best.1;
                next += 1;
            }
        }
    }
    quilt.finish(filled);
    Ok(())
}

fn close(a: (usize, usize), b: (usize, usize)) -> bool {
    a.0.abs_diff(b.0) < HALF && a.1.abs_diff(b.1) < HALF
}

/// What smoothing takes off the known pixels, as a share of the lightness there, so that the grain
/// of a lit and of a shaded place are alike; 0 elsewhere.
fn detail_of(light: &Gray, known: &Gray, reach: usize) -> Gray {
    let (w, h) = (light.w, light.h);
    let weighted = Plane {
        w,
        h,
        data: light
            .data
            .iter()
            .zip(&known.data)
            .map(|(l, k)| l * k)
            .collect(),
    };
    let twice = |plane: &Gray| box_blur(&box_blur(plane, reach), reach);
    let (sums, share) = (twice(&weighted), twice(known));
    let data = (0..w * h)
        .map(|at| {
            let weight = share.data[at];
            if known.data[at] <= 0.0 || weight <= 0.0 {
                return 0.0;
            }
            let smooth = sums.data[at] / weight;
            (light.data[at] - smooth) / (smooth + DARK)
        })
        .collect();
    Plane { w, h, data }
}

/// Deviation of the detail about each place.
fn life_of(detail: &Gray, known: &Gray) -> Gray {
    let (sum, share) = (
        box_blur(&detail.map(|d| d * d), HALF),
        box_blur(known, HALF),
    );
    Plane {
        w: detail.w,
        h: detail.h,
        data: sum
            .data
            .iter()
            .zip(&share.data)
            .map(|(&s, &k)| (s / k.max(1e-3)).max(0.0).sqrt())
            .collect(),
    }
}

/// Corners of pieces to copy from: wholly known, as lively as the rim, and fine-grained rather than
/// crossed by an edge. None if the rim has no texture.
fn sources(
    life: &Gray,
    fine: &Gray,
    known: &Gray,
    seen: &Gray,
    ctx: &Context<'_>,
) -> Result<Vec<(usize, usize)>, Error> {
    let (w, h) = (life.w, life.h);
    let near = box_blur(&known.map(|k| 1.0 - k), SIDE);
    ctx.check()?;
    let mut rim = Vec::with_capacity(w * h);
    rim.extend((0..w * h).filter(|&at| seen.data[at] > 0.0 && near.data[at] > 0.0));
    ctx.check()?;
    let median = |value: &dyn Fn(usize) -> f32| {
        let mut values: Vec<f32> = rim.iter().map(|&at| value(at)).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    if rim.len() < SIDE * SIDE {
        return Ok(Vec::new());
    }
    let (usual, lively) = (median(&|at| life.data[at]), median(&|at| fine.data[at]));
    let edged = |at: usize| life.data[at] / fine.data[at].max(1e-4);
    ctx.check()?;
    let plain = median(&edged);
    let alike = |at: usize| life.data[at] < usual * ALIKE && life.data[at] * ALIKE > usual;
    let kin = rim.iter().filter(|&&at| alike(at)).count() as f32 / rim.len() as f32;
    if lively < LIVELY || kin < ONE_KIND {
        return Ok(Vec::new());
    }
    ctx.check()?;
    let whole = box_blur(seen, HALF);
    let mut found = Vec::new();
    for y in (0..=h - SIDE).step_by(3) {
        for x in (0..=w - SIDE).step_by(3) {
            let at = (y + HALF) * w + x + HALF;
            if whole.data[at] > 0.9999 && alike(at) && edged(at) < 1.25 * plain {
                found.push((x, y));
            }
        }
    }
    Ok(found)
}

/// Whether the rim has a texture that is alike everywhere: windows of it are about as lively as each
/// other, no few strong values stand among many weak ones, and what runs in a direction runs in
/// one.
fn stationary(detail: &Gray, known: &Gray, seen: &Gray) -> bool {
    let (w, h) = (detail.w, detail.h);
    let near = box_blur(&known.map(|k| 1.0 - k), SIDE);
    let rim = |at: usize| seen.data[at] > 0.0 && near.data[at] > 0.0;
    let mut lives = Vec::new();
    let (mut ways, mut turned) = (0.0_f32, [0.0_f32; 2]);
    let (mut squares, mut fourths, mut count) = (0.0_f64, 0.0_f64, 0_usize);
    for top in (1..h.saturating_sub(WINDOW)).step_by(WINDOW) {
        for left in (1..w.saturating_sub(WINDOW)).step_by(WINDOW) {
            let (mut own, mut sum, mut tensor) = (0_usize, 0.0_f32, [0.0_f32; 3]);
            let (mut square, mut fourth) = (0.0_f64, 0.0_f64);
            for y in top..top + WINDOW {
                for at in (y * w + left..y * w + left + WINDOW).filter(|&at| rim(at)) {
                    let value = detail.data[at];
                    own += 1;
                    sum += value * value;
                    square += f64::from(value * value);
                    fourth += f64::from(value * value).powi(2);
                    if seen.data[at - 1] > 0.0 && seen.data[at - w] > 0.0 {
                        let (dx, dy) = (value - detail.data[at - 1], value - detail.data[at - w]);
                        tensor[0] += dx * dx;
                        tensor[1] += dy * dy;
                        tensor[2] += dx * dy;
                    }
                }
            }
            if own * 3 < WINDOW * WINDOW {
                continue;
            }
            lives.push((sum / own as f32).sqrt());
            squares += square;
            fourths += fourth;
            count += own;
            let [xx, yy, xy] = tensor;
            let way = [
                (xx - yy) / (xx + yy).max(1e-9),
                2.0 * xy / (xx + yy).max(1e-9),
            ];
            let directed = way[0].hypot(way[1]);
            if directed > DIRECTED {
                ways += directed;
                turned = [turned[0] + way[0], turned[1] + way[1]];
            }
        }
    }
    if lives.len() < 4 {
        return false;
    }
    lives.sort_by(f32::total_cmp);
    let quarter = lives.len() / 4;
    let even = lives[lives.len() - 1 - quarter] <= EVEN * lives[quarter].max(1e-4);
    let variance = squares / count as f64;
    let tails = (fourths / count as f64) / (variance * variance).max(1e-12);
    let one_way = turned[0].hypot(turned[1]) >= ONE_WAY * ways;
    even && tails <= f64::from(TAILS) && one_way
}

/// Detail laid so far: weighted sums and sums of squared weights.
struct Quilt<'a> {
    detail: &'a Gray,
    known: &'a Gray,
    sums: Gray,
    squares: Gray,
    window: Vec<f32>,
}

impl<'a> Quilt<'a> {
    fn new(detail: &'a Gray, known: &'a Gray) -> Self {
        let (w, h) = (detail.w, detail.h);
        let rise = |at: usize| ((at.min(SIDE - 1 - at) as f32 + 0.5) / OVERLAP as f32).min(1.0);
        let window = (0..SIDE * SIDE)
            .map(|at| rise(at % SIDE) * rise(at / SIDE))
            .collect();
        Self {
            detail,
            known,
            sums: Plane::filled(w, h, 0.0),
            squares: Plane::filled(w, h, 0.0),
            window,
        }
    }

    fn is_hole(&self, (x, y): (usize, usize)) -> bool {
        (y..y + SIDE).any(|row| {
            self.known.data[row * self.known.w + x..][..SIDE]
                .iter()
                .any(|&k| k <= 0.0)
        })
    }

    /// The detail at a place, if any is known or laid there.
    fn seen(&self, at: usize) -> Option<f32> {
        if self.known.data[at] > 0.0 {
            return Some(self.detail.data[at]);
        }
        let squares = self.squares.data[at];
        (squares > 0.0).then(|| self.sums.data[at] / squares.sqrt())
    }

    /// How badly a source fits what is already at `place`, on every third pixel; stops at `limit`.
    fn mismatch(&self, place: (usize, usize), source: (usize, usize), limit: f32) -> f32 {
        let w = self.known.w;
        let mut off = 0.0;
        for row in (0..SIDE).step_by(3) {
            for column in (row % 2..SIDE).step_by(3) {
                if let Some(seen) = self.seen((place.1 + row) * w + place.0 + column) {
                    let offered = self.detail.at(source.0 + column, source.1 + row);
                    off += (seen - offered) * (seen - offered);
                }
            }
            if off >= limit {
                return off;
            }
        }
        off
    }

    fn put(&mut self, place: (usize, usize), source: (usize, usize)) {
        let w = self.known.w;
        for row in 0..SIDE {
            for column in 0..SIDE {
                let at = (place.1 + row) * w + place.0 + column;
                if self.known.data[at] <= 0.0 {
                    let weight = self.window[row * SIDE + column];
                    let offered = self.detail.at(source.0 + column, source.1 + row);
                    self.sums.data[at] += weight * offered;
                    self.squares.data[at] += weight * weight;
                }
            }
        }
    }

    fn finish(&self, filled: &mut Rgb) {
        for (at, colour) in filled.data.iter_mut().enumerate() {
            if self.known.data[at] <= 0.0
                && let Some(detail) = self.seen(at)
            {
                // Grain changes the lightness alone, so a strange hue cannot come in.
                let factor =
                    1.0 + detail.clamp(-MOST, MOST) * (1.0 + DARK / (lightness(*colour) + DARK));
                *colour = colour.map(|value| (value * factor).clamp(0.0, 255.0));
            }
        }
    }
}
