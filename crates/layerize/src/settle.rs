//! Settles what a saliency mask leaves open: each wide doubtful part goes wholly to the thing or
//! wholly to its surroundings.
//!
//! The network is sure of the core of a thing and often half sure beside it (a flag behind a
//! shoulder, a blurred flank). Colours near by decide: a small picture is labelled by minimising
//! a quadratic energy of colour votes, of the mask where it is sure, and of smoothness across
//! alike neighbours (random walks with priors, Grady 2005), twice, the second time with the votes
//! of the first outcome; between both, patches that are [`strays`] go to the surroundings. Thin soft
//! edges stay those of the mask, and count as no doubt. Invariant: a mask of only 0 and 1
//! without holes in its votes comes back as it went in, up to soft edges.

use crate::Error;
use crate::box_blur::box_blur;
use crate::context::Context;
use crate::matte;
use crate::plane::{Gray, Plane, Rgb, distance2};
use crate::strays;
use crate::votes::Votes;

/// Longest side of the picture the question is settled on.
const SIDE: usize = 160;
/// Mask values from which a place is taken for the thing, and below which for surroundings.
const THING: f32 = 0.9;
const AROUND: f32 = 0.05;
/// Weights of the energy: fixed core, colour votes, the mask, the mask where it is sure.
const FIXED: f32 = 10.0;
const COLOURS: f32 = 0.3;
const MASK: f32 = 0.03;
const SURE: f32 = 1.0;
/// Mean doubt near by (0 to 1) at which a sure mask is no more trusted than a doubtful one.
const DOUBT: f32 = 0.1;
/// Doubt of a place that is likelier the thing than not, below which there is none.
const LIKELY: f32 = 0.3;
/// Half the width of a doubtful part, in pixels of the small picture, that is no more than an edge.
const THIN: usize = 2;
/// Votes below which colours say little.
const FEW: f32 = 0.05;

/// The mask with its doubtful parts settled, at the size of `picture`.
pub(crate) fn settle(ctx: &Context<'_>, picture: &Rgb, mask: &Gray) -> Result<Gray, Error> {
    let longest = picture.w.max(picture.h).max(SIDE);
    let fit = |side: usize| (side * SIDE).div_ceil(longest).max(2);
    let (w, h) = (fit(picture.w), fit(picture.h));
    let small = picture.resize(w, h);
    let given = mask.resize(w, h);
    ctx.check()?;
    let mut held = Held::of(&given);
    let mut trust = trust(&given);
    let votes = Votes::new(&small);
    let ties = Ties::of(&small);
    let (mut thing, mut around) = (held.core.clone(), given.map(|m| m < AROUND));
    let mut settled = given.clone();
    for round in 0..2 {
        ctx.check()?;
        let mine = votes.count(|at| thing.data[at]);
        ctx.check()?;
        let theirs = votes.count(|at| around.data[at]);
        let mut weight = Vec::with_capacity(w * h);
        let mut wanted = Vec::with_capacity(w * h);
        for at in 0..w * h {
            if held.core.data[at] || held.outside.data[at] {
                weight.push(FIXED);
                wanted.push(f32::from(u8::from(held.core.data[at])));
                continue;
            }
            let sum = mine.data[at] + theirs.data[at] + FEW;
            let colours = COLOURS * (sum - FEW) / sum;
            let own = trust.data[at];
            weight.push(colours + own);
            wanted.push((colours * mine.data[at] / sum + own * given.data[at]) / (colours + own));
        }
        settled.data = ties.solve(ctx, &weight, &wanted, settled.data)?;
        if round == 0
            && let Some(stray) = strays::find(ctx, &small, &given, &settled, &held.core, &votes)?
        {
            let near = matte::dilate(&stray, THIN);
            for at in 0..w * h {
                if near.data[at] > 0.0 {
                    trust.data[at] = MASK;
                }
                if stray.data[at] > 0.0 {
                    (held.outside.data[at], settled.data[at]) = (true, 0.0);
                }
            }
        }
        thing = settled.map(|a| a > 0.75);
        around = settled.map(|a| a < 0.25);
    }
    ctx.check()?;
    let large = settled.resize(picture.w, picture.h);
    Ok(Plane {
        w: picture.w,
        h: picture.h,
        data: large
            .data
            .iter()
            .zip(&mask.data)
            .map(|(&a, &m)| {
                let (least, most) = ((a - 0.5) / 0.1, (a - 0.4) / 0.1);
                m.max(least).min(most).clamp(0.0, 1.0)
            })
            .collect(),
    })
}

