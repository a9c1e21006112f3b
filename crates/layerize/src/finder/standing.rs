//! What stands off from a ground.
//!
//! Pixels of other regions whose colour differs, and where compression left traces beside strong edges only what differs
//! more than these. A card that stands off as a whole does so beside its lettering too. Invariant: no pixel of the
//! ground's own region stands off.

use std::collections::HashMap;

use super::Finder;
use crate::Error;
use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::matte;
use crate::plane::max_difference;

/// How strong edges are that compression leaves traces beside, in levels, and how far beside: a block of JPEG.
const STRONG: f32 = 60.0;
const BLOCK: usize = 8;
/// How many times the least thing a region is that may stand off as a whole.
const LARGE: usize = 4;

impl Finder<'_> {
    /// What of `area` stands off from its ground, the region `base`.
    pub(super) fn standing(
        &self,
        area: &Blob,
        base: u32,
        ctx: &Context<'_>,
    ) -> Result<Blob, Error> {
        let rect = area.rect;
        let off = |x, y| max_difference(self.smooth.at(x, y), self.below.at(x, y));
        let differs = Blob::from_fn(rect, |x, y| {
            area.has(x, y) && self.label(x, y) != base && off(x, y) > self.levels.alike
        });
        ctx.check()?;
        if self.levels.beside <= self.levels.alike {
            return Ok(differs);
        }
        let strong = |x, y| area.has(x, y) && off(x, y) > STRONG;
        let near = matte::dilate(&Blob::from_fn(rect, strong).mask(rect), BLOCK);
        ctx.check()?;
        let mut standing = differs.clone();
        for at in (0..standing.bits.len()).filter(|&at| near.data[at] > 0.0) {
            standing.bits[at] &=
                off(rect.x + at % rect.w, rect.y + at / rect.w) > self.levels.beside;
        }
        ctx.check()?;
        // How many pixels of each region there are, and how many stand off where nothing strong is near.
        let mut counts: HashMap<u32, (usize, usize)> = HashMap::new();
        for at in (0..area.bits.len()).filter(|&at| area.bits[at]) {
            let label = self.label(rect.x + at % rect.w, rect.y + at / rect.w);
            let (all, clear) = counts.entry(label).or_default();
            *all += 1;
            *clear += usize::from(near.data[at] == 0.0 && standing.bits[at]);
        }
        ctx.check()?;
        let clear = |at: usize| {
            let label = self.label(rect.x + at % rect.w, rect.y + at / rect.w);
            let count = counts.get(&label);
            count.is_some_and(|&(all, clear)| clear * 2 >= all && all >= LARGE * self.least)
        };
        for at in (0..standing.bits.len()).filter(|&at| differs.bits[at]) {
            standing.bits[at] |= clear(at);
        }
        ctx.check()?;
        let own = Blob::from_fn(rect, |x, y| !area.has(x, y) || self.label(x, y) == base);
        restore(&mut standing, &own, |at| near.data[at] > 0.0, clear);
        Ok(standing)
    }
}

/// Gives back traces `near` strong edges that lie in regions which are `clear`, and nowhere beside the `ground`: they
/// would be gaps around what lies on a card.
fn restore(
    standing: &mut Blob,
    ground: &Blob,
    near: impl Fn(usize) -> bool,
    clear: impl Fn(usize) -> bool,
) {
    let (w, h) = (standing.rect.w, standing.rect.h);
    let trace = |at: usize| near(at) && !standing.bits[at] && !ground.bits[at];
    let traces = components::label(w, h, trace);
    let mut beside = vec![(false, false); traces.pieces.len()];
    for (at, &label) in traces.labels.data.iter().enumerate() {
        let Some(piece) = (label as usize).checked_sub(1) else {
            continue;
        };
        let (x, y) = (at % w, at / w);
        let around = [
            (x > 0).then(|| at - 1),
            (x + 1 < w).then_some(at + 1),
            (y > 0).then(|| at - w),
            (y + 1 < h).then_some(at + w),
        ];
        for near in around.into_iter().flatten() {
            beside[piece].0 |= standing.bits[near] && clear(near);
            beside[piece].1 |= ground.bits[near];
        }
    }
    for (bit, &label) in standing.bits.iter_mut().zip(&traces.labels.data) {
        *bit |= label > 0 && beside[label as usize - 1] == (true, false);
    }
}
