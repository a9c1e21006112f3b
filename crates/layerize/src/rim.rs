//! The edge of a thing in a photo, solved from the colours at both sides of it.
//!
//! Colours of the thing are carried on outwards, those of its surroundings inwards; where they
//! differ and explain what is seen, they tell the coverage better than any filter. Before rough
//! surroundings, which are not known to the pixel, they tell less, and nothing is added beyond
//! the mask. Places whose coverage would have to be far higher than it is, to be seen as they are,
//! belong to the surroundings.
//! Invariant: coverage changes in the edge alone, and stays within 0 and 1.

use crate::box_blur::box_blur;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2, mix};
use crate::{Error, components, matte, push_pull};

/// Distance of the colours at both sides, in levels, at which they tell as much as the filter does.
const FAR: f32 = 30.0;
/// What both sides leave unexplained, as a share of their squared distance, that makes them useless.
const LEFT: f32 = 0.5;
/// Distance from the surroundings, in levels, from which a place is not one of them; from twice
/// that on surely.
const OFF: f32 = 24.0;
/// Deviation of a channel, in levels, at which surroundings count as rough.
const ROUGH: f32 = 14.0;
/// Share of the coverage needed to explain what is seen below which a place is left alone.
const ENOUGH: f32 = 0.5;

/// What is known about the edge.
pub(crate) struct Rim<'a> {
    room: Rect,
    mask: &'a Gray,
    near: Gray,
    solid: Gray,
    /// What is seen, and the colours of the surroundings and of the thing, carried on; over `room`.
    seen: Rgb,
    below: Rgb,
    own: Rgb,
    /// Squared deviation of the surroundings, all channels together.
    rough: Gray,
}

impl<'a> Rim<'a> {
    /// The edge lies where `near` is above 0 and `solid`, the least coverage, below 1. `None` if
    /// there is nothing on one side. Surroundings are judged over `reach` pixels.
    pub(crate) fn of(
        picture: &Rgb,
        mask: &'a Gray,
        near: Gray,
        solid: Gray,
        alpha: &Gray,
        reach: usize,
        ctx: &Context<'_>,
    ) -> Result<Option<Self>, Error> {
        let (w, h) = (picture.w, picture.h);
        let Some(rect) = components::bounds(&near) else {
            return Ok(None);
        };
        let room = rect.grow(32, w, h);
        let seen = picture.crop(room);
        ctx.check()?;
        let both = mask.crop(room).data.into_iter().zip(alpha.crop(room).data);
        let covered = Plane {
            w: room.w,
            h: room.h,
            data: both.map(|(m, a)| if m > 0.15 { 1.0 } else { a }).collect(),
        };
        // The outskirts of a thing still hold some of its colour.
        let around = matte::dilate(&covered, 2 + w.max(h) / 200);
        let outer = around.map(|a| f32::from(u8::from(a <= 0.0)));
        let inner = solid.crop(room).map(|s| f32::from(u8::from(s > 0.99)));
        let some = |plane: &Gray| plane.data.iter().any(|&k| k > 0.0);
        if !some(&outer) || !some(&inner) {
            return Ok(None);
        }
        ctx.check()?;
        let below = push_pull::fill(&seen, &outer);
        ctx.check()?;
        let own = push_pull::fill(&seen, &inner);
        ctx.check()?;
        let rough = deviation(&seen, &outer, reach, ctx)?;
        Ok(Some(Self {
            room,
            mask,
            near,
            solid,
            seen,
            below,
            own,
            rough,
        }))
    }

    /// Betters the coverage in the edge.
    pub(crate) fn solve(&self, alpha: &mut Gray) {
        let room = self.room;
        for y in 0..room.h {
            for x in 0..room.w {
                let at = (room.y + y) * alpha.w + room.x + x;
                if self.near.data[at] > 0.02 && self.solid.data[at] < 0.99 {
                    alpha.data[at] = self.coverage(at, y * room.w + x, alpha.data[at]);
                }
            }
        }
    }

