//! What a connected piece is: a crumb, a thin thing, or smooth regions side by side.
//!
//! Nothing is laid here. Invariant: the siblings of a piece together are the piece.

use super::Finder;
use crate::Error;
use crate::blob::Blob;
use crate::context::Context;
use crate::shape_edge;

impl Finder<'_> {
    /// Whether a blob is small and has far more outline than a drawn shape of its size, or is a
    /// sliver along an edge.
    pub(super) fn is_crumb(&self, blob: &Blob, area: usize) -> bool {
        let share = area as f32 / (self.picture.w * self.picture.h) as f32;
        if share > 0.01 {
            return false;
        }
        // A bar is all outline too, but fills its rectangle.
        let bar = area * 10 >= blob.rect.area() * 9;
        let around = blob.outline().len() as f32;
        let ragged = around * around / (4.0 * std::f32::consts::PI * area as f32);
        let core = shape_edge::eroded(&shape_edge::eroded(&Blob::from_fn(
            blob.rect.grow(1, self.picture.w, self.picture.h),
            |x, y| blob.has(x, y),
        )));
        let ragged = !bar && ragged > if share < 0.003 { 5.0 } else { 9.0 };
        ragged || core.area() * 8 < area
    }

    /// Whether hardly anything remains of a blob after two pixels are taken off.
    pub(super) fn is_thin(&self, blob: &Blob) -> bool {
        let once = shape_edge::eroded(blob);
        shape_edge::eroded(&once).area() * 5 < blob.area()
    }

    /// The smooth regions that reach the outside of a piece, each with the pixels nearest to it.
    pub(super) fn siblings(
        &self,
        blob: &Blob,
        major: &[(u32, usize)],
        ctx: &Context<'_>,
    ) -> Result<Vec<(u32, Blob)>, Error> {
        let filled = blob.filled();
        let rect = blob.rect;
        let mut outer: Vec<u32> = Vec::new();
        for &(label, size) in major {
            ctx.check()?;
            let contact = self.outer_contact(&filled, label);
            if contact * contact * 12 >= size {
                outer.push(label);
            }
        }
        if outer.len() < 2 {
            let only = outer.first().map(|&label| (label, blob.clone()));
            return Ok(only.into_iter().collect());
        }
        ctx.check()?;
        let owners = self.nearest(blob, &outer);
        let mut siblings = Vec::new();
        for (k, &label) in outer.iter().enumerate() {
            ctx.check()?;
            let own = Blob::from_fn(rect, |x, y| {
                owners[(y - rect.y) * rect.w + x - rect.x] == k as u32 + 1
            });
            siblings.push((label, own));
        }
        Ok(siblings)
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
