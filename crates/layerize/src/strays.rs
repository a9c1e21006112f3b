//! Patches that a saliency mask took along: a stripe of what is behind a thing, of one colour, that
//! the network is sure of though it is not a part of it.
//!
//! Such a patch is closed by colour edges, holds nothing of the core of the thing, lies beside
//! surroundings that the network was in doubt about (well off the soft edge every mask has), and
//! its colour is found in the surroundings rather than in the rest of the thing. All of that is
//! asked for. Works on the small picture that [`crate::settle`] settles. Invariant: what the
//! network left in no doubt near by is never a stray.

use crate::Error;
use crate::components::{self, Components};
use crate::context::Context;
use crate::matte;
use crate::plane::{Gray, Plane, Rgb, max_difference};
use crate::settle::doubt;
use crate::votes::Votes;

/// Neighbours that differ by no more, in levels, are of one patch.
const JOINED: f32 = 8.0;
/// Least pixels of a patch, and the largest part of the picture it may be.
const LEAST: usize = 12;
const MOST: usize = 10;
/// The ring about a patch that is looked at: beyond its soft edge, and as far as the second.
const EDGE: usize = 2;
const RING: usize = 5;
/// Least share of the ring that is surroundings.
const BESIDE: f32 = 0.2;
/// Least mean doubt there.
const DOUBTED: f32 = 0.6;
/// How many times more the surroundings must hold of its colour than the rest of the thing.
const THEIRS: f32 = 1.5;

/// 1 where strays are, if there are any; `core` is the inside of the thing that nobody doubts.
pub(crate) fn find(
    ctx: &Context<'_>,
    picture: &Rgb,
    mask: &Gray,
    settled: &Gray,
    core: &Plane<bool>,
    votes: &Votes,
) -> Result<Option<Gray>, Error> {
    let (w, h) = (picture.w, picture.h);
    let joined = |a: usize, b: usize| {
        let beside = a.abs_diff(b) == 1 || a.abs_diff(b) == w;
        beside && max_difference(picture.data[a], picture.data[b]) <= JOINED
    };
    let patches = components::label_by(w, h, |_| true, joined);
    ctx.check()?;
    let mut inside = vec![(0_usize, false); patches.pieces.len()];
    for (at, &label) in patches.labels.data.iter().enumerate() {
        let (count, held) = &mut inside[label as usize - 1];
        *count += usize::from(settled.data[at] > 0.5);
        *held |= core.data[at];
    }
    let mut strays = None;
    for (index, piece) in patches.pieces.iter().enumerate() {
        let (count, held) = inside[index];
        let sized = piece.area >= LEAST && piece.area * MOST <= w * h;
        if !sized || held || count * 10 < piece.area * 6 {
            continue;
        }
        ctx.check()?;
        let name = index as u32 + 1;
        if !doubted(&patches, name, mask, settled) {
            continue;
        }
        let own = |at: usize| patches.labels.data[at] == name;
        let mine = votes.count(|at| settled.data[at] > 0.75 && !own(at));
        ctx.check()?;
        let theirs = votes.count(|at| settled.data[at] < 0.25 && !own(at));
        let sum = |votes: &Gray| {
            (0..w * h)
                .filter(|&at| own(at))
                .map(|at| votes.data[at])
                .sum()
        };
        let (mine, theirs): (f32, f32) = (sum(&mine), sum(&theirs));
        if theirs > THEIRS * mine {
            let strays = strays.get_or_insert_with(|| Plane::filled(w, h, 0.0));
            (0..w * h)
                .filter(|&at| own(at))
                .for_each(|at| strays.data[at] = 1.0);
        }
    }
    Ok(strays)
}

/// Whether the network was in doubt about the surroundings right beside a patch.
fn doubted(patches: &Components, name: u32, mask: &Gray, settled: &Gray) -> bool {
    let rect = patches.pieces[name as usize - 1].rect;
    let room = rect.grow(RING, mask.w, mask.h);
    let own = patches
        .labels
        .crop(room)
        .map(|l| f32::from(u8::from(l == name)));
    let (edge, ring) = (matte::dilate(&own, EDGE), matte::dilate(&own, RING));
    let (mask, settled) = (mask.crop(room), settled.crop(room));
    let (mut all, mut beside, mut sum) = (0_usize, 0_usize, 0.0);
    for at in (0..room.area()).filter(|&at| ring.data[at] > 0.0 && edge.data[at] <= 0.0) {
        all += 1;
        if settled.data[at] < 0.5 {
            beside += 1;
            sum += doubt(mask.data[at]);
        }
    }
    beside as f32 >= BESIDE * all as f32 && beside > 0 && sum >= DOUBTED * beside as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    const W: usize = 160;
    const H: usize = 120;
    const STRIPE: std::ops::Range<usize> = 70..90;

    /// A green thing at the right; left of it white ground with red stripes. The network takes the
    /// lower stripe along and is in doubt about the ground to the `doubt` given.
    fn found(doubt: f32) -> Option<Gray> {
        let mut picture = Plane::filled(W, H, [220.0, 220.0, 220.0]);
        let mut mask = Plane::filled(W, H, 0.0);
        for y in 0..H {
            for x in 0..W {
                let thing = x >= 40;
                let stripe = (20..40).contains(&y) || STRIPE.contains(&y);
                if thing {
                    picture.set(x, y, [30.0, 150.0, 60.0]);
                } else if stripe {
                    picture.set(x, y, [180.0, 30.0, 40.0]);
                }
                let sure = thing || STRIPE.contains(&y);
                let near = x >= 16;
                mask.set(
                    x,
                    y,
                    if !near && !sure {
                        0.0
                    } else if sure {
                        1.0
                    } else {
                        doubt
                    },
                );
            }
        }
        let settled = mask.map(|m| if m > 0.9 { 1.0 } else { 0.0 });
        let core = Plane {
            w: W,
            h: H,
            data: (0..W * H).map(|at| at % W > 60).collect(),
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let votes = Votes::new(&picture);
        find(&ctx, &picture, &mask, &settled, &core, &votes).expect("not cancelled")
    }

    #[test]
    fn a_stripe_of_the_ground_taken_along_is_a_stray_and_nothing_else_is() {
        let strays = found(0.5).expect("a stray");
        for (at, &stray) in strays.data.iter().enumerate() {
            let (x, y) = (at % W, at / W);
            assert_eq!(stray > 0.0, x < 40 && STRIPE.contains(&y), "at {x} {y}");
        }
    }

    #[test]
    fn a_part_that_the_network_saw_clearly_stays() {
        assert!(found(0.0).is_none());
    }
}
