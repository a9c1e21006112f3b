//! Whether copying is right around a hole of any size: discs near it are hidden, completed and compared.
//!
//! Squared error alone always prefers a blur to a texture, so what is compared are colours seen from afar and how
//! strong the steps between neighbours are. Invariant: the discs are known and none of them touches the
//! hole.

use super::guided::{Completed, complete};
use super::level::HALF;
use crate::box_blur::box_blur;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb, distance2, lightness};
use crate::{Error, push_pull};

/// Radius of a disc: half that of a disc as large as the hole, in these bounds.
const RADIUS: (usize, usize) = (8, 20);
/// Most discs, how many there must be for the grain of the surroundings, and for copies.
const MOST: usize = 10;
const LEAST: usize = 4;
const ENOUGH: usize = 5;
/// Share of the discs that must come out well.
const GOOD: f32 = 0.8;
/// How lively the smooth fill may be, as a share of what it hides: if it is livelier, there is nothing fine to
/// be continued.
const LIVELY: f32 = 0.5;
/// From how far colours are seen: the radius of the smoothing, run twice.
const AFAR: usize = 6;
/// How much farther off colours may be than those of the smooth fill, as a factor and in levels.
const WORSE: (f32, f32) = (1.3, 4.0);
/// Levels beyond the smooth fill's own error at which a pixel is wrong, and the share of a disc that may be.
const WRONG: f32 = 30.0;
const WRONG_SHARE: f32 = 0.05;
/// Mean error of the colours over all discs, in levels, for copies, and for grain over surroundings of one kind.
const NEAR: f32 = 20.0;
const PLAIN: f32 = 12.0;
/// Classes of steps between neighbours, each twice as strong.
const CLASSES: usize = 8;

/// How the discs of one hole came out.
pub(super) struct Trial {
    count: usize,
    good: usize,
    /// Mean error of the colours seen from afar, in levels.
    colour: f32,
    /// How far patches differ from their sources, in levels.
    pub(super) misfit: f32,
}

impl Trial {
    /// Tries it in `picture`, where `hole` is 0 and it is `free`. `None` if there is no room for discs, or
    /// nothing fine around the hole.
    pub(super) fn of(
        ctx: &Context<'_>,
        picture: &Rgb,
        hole: &Gray,
        free: &Gray,
    ) -> Result<Option<Self>, Error> {
        let (w, h) = (picture.w, picture.h);
        let discs = discs(hole, free);
        if discs.len() < LEAST {
            return Ok(None);
        }
        ctx.check()?;
        let mut hidden = Plane::filled(w, h, 0.0_f32);
        for &at in discs.iter().flatten() {
            hidden.data[at] = 1.0;
        }
        let without = |plane: &Gray| Plane {
            w,
            h,
            data: plane
                .data
                .iter()
                .zip(&hidden.data)
                .map(|(v, d)| v * (1.0 - d))
                .collect(),
        };
        let unhidden = without(&hole.map(|o| 1.0 - o));
        let smooth = push_pull::fill(picture, &unhidden);
        ctx.check()?;
        let lively: Vec<f32> = discs
            .iter()
            .map(|disc| energy(&smooth, disc) / energy(picture, disc).max(1e-3))
            .collect();
        if median(lively) > LIVELY {
            return Ok(None);
        }
        let Some(made) = complete(
            ctx,
            &smooth_in(picture, &smooth, &hidden),
            &hidden,
            &without(free),
        )?
        else {
            return Ok(None);
        };
        Ok(Some(Self::compared(&discs, picture, &smooth, &made)))
    }

    fn compared(discs: &[Vec<usize>], truth: &Rgb, smooth: &Rgb, made: &Completed) -> Self {
        let afar = |plane: &Rgb| box_blur(&box_blur(plane, AFAR), AFAR);
        let far = [truth, &made.picture, smooth].map(afar);
        let (mut good, mut colour) = (0, 0.0);
        for disc in discs {
            let off = |plane: &Rgb, at: usize| distance2(plane.data[at], far[0].data[at]);
            let rms = |plane: &Rgb| {
                (disc.iter().map(|&at| off(plane, at)).sum::<f32>() / disc.len() as f32).sqrt()
            };
            let (copied, blurred) = (rms(&far[1]), rms(&far[2]));
            let wrong = disc
                .iter()
                .filter(|&&at| off(&far[1], at).sqrt() > WRONG + off(&far[2], at).sqrt());
            let wrong = wrong.count() as f32 / disc.len() as f32;
            let steps = [truth, &made.picture, smooth].map(|plane| steps(plane, disc));
            let differ = |a: &[f32; CLASSES], b: &[f32; CLASSES]| {
                a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>()
            };
            let livelier = differ(&steps[0], &steps[1]) < differ(&steps[0], &steps[2]);
            let near = copied <= WORSE.0 * blurred + WORSE.1;
            good += usize::from(near && livelier && wrong < WRONG_SHARE);
            colour += copied / discs.len() as f32;
        }
        Self {
            count: discs.len(),
            good,
            colour,
            misfit: made.misfit,
        }
    }

