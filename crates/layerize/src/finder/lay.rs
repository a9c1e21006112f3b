//! Pieces become cuts: shapes that overlap, single shapes and what lies on them, pictures.
//!
//! Invariant: every cut is shown in `below` as soon as it is laid, so the next one is measured
//! against it.

use std::cmp::Reverse;

use super::photo::PHOTO;
use super::{DEEPEST, DETAILS, Finder};
use crate::blob::Blob;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, max_difference, mix};
use crate::reading_order::reading_order;
use crate::scene::{Cut, Edge};
use crate::{Error, LayerKind, matte, outline, shape_edge};

/// Difference of two turns, in radians, below which they say nothing about which shape is in front.
const ALIKE: f32 = 0.12;

impl Finder<'_> {
    /// Shapes that touch: brought in order by their outlines, the lower ones completed.
    pub(super) fn lay_overlapping(
        &mut self,
        siblings: &[(u32, Blob)],
        depth: usize,
        ctx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let count = siblings.len();
        let mut height = vec![0_i32; count];
        for a in 0..count {
            for b in a + 1..count {
                let (one, two) = (&siblings[a].1, &siblings[b].1);
                if let (Some(own), Some(other)) =
                    (outline::turning(one, two), outline::turning(two, one))
                {
                    // Where neither runs on clearly more smoothly, the smaller one lies on the larger.
                    if (own - other).abs() < ALIKE {
                        continue;
                    }
                    let front = if own < other { a } else { b };
                    height[front] += 1;
                    height[a + b - front] -= 1;
                }
            }
            ctx.check()?;
        }
        let rects: Vec<Rect> = siblings.iter().map(|(_, blob)| blob.rect).collect();
        let mut order = reading_order(&rects, (self.picture.w, self.picture.h));
        order.sort_by_key(|&k| (height[k], Reverse(magnitude(siblings[k].1.area()))));
        for (place, &k) in order.iter().enumerate() {
            let mut whole = siblings[k].1.clone();
            let above: Vec<&Blob> = order[place + 1..].iter().map(|&j| &siblings[j].1).collect();
            for other in &above {
                whole = outline::completed(&whole, other, ctx)?;
            }
            if siblings[k].0 == PHOTO {
                self.lay_photo(&whole, &siblings[k].1, ctx)?;
            } else {
                self.lay_shape(&whole, Some(siblings[k].0), &above, depth, ctx)?;
            }
        }
        Ok(())
    }

    /// One shape with its colours, and then whatever lies on it.
    pub(crate) fn lay_shape(
        &mut self,
        blob: &Blob,
        label: Option<u32>,
        above: &[&Blob],
        depth: usize,
        ctx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let blob = &self.closed(blob);
        ctx.check()?;
        let rect = blob.rect.grow(3, self.picture.w, self.picture.h);
        let wide = Blob::from_fn(rect, |x, y| blob.has(x, y));
        ctx.check()?;
        let plain = match label {
            Some(label) => self.ground_of(&wide, label, ctx)?,
            None => None,
        };
        ctx.check()?;
        let paint = match plain {
            Some(paint) => paint,
            None => Plane::filled(rect.w, rect.h, self.extreme(&wide)),
        };
        ctx.check()?;
        let alpha = shape_edge::alpha(&wide, above, self.picture, &paint, &self.below, ctx)?;
        ctx.check()?;
        let before = self.found.len();
        self.lay(Cut {
            kind: LayerKind::Shape,
            confidence: 0.9,
            name: String::new(),
            words: None,
            rect,
            alpha,
            paint,
            edge: Edge::Unmix,
        });
        if let (Some(label), true) = (label, depth < DEEPEST) {
            // With room, for what touches the rectangle counts as inside it.
            let mut core = blob.with_room(1, (self.picture.w, self.picture.h));
            let room = blob.rect.grow(3, self.picture.w, self.picture.h);
            for other in above {
                ctx.check()?;
                let near = matte::dilate(&other.mask(room), 3);
                core = Blob::from_fn(core.rect, |x, y| {
                    core.has(x, y) && near.at(x - room.x, y - room.y) <= 0.0
                });
            }
            for _ in 0..4 {
                ctx.check()?;
                core = shape_edge::eroded(&core);
            }
            self.search(&core, label, depth + 1, ctx)?;
        }
        if self.found.len() > before + 1 {
            self.found[before].kind = LayerKind::Panel;
        }
        Ok(())
    }

    /// The colour of a thin thing: the median of what stands off most from below.
    pub(super) fn extreme(&self, blob: &Blob) -> [f32; 3] {
        let rect = blob.rect;
        let mut seen: Vec<(f32, [f32; 3])> = Vec::new();
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (rect.x + at % rect.w, rect.y + at / rect.w);
            let colour = self.picture.at(x, y);
            seen.push((max_difference(colour, self.below.at(x, y)), colour));
        }
        seen.sort_by(|a, b| b.0.total_cmp(&a.0));
        seen.get(seen.len() / 6)
            .map_or([0.0; 3], |&(_, colour)| colour)
    }

    /// Small things that lie on one ground, as one layer, if they are enough to be seen.
    pub(super) fn lay_details(&mut self, blobs: &[Blob], ctx: &Context<'_>) -> Result<(), Error> {
        let canvas = self.picture.data.len() as f32;
        let area: usize = blobs.iter().map(Blob::area).sum();
        let Some(rect) = blobs.iter().map(|blob| blob.rect).reduce(Rect::union) else {
            return Ok(());
        };
        if (area as f32) < DETAILS * canvas {
            return Ok(());
        }
        let mut all = Blob {
            rect,
            bits: vec![false; rect.area()],
        };
        for blob in blobs {
            ctx.check()?;
            for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
                let (x, y) = (
                    blob.rect.x + at % blob.rect.w,
                    blob.rect.y + at / blob.rect.w,
                );
                all.bits[(y - rect.y) * rect.w + x - rect.x] = true;
            }
        }
        let cut = picture(self.picture, &all, &all, ctx)?;
        self.lay(cut);
        Ok(())
    }

    /// Adds a cut on top and shows it in `below`.
    pub(super) fn lay(&mut self, cut: Cut) {
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                let a = cut.alpha.at(x, y);
                if a > 0.0 {
                    let at = (cut.rect.y + y) * self.below.w + cut.rect.x + x;
                    self.below.data[at] = mix(self.below.data[at], cut.paint.at(x, y), a);
                }
            }
        }
        self.spread += cut.rect.area();
        self.found.push(cut);
    }
}

/// How large an area is, in steps of a fifth, so that a pixel more does not tell two of a size apart.
fn magnitude(area: usize) -> i32 {
    (area as f32).log(1.2) as i32
}

/// What a set of pixels shows, as it is where it is `seen`, with an edge that is soft by geometry.
pub(crate) fn picture(
    picture: &Rgb,
    solid: &Blob,
    seen: &Blob,
    ctx: &Context<'_>,
) -> Result<Cut, Error> {
    let rect = solid.rect.grow(2, picture.w, picture.h);
    let alpha: Gray = shape_edge::soft(solid, rect);
    ctx.check()?;
    let paint = matte::pure_paint(&picture.crop(rect), &seen.mask(rect), ctx)?;
    Ok(Cut {
        kind: LayerKind::Object,
        confidence: 0.85,
        name: String::new(),
        words: None,
        rect,
        alpha,
        paint,
        edge: Edge::Soft,
    })
}