    /// Coverage of a place, `here` within the room, for which the filter says `filtered`.
    fn coverage(&self, at: usize, here: usize, filtered: f32) -> f32 {
        let (colour, ground) = (self.seen.data[here], self.below.data[here]);
        let (mask, rough) = (self.mask.data[at], self.rough.data[here]);
        let (share, sure) = between(colour, self.own.data[here], ground, rough);
        let solved = sure * share + (1.0 - sure) * filtered;
        let plain = 1.0 / (1.0 + rough / (3.0 * ROUGH * ROUGH));
        let solved = solved.min(mask) + plain * (solved - mask).max(0.0);
        let off = ((distance2(colour, ground).sqrt() - OFF) / OFF).clamp(0.0, 1.0);
        // What neither side explains (a highlight, a strap) is the thing's if the mask says so.
        let third = mask * off * (1.0 - sure);
        let value = solved.max(third).max(self.solid.data[at]);
        if value < 0.02 || value < ENOUGH * needed(colour, ground) {
            0.0
        } else {
            value
        }
    }
}

/// Squared deviation of the colours where `known` is 1, about each place; 0 where none is known.
fn deviation(picture: &Rgb, known: &Gray, reach: usize, ctx: &Context<'_>) -> Result<Gray, Error> {
    let (w, h) = (picture.w, picture.h);
    let pairs = || picture.data.iter().zip(&known.data);
    let data = pairs().map(|(c, &k)| c.map(|v| v * k)).collect();
    let sums = box_blur(&Plane { w, h, data }, reach);
    ctx.check()?;
    let data = pairs().map(|(c, &k)| k * distance2(*c, [0.0; 3])).collect();
    let squares = box_blur(&Plane { w, h, data }, reach);
    ctx.check()?;
    let share = box_blur(known, reach);
    let data = (0..w * h).map(|at| {
        let weight = share.data[at];
        if weight < 1e-4 {
            return 0.0;
        }
        let mean = sums.data[at].map(|sum| sum / weight);
        (squares.data[at] / weight - distance2(mean, [0.0; 3])).max(0.0)
    });
    Ok(Plane {
        w,
        h,
        data: data.collect(),
    })
}

/// How much of `own` over `ground` gives `colour`, and how far that can be told, both 0 to 1.
fn between(colour: [f32; 3], own: [f32; 3], ground: [f32; 3], rough: f32) -> (f32, f32) {
    let gap = distance2(own, ground);
    if gap < 1.0 {
        return (0.0, 0.0);
    }
    let along: f32 = (0..3)
        .map(|c| (colour[c] - ground[c]) * (own[c] - ground[c]))
        .sum();
    let share = (along / gap).clamp(0.0, 1.0);
    let left = distance2(colour, mix(ground, own, share));
    let explained = (1.0 - left / (LEFT * gap)).clamp(0.0, 1.0);
    (share, gap / (gap + FAR * FAR + 2.0 * rough) * explained)
}

/// The least coverage with which any colour over `ground` can give `colour`.
fn needed(colour: [f32; 3], ground: [f32; 3]) -> f32 {
    let each = colour.iter().zip(&ground).map(|(&seen, &under)| {
        if seen > under {
            (seen - under) / (255.0 - under)
        } else {
            (under - seen) / under.max(1.0)
        }
    });
    each.fold(0.0, f32::max).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_at_both_sides_tell_the_share_unless_they_are_alike_or_a_third_is_seen() {
        let (own, ground) = ([200.0, 60.0, 40.0], [40.0, 90.0, 160.0]);
        let (share, sure) = between(mix(ground, own, 0.3), own, ground, 0.0);
        assert!((share - 0.3).abs() < 1e-3 && sure > 0.9);
        let (_, sure) = between([50.0, 90.0, 160.0], [45.0, 92.0, 158.0], ground, 0.0);
        assert!(sure < 0.1, "alike: {sure}");
        let (_, sure) = between([250.0, 250.0, 30.0], own, ground, 0.0);
        assert!(sure < 0.4, "a third colour: {sure}");
    }

    #[test]
    fn what_is_needed_is_what_the_brightest_or_darkest_colour_would_have_to_cover() {
        assert!((needed([128.0, 0.0, 0.0], [0.0; 3]) - 0.502).abs() < 0.01);
        assert!((needed([100.0; 3], [200.0; 3]) - 0.5).abs() < 0.01);
        assert!(needed([77.0; 3], [77.0; 3]) <= 0.0);
    }
}