    /// Whether the hole may be completed with copies.
    pub(super) fn is_enough(&self) -> bool {
        let most = self.good as f32 >= GOOD * self.count as f32;
        self.count >= ENOUGH && most && self.colour <= NEAR
    }

    /// Whether the surroundings are of one kind and colour.
    pub(super) fn is_plain(&self) -> bool {
        self.good == self.count && self.colour <= PLAIN
    }
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// The picture with `smooth` where it is hidden.
fn smooth_in(picture: &Rgb, smooth: &Rgb, hidden: &Gray) -> Rgb {
    let mut out = picture.clone();
    for at in (0..out.data.len()).filter(|&at| hidden.data[at] > 0.0) {
        out.data[at] = smooth.data[at];
    }
    out
}

/// Step from the neighbours above and on the left.
fn step(picture: &Rgb, at: usize) -> f32 {
    let light = |at: usize| lightness(picture.data[at]);
    (light(at) - light(at - 1)).abs() + (light(at) - light(at - picture.w)).abs()
}

fn energy(picture: &Rgb, disc: &[usize]) -> f32 {
    disc.iter().map(|&at| step(picture, at)).sum()
}

/// Shares of the steps in a disc, weak to strong.
fn steps(picture: &Rgb, disc: &[usize]) -> [f32; CLASSES] {
    let mut shares = [0.0; CLASSES];
    for &at in disc {
        let class = (step(picture, at) + 1.0).log2() as usize;
        shares[class.min(CLASSES - 1)] += 1.0 / disc.len() as f32;
    }
    shares
}

/// Pixels of discs to hide: free, near the hole, far from each other. Smaller ones if there is no room.
fn discs(hole: &Gray, free: &Gray) -> Vec<Vec<usize>> {
    let (w, h) = (hole.w, hole.h);
    let area = hole.data.iter().sum::<f32>();
    let mut radius = ((area / std::f32::consts::PI).sqrt() / 2.0) as usize;
    radius = radius.clamp(RADIUS.0, RADIUS.1);
    loop {
        let middles = middles(hole, free, radius);
        if middles.len() >= LEAST || radius == RADIUS.0 {
            let disc = |(x, y): (usize, usize)| -> Vec<usize> {
                let rows = y - radius..=y + radius;
                let places = rows.flat_map(|b| (x - radius..=x + radius).map(move |a| (a, b)));
                places
                    .filter(|&p| apart2(p, (x, y)) <= radius * radius)
                    .map(|(a, b)| b * w + a)
                    .filter(|&at| at % w > 0 && at / w > 0 && at < w * h)
                    .collect()
            };
            return middles.into_iter().map(disc).collect();
        }
        radius = (radius - 4).max(RADIUS.0);
    }
}

fn middles(hole: &Gray, free: &Gray, radius: usize) -> Vec<(usize, usize)> {
    let (w, h) = (hole.w, hole.h);
    let reach = radius + HALF + 2;
    let near = box_blur(hole, 2 * radius + 10);
    let whole = box_blur(free, reach);
    let rows = (reach..h.saturating_sub(reach)).step_by(4);
    let places: Vec<(usize, usize)> = rows
        .flat_map(|y| {
            (reach..w.saturating_sub(reach))
                .step_by(4)
                .map(move |x| (x, y))
        })
        .filter(|&(x, y)| near.at(x, y) > 1e-6 && whole.at(x, y) > 0.9999)
        .collect();
    let mut middles: Vec<(usize, usize)> = places.first().copied().into_iter().collect();
    // The farthest from all that were taken is taken next.
    while !middles.is_empty() && middles.len() < MOST {
        let gap = |place: &(usize, usize)| middles.iter().map(|m| apart2(*m, *place)).min();
        let Some(&best) = places.iter().max_by_key(|place| gap(place)) else {
            break;
        };
        if gap(&best) < Some((3 * radius).pow(2)) {
            break;
        }
        middles.push(best);
    }
    middles
}

fn apart2(a: (usize, usize), b: (usize, usize)) -> usize {
    a.0.abs_diff(b.0).pow(2) + a.1.abs_diff(b.1).pow(2)
}