/// What is not asked: the inside of the thing, and what lies well off it.
struct Held {
    core: Plane<bool>,
    outside: Plane<bool>,
}

impl Held {
    fn of(mask: &Gray) -> Self {
        let (w, h) = (mask.w, mask.h);
        let area = mask.data.iter().filter(|&&m| m > 0.5).count() as f32;
        let reach = ((0.1 * area.sqrt()).round() as usize).max(1);
        let not = |is: bool| if is { 0.0 } else { 1.0 };
        let near_thing = matte::dilate(&mask.map(|m| not(m < AROUND)), reach.div_ceil(2));
        let near_around = matte::dilate(&mask.map(|m| not(m >= THING)), reach);
        let inner = |at: usize| {
            let (x, y) = (at % w, at / w);
            x.min(y).min(w - 1 - x).min(h - 1 - y) >= reach
        };
        let data = near_around.data.iter().enumerate();
        Self {
            core: Plane {
                w,
                h,
                data: data.map(|(at, &near)| near <= 0.0 && inner(at)).collect(),
            },
            outside: near_thing.map(|near| near <= 0.0),
        }
    }
}

/// How far a mask is from saying yes or no, 0 to 1.
pub(crate) fn doubt(mask: f32) -> f32 {
    1.0 - (2.0 * mask - 1.0).abs()
}

/// The weight of the mask: large where it is sure and so is everything near. Every mask passes all
/// values at its edge, which is no doubt of the thing: only doubt that is wide counts. A network
/// says less than yes of much that a thing is made of, but rarely more than no of what is none.
fn trust(mask: &Gray) -> Gray {
    let doubt = mask.map(|m| {
        let plain = doubt(m);
        if m > 0.5 {
            ((plain - LIKELY) / (1.0 - LIKELY)).max(0.0)
        } else {
            plain
        }
    });
    let wide = matte::dilate(&matte::erode(&doubt, THIN), THIN);
    let near = box_blur(&wide, (mask.w.max(mask.h) / 20).max(1));
    Plane {
        w: mask.w,
        h: mask.h,
        data: doubt
            .data
            .iter()
            .zip(&near.data)
            .map(|(&own, &near)| {
                let sure = if own < 0.1 {
                    (1.0 - near / DOUBT).max(0.0)
                } else {
                    0.0
                };
                MASK + SURE * sure
            })
            .collect(),
    }
}

/// How strongly each pixel is tied to its neighbours: right, below, below right, below left.
struct Ties {
    w: usize,
    h: usize,
    ties: Vec<[f32; 4]>,
}

const STEPS: [(i64, i64); 4] = [(1, 0), (0, 1), (1, 1), (-1, 1)];

impl Ties {
    fn of(picture: &Rgb) -> Self {
        let (w, h) = (picture.w, picture.h);
        let mut gaps = Vec::with_capacity(w * h);
        let (mut sum, mut count) = (0.0_f64, 0_usize);
        for y in 0..h {
            for x in 0..w {
                gaps.push(STEPS.map(|(dx, dy)| {
                    let (nx, ny) = (x as i64 + dx, y as i64 + dy);
                    if nx < 0 || nx >= w as i64 || ny >= h as i64 {
                        return f32::INFINITY;
                    }
                    let gap = distance2(picture.at(x, y), picture.at(nx as usize, ny as usize));
                    sum += f64::from(gap);
                    count += 1;
                    gap
                }));
            }
        }
        let mean = ((sum / count.max(1) as f64) as f32).max(1.0);
        let strength = |gap: f32, diagonal: bool| {
            if gap.is_infinite() {
                return 0.0;
            }
            (-gap / (2.0 * mean)).exp() * if diagonal { 0.707 } else { 1.0 } + 1e-4
        };
        let ties = gaps
            .iter()
            .map(|gap| std::array::from_fn(|step| strength(gap[step], step > 1)))
            .collect();
        Self { w, h, ties }
    }

