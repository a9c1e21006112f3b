//! What a connected piece is: a crumb, a thin thing, or smooth regions side by side.
//!
//! Nothing is laid here. Invariant: the siblings of a piece together are the piece.

use super::Finder;
use crate::Error;
use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::plane::{Rect, max_difference};
use crate::shape_edge;

/// Least share of the canvas of a stroke that is all outline, of a piece that one ink explains, and how far that stands off,
/// in levels.
const STROKE: f32 = 0.001;
const INKED: f32 = 0.8;
const CLEAR: f32 = 48.0;
/// Least part of the canvas's longer side that a rule is long, thinner than which a bar may be, and how
/// far it stands off at least, in levels.
const RULE: f32 = 0.08;
const FAINT: f32 = 16.0;
/// How many times more than a trace the edge stands off that it lies along.
const STRONGER: f32 = 1.3;
/// Largest part of a piece that gaps in it may be to be things, and the least share of the canvas of such a thing.
const GAPS: f32 = 0.55;
const THING: f32 = 0.001;
/// Difference of two regions of one piece, in levels, up to which noise may have parted them.
const ONE: f32 = 8.0;

impl Finder<'_> {
    /// Whether a blob is small and has far more outline than a drawn shape of its size, or is a
    /// sliver along an edge.
    pub(super) fn is_crumb(&self, blob: &Blob, area: usize) -> bool {
        let share = area as f32 / (self.picture.w * self.picture.h) as f32;
        if share > 0.01 {
            return false;
        }
        // A bar is all outline too, but fills its rectangle.
        let (long, short) = (blob.rect.w.max(blob.rect.h), blob.rect.w.min(blob.rect.h));
        let bar = area * 10 >= blob.rect.area() * if long >= 4 * short { 8 } else { 9 };
        let around = blob.outline().len() as f32;
        let ragged = around * around / (4.0 * std::f32::consts::PI * area as f32);
        let core = shape_edge::eroded(&shape_edge::eroded(&Blob::from_fn(
            blob.rect.grow(1, self.picture.w, self.picture.h),
            |x, y| blob.has(x, y),
        )));
        // A rule is all edge, and a curved stroke all outline, but one ink draws them.
        let rule = long as f32 >= RULE * self.picture.w.max(self.picture.h) as f32;
        if bar && long >= 8 * short && (short >= 3 || rule) {
            let stands = || self.standing_off(blob) >= self.levels.beside.max(FAINT);
            return !(rule && stands() || self.is_inked(blob)) || self.is_trace(blob);
        }
        if self.fine && self.is_inked(blob) && !self.is_trace(blob) {
            return shape_edge::eroded(blob).area() * 4 < area;
        }
        let ragged = !bar
            && ragged > if share < 0.003 { 5.0 } else { 9.0 }
            && !(share >= STROKE && self.is_inked(blob));
        ragged || core.area() * 8 < area
    }

    /// Whether one colour that stands off clearly explains a piece: it was drawn.
    fn is_inked(&self, blob: &Blob) -> bool {
        self.standing_off(blob) >= CLEAR && self.of_one_ink(blob) >= INKED
    }

    /// Whether a piece is what compression left along an edge that is stronger than it.
    fn is_trace(&self, blob: &Blob) -> bool {
        if self.levels.beside <= self.levels.alike {
            return false;
        }
        let (w, h) = (self.picture.w as i64, self.picture.h as i64);
        let strong = STRONGER * self.standing_off(blob);
        let (mut beside, mut all) = (0_usize, 0_usize);
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let x = (blob.rect.x + at % blob.rect.w) as i64;
            let y = (blob.rect.y + at / blob.rect.w) as i64;
            let far = (3..=6).flat_map(|by| [(x + by, y), (x - by, y), (x, y + by), (x, y - by)]);
            all += 1;
            beside += usize::from(far.into_iter().any(|(x, y)| {
                (0..w).contains(&x) && (0..h).contains(&y) && !blob.holds(x, y) && {
                    let (x, y) = (x as usize, y as usize);
                    max_difference(self.smooth.at(x, y), self.below.at(x, y)) > strong
                }
            }));
        }
        beside * 2 > all
    }

    /// How far the ink of a piece is off what lies below it, in levels.
    fn standing_off(&self, blob: &Blob) -> f32 {
        max_difference(self.extreme(blob), self.below.at(blob.rect.x, blob.rect.y))
    }

    /// A piece with those of its gaps closed that are things of the ground's colour which lie on it, such as a white sign
    /// on a label on white paper; what runs around in the shape of the piece is a ring, and large gaps are gaps.
    pub(super) fn closed(&self, blob: &Blob) -> Blob {
        let filled = blob.filled();
        let (all, own) = (filled.area(), blob.area());
        if (all - own) as f32 > GAPS * all as f32 {
            return blob.clone();
        }
        let rect = blob.rect;
        let gaps = components::label(rect.w, rect.h, |at| filled.bits[at] && !blob.bits[at]);
        let least = (THING * self.picture.data.len() as f32) as usize;
        let is_thing = |gap: &components::Piece| {
            let fills = |area: usize, rect: Rect| area as f32 / rect.area() as f32;
            let ratio = |rect: Rect| rect.w as f32 / rect.h as f32;
            let middle = |from: usize, length: usize| from as f32 + length as f32 / 2.0;
            let off = (middle(gap.rect.x, gap.rect.w) - rect.w as f32 / 2.0)
                .hypot(middle(gap.rect.y, gap.rect.h) - rect.h as f32 / 2.0);
            let ring = off < 0.1 * rect.w.max(rect.h) as f32
                && (fills(gap.area, gap.rect) - fills(all, rect)).abs() < 0.1
                && (ratio(gap.rect) / ratio(rect)).ln().abs() < 0.2
                && gap.rect.w * 3 > rect.w;
            gap.area >= least.max(self.least) && !ring
        };
        let things: Vec<bool> = gaps.pieces.iter().map(is_thing).collect();
        let mut closed = blob.clone();
        for (bit, &gap) in closed.bits.iter_mut().zip(&gaps.labels.data) {
            *bit |= gap > 0 && things[gap as usize - 1];
        }
        closed
    }

    /// Whether hardly anything remains of a blob after two pixels are taken off.
    pub(super) fn is_thin(&self, blob: &Blob) -> bool {
        let once = shape_edge::eroded(blob);
        shape_edge::eroded(&once).area() * 5 < blob.area()
    }

    /// The mean colour of a region within a piece.
    pub(super) fn mean(&self, blob: &Blob, label: u32) -> [f32; 3] {
        let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (
                blob.rect.x + at % blob.rect.w,
                blob.rect.y + at / blob.rect.w,
            );
            if self.label(x, y) == label {
                let colour = self.smooth.at(x, y);
                sum = [0, 1, 2].map(|c| sum[c] + colour[c]);
                count += 1.0;
            }
        }
        sum.map(|value| value / count.max(1.0))
    }

    /// The smooth regions that reach the outside of a piece, each with the pixels nearest to it; regions of one colour
    /// are one.
    pub(super) fn siblings(
        &self,
        blob: &Blob,
        major: &[(u32, usize)],
        ctx: &Context<'_>,
    ) -> Result<Vec<(u32, Blob)>, Error> {
        let filled = blob.filled();
        let rect = blob.rect;
        let (mut outer, mut rims): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for &(label, size) in major {
            ctx.check()?;
            let contact = self.outer_contact(&filled, label);
            if contact * contact * 12 >= size {
                (if self.is_rim(blob, label, size) {
                    &mut rims
                } else {
                    &mut outer
                })
                .push(label);
            }
        }
        if outer.is_empty() {
            outer = rims;
        }
        if outer.is_empty() {
            // A card with a border of its own colour.
            outer.extend(self.carrier(blob, blob.area()));
        }
        if outer.len() < 2 {
            let only = outer.first().map(|&label| (label, blob.clone()));
            return Ok(only.into_iter().collect());
        }
        ctx.check()?;
        let owners = self.nearest(blob, &outer);
        // The first of the regions that each looks like: the larger ones come first.
        let colours: Vec<[f32; 3]> = outer.iter().map(|&label| self.mean(blob, label)).collect();
        let alike = |k: usize| {
            let like = |&other: &usize| max_difference(colours[k], colours[other]) <= ONE;
            (0..k).find(like).unwrap_or(k)
        };
        let group: Vec<usize> = (0..outer.len()).map(alike).collect();
        let mut siblings = Vec::new();
        for (k, &label) in outer.iter().enumerate().filter(|&(k, _)| group[k] == k) {
            ctx.check()?;
            let own = Blob::from_fn(rect, |x, y| {
                let owner = owners[(y - rect.y) * rect.w + x - rect.x] as usize;
                owner > 0 && group[owner - 1] == k
            });
            siblings.push((label, own));
        }
        Ok(siblings)
    }

    /// Whether a region of a piece is no wider than a soft edge.
    fn is_rim(&self, blob: &Blob, label: u32, size: usize) -> bool {
        let own = |x: usize, y: usize| blob.has(x, y) && self.label(x, y) == label;
        shape_edge::eroded(&Blob::from_fn(blob.rect, own)).area() * 10 < size
    }

    /// How many pixels of the region lie within three pixels of the outside of `filled`.
    fn outer_contact(&self, filled: &Blob, label: u32) -> usize {
        let rect = filled.rect;
        let mut count = 0;
        for y in rect.y..rect.y + rect.h {
            for x in rect.x..rect.x + rect.w {
                if self.label(x, y) == label && filled.has(x, y) {
                    let (x, y) = (x as i64, y as i64);
                    let out = [(3, 0), (-3, 0), (0, 3), (0, -3)]
                        .iter()
                        .any(|&(dx, dy)| !filled.holds(x + dx, y + dy));
                    count += usize::from(out);
                }
            }
        }
        count
    }

    /// For every pixel of the blob the number (from 1) of the label whose region is nearest along
    /// the blob.
    fn nearest(&self, blob: &Blob, labels: &[u32]) -> Vec<u32> {
        let rect = blob.rect;
        let mut owners = vec![0_u32; blob.bits.len()];
        let mut front: Vec<usize> = Vec::new();
        for (at, owner) in owners
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| blob.bits[*at])
        {
            let own = self.label(rect.x + at % rect.w, rect.y + at / rect.w);
            if let Some(k) = labels.iter().position(|&label| label == own) {
                *owner = k as u32 + 1;
                front.push(at);
            }
        }
        while !front.is_empty() {
            let mut next = Vec::new();
            for at in front {
                let (x, y) = (at % rect.w, at / rect.w);
                let around = [
                    (x > 0).then(|| at - 1),
                    (x + 1 < rect.w).then_some(at + 1),
                    (y > 0).then(|| at - rect.w),
                    (y + 1 < rect.h).then_some(at + rect.w),
                ];
                for near in around.into_iter().flatten() {
                    if blob.bits[near] && owners[near] == 0 {
                        owners[near] = owners[at];
                        next.push(near);
                    }
                }
            }
            front = next;
        }
        owners
    }
}