    /// Minimises `sum of weight * (a - wanted)^2 + sum of tie * (a - b)^2` by conjugate gradients
    /// with the diagonal as preconditioner, from `start`.
    fn solve(
        &self,
        ctx: &Context<'_>,
        weight: &[f32],
        wanted: &[f32],
        start: Vec<f32>,
    ) -> Result<Vec<f32>, Error> {
        let mut diagonal = weight.to_vec();
        self.each(|at, near, tie| {
            diagonal[at] += tie;
            diagonal[near] += tie;
        });
        let mut a = start;
        let product = self.product(weight, &a);
        let mut residual: Vec<f32> = (0..a.len())
            .map(|at| weight[at] * wanted[at] - product[at])
            .collect();
        let scaled = |residual: &[f32]| -> Vec<f32> {
            residual.iter().zip(&diagonal).map(|(r, d)| r / d).collect()
        };
        let mut heading = scaled(&residual);
        let mut size = dot(&residual, &heading);
        let enough = size * 1e-6;
        for round in 0..300 {
            if size <= enough || size <= 1e-12 {
                break;
            }
            if round % 16 == 0 {
                ctx.check()?;
            }
            let product = self.product(weight, &heading);
            let step = (size / dot(&heading, &product)) as f32;
            for at in 0..a.len() {
                a[at] += step * heading[at];
                residual[at] -= step * product[at];
            }
            let next = scaled(&residual);
            let next_size = dot(&residual, &next);
            let keep = (next_size / size) as f32;
            for (old, new) in heading.iter_mut().zip(next) {
                *old = new + keep * *old;
            }
            size = next_size;
        }
        Ok(a)
    }

    /// The gradient of half the energy without its constant part.
    fn product(&self, weight: &[f32], a: &[f32]) -> Vec<f32> {
        let mut out: Vec<f32> = weight.iter().zip(a).map(|(w, a)| w * a).collect();
        self.each(|at, near, tie| {
            let pull = tie * (a[at] - a[near]);
            out[at] += pull;
            out[near] -= pull;
        });
        out
    }

    fn each(&self, mut visit: impl FnMut(usize, usize, f32)) {
        let (w, h) = (self.w as i64, self.h as i64);
        for (at, ties) in self.ties.iter().enumerate() {
            let (x, y) = (at as i64 % w, at as i64 / w);
            for ((dx, dy), &tie) in STEPS.iter().zip(ties) {
                if tie > 0.0 && y + dy < h {
                    visit(at, ((y + dy) * w + x + dx) as usize, tie);
                }
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    /// A green disc on grey; left of it a red patch, in the picture and in doubt.
    fn scene() -> (Rgb, Gray) {
        let (w, h) = (160, 120);
        let mut picture = Plane::filled(w, h, [120.0, 120.0, 120.0]);
        let mut mask = Plane::filled(w, h, 0.0);
        for y in 0..h {
            for x in 0..w {
                let (dx, dy) = (x as f32 - 90.0, y as f32 - 60.0);
                if dx * dx + dy * dy < 40.0 * 40.0 {
                    picture.set(x, y, [30.0, 160.0, 60.0]);
                    mask.set(x, y, if dy > 22.0 { 0.4 } else { 1.0 });
                } else if x < 55 {
                    picture.set(x, y, [190.0, 40.0, 40.0]);
                    if x > 30 {
                        mask.set(x, y, 0.6);
                    }
                }
            }
        }
        (picture, mask)
    }

    #[test]
    fn doubtful_parts_go_where_their_colours_are() {
        let (picture, mask) = scene();
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut quiet = |_| {};
        let ctx = Context::new(&options, &mut quiet, &cancel);
        let settled = settle(&ctx, &picture, &mask).expect("settles");
        assert!(
            settled.at(40, 60) < 0.1,
            "red is around: {}",
            settled.at(40, 60)
        );
        assert!(
            settled.at(90, 90) > 0.9,
            "green is the thing: {}",
            settled.at(90, 90)
        );
        assert!(settled.at(90, 40) > 0.99 && settled.at(140, 20) < 0.01);
    }
}
