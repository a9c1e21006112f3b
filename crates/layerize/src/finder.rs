//! The search for shapes on a ground, and for shapes on those.
//!
//! What differs from a ground falls into pieces; a piece is a shape, a panel with a ground of its
//! own, several shapes that overlap, or a picture. Soft darkening of a ground is a shadow, crumbs
//! are left where they are. Invariant: `below` always shows what was found so far.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, max_difference, mix};
use crate::scene::{Cut, Edge};
use crate::{Error, LayerKind, ground, outline, shadow, shape_edge};

/// How deep panels may nest.
const DEEPEST: usize = 4;
/// Least share of its piece that smooth regions must cover; else the piece is a picture.
const SMOOTH: f32 = 0.55;
/// The most things a designer puts on one canvas.
const MOST: usize = 32;
/// How many ragged crumbs (noise, missed lettering) a design may have.
const RAGGED_FEW: usize = 8;

/// The search and what it has found so far.
pub(crate) struct Finder<'a> {
    picture: &'a Rgb,
    smooth: &'a Rgb,
    regions: &'a Components,
    alike: f32,
    least: usize,
    /// What the cuts found so far look like together, over the canvas ground.
    pub(crate) below: Rgb,
    /// Bottom first.
    pub(crate) found: Vec<Cut>,
    /// So many things lie on the canvas that it is no design.
    busy: bool,
    /// Small pieces without a shape of their own, which were left where they are.
    ragged: usize,
}

impl<'a> Finder<'a> {
    /// A search over the whole canvas; `alike` is the difference, in levels, up to which a pixel is
    /// taken for the ground.
    pub(crate) fn new(
        picture: &'a Rgb,
        smooth: &'a Rgb,
        regions: &'a Components,
        alike: f32,
    ) -> Self {
        Self {
            picture,
            smooth,
            regions,
            alike,
            least: (picture.data.len() as f32 * 2.5e-4).max(24.0) as usize,
            below: picture.clone(),
            found: Vec::new(),
            busy: false,
            ragged: 0,
        }
    }

    /// Whether what was found looks like a photo rather than a design.
    pub(crate) fn busy(&self) -> bool {
        self.busy
            || self.found.len() > MOST
            || (self.ragged > RAGGED_FEW && self.ragged * 2 > self.found.len())
    }

    fn label(&self, x: usize, y: usize) -> u32 {
        self.regions.labels.at(x, y)
    }

    /// The ground that region `base` makes within `area`, over the rectangle of `area`.
    pub(crate) fn ground_of(&self, area: &Blob, base: u32) -> Option<Rgb> {
        let rect = area.rect;
        let own = Blob::from_fn(rect, |x, y| self.label(x, y) == base && area.has(x, y));
        let solid = shape_edge::eroded(&own);
        let seed = if solid.area() >= 12 { solid } else { own };
        ground::fit(&self.smooth.crop(rect), &seed.bits)
    }

    /// Finds what lies on `base` within `area`; `self.below` already shows the ground there.
    pub(crate) fn search(
        &mut self,
        area: &Blob,
        base: u32,
        depth: usize,
        ctx: &mut Context<'_>,
    ) -> Result<(), Error> {
        ctx.check()?;
        let rect = area.rect;
        let shade = shadow::find(
            area,
            self.smooth,
            &self.below,
            |x, y| self.label(x, y) == base,
            self.alike,
        );
        let standing = Blob::from_fn(rect, |x, y| {
            area.has(x, y)
                && self.label(x, y) != base
                && max_difference(self.smooth.at(x, y), self.below.at(x, y)) > self.alike
        });
        let pieces = components::label(rect.w, rect.h, |at| standing.bits[at]);
        let blobs: Vec<Blob> = pieces
            .pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.area >= self.least)
            .map(|(index, piece)| {
                let place = Rect {
                    x: piece.rect.x + rect.x,
                    y: piece.rect.y + rect.y,
                    ..piece.rect
                };
                let own = index as u32 + 1;
                Blob::from_fn(place, |x, y| {
                    pieces.labels.at(x - rect.x, y - rect.y) == own
                })
            })
            .collect();
        if depth == 0 && blobs.len() > MOST {
            self.busy = true;
            return Ok(());
        }
        if let Some(cut) = shade.and_then(|shade| shadow::cut(&shade, &blobs, rect)) {
            self.lay(cut);
        }
        for (index, blob) in blobs.iter().enumerate() {
            if depth == 0 {
                ctx.reach(0.4 + 0.6 * index as f32 / blobs.len() as f32)?;
            }
            self.piece(blob, depth, ctx)?;
        }
        Ok(())
    }

    /// One connected piece: a picture, a shape, or several shapes.
    fn piece(&mut self, blob: &Blob, depth: usize, ctx: &mut Context<'_>) -> Result<(), Error> {
        let mut sizes = HashMap::new();
        for y in blob.rect.y..blob.rect.y + blob.rect.h {
            for x in blob.rect.x..blob.rect.x + blob.rect.w {
                if blob.has(x, y) {
                    *sizes.entry(self.label(x, y)).or_insert(0_usize) += 1;
                }
            }
        }
        let area = blob.area();
        if self.is_crumb(blob, area) {
            self.ragged += 1;
            return Ok(());
        }
        let mut major: Vec<(u32, usize)> = sizes
            .into_iter()
            .filter(|&(_, size)| size * 25 >= area && size >= 16)
            .collect();
        major.sort_by_key(|&(label, size)| (Reverse(size), label));
        let smooth: usize = major.iter().map(|&(_, size)| size).sum();
        let thin = area < 6 * self.least || self.is_thin(blob);
        if (smooth as f32) < SMOOTH * area as f32 && !thin {
            self.lay_picture(blob);
            return Ok(());
        }
        let siblings = self.siblings(blob, &major);
        match siblings.len() {
            0 => self.lay_shape(blob, None, &[], depth, ctx),
            1 => self.lay_shape(blob, Some(siblings[0].0), &[], depth, ctx),
            _ => self.lay_overlapping(&siblings, depth, ctx),
        }
    }

    /// Whether a blob is small and has far more outline than a drawn shape of its size, or is a
    /// sliver along an edge.
    fn is_crumb(&self, blob: &Blob, area: usize) -> bool {
        let share = area as f32 / (self.picture.w * self.picture.h) as f32;
        if share > 0.01 {
            return false;
        }
        let around = blob.outline().len() as f32;
        let ragged = around * around / (4.0 * std::f32::consts::PI * area as f32);
        let core = shape_edge::eroded(&shape_edge::eroded(&Blob::from_fn(
            blob.rect.grow(1, self.picture.w, self.picture.h),
            |x, y| blob.has(x, y),
        )));
        ragged > if share < 0.003 { 5.0 } else { 9.0 } || core.area() * 8 < area
    }

    /// Whether hardly anything remains of a blob after two pixels are taken off.
    fn is_thin(&self, blob: &Blob) -> bool {
        let once = shape_edge::eroded(blob);
        shape_edge::eroded(&once).area() * 5 < blob.area()
    }

    /// The smooth regions that reach the outside of a piece, each with the pixels nearest to it.
    fn siblings(&self, blob: &Blob, major: &[(u32, usize)]) -> Vec<(u32, Blob)> {
        let filled = blob.filled();
        let rect = blob.rect;
        let mut outer: Vec<u32> = Vec::new();
        for &(label, size) in major {
            let contact = self.outer_contact(&filled, label);
            if contact * contact * 12 >= size {
                outer.push(label);
            }
        }
        if outer.len() < 2 {
            return outer
                .first()
                .map(|&label| (label, blob.clone()))
                .into_iter()
                .collect();
        }
        let owners = self.nearest(blob, &outer);
        outer
            .iter()
            .enumerate()
            .map(|(k, &label)| {
                let own = Blob::from_fn(rect, |x, y| {
                    owners[(y - rect.y) * rect.w + x - rect.x] == k as u32 + 1
                });
                (label, own)
            })
            .collect()
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

    /// Shapes that touch: brought in order by their outlines, the lower ones completed.
    fn lay_overlapping(
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
                    let front = if own <= other { a } else { b };
                    height[front] += 1;
                    height[a + b - front] -= 1;
                }
            }
            ctx.check()?;
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&k| (height[k], Reverse(siblings[k].1.area())));
        for (place, &k) in order.iter().enumerate() {
            let mut whole = siblings[k].1.clone();
            let above: Vec<&Blob> = order[place + 1..].iter().map(|&j| &siblings[j].1).collect();
            for other in &above {
                whole = outline::completed(&whole, other);
            }
            self.lay_shape(&whole, Some(siblings[k].0), &above, depth, ctx)?;
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
        let rect = blob.rect.grow(3, self.picture.w, self.picture.h);
        let wide = Blob::from_fn(rect, |x, y| blob.has(x, y));
        let paint = match label.and_then(|label| self.ground_of(&wide, label)) {
            Some(paint) => paint,
            None => Plane::filled(rect.w, rect.h, self.extreme(&wide)),
        };
        let alpha = shape_edge::alpha(&wide, above, self.picture, &paint, &self.below);
        let before = self.found.len();
        self.lay(Cut {
            kind: LayerKind::Shape,
            confidence: 0.9,
            name: String::new(),
            rect,
            alpha,
            paint,
            edge: Edge::Unmix,
        });
        if let (Some(label), true) = (label, depth < DEEPEST) {
            let inner = Blob::from_fn(blob.rect, |x, y| {
                blob.has(x, y) && !above.iter().any(|other| near(other, x, y))
            });
            let core = (0..4).fold(inner, |left, _| shape_edge::eroded(&left));
            self.search(&core, label, depth + 1, ctx)?;
        }
        if self.found.len() > before + 1 {
            self.found[before].kind = LayerKind::Panel;
        }
        Ok(())
    }

    /// The colour of a thin thing: the median of what stands off most from below.
    fn extreme(&self, blob: &Blob) -> [f32; 3] {
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

    /// A piece of many colours, kept as it is.
    fn lay_picture(&mut self, blob: &Blob) {
        let rect = blob.rect.grow(2, self.picture.w, self.picture.h);
        let solid = shape_edge::squared(&blob.filled());
        let alpha: Gray = shape_edge::soft(&solid, rect);
        let paint = crate::matte::pure_paint(&self.picture.crop(rect), &solid.mask(rect));
        self.lay(Cut {
            kind: LayerKind::Object,
            confidence: 0.85,
            name: String::new(),
            rect,
            alpha,
            paint,
            edge: Edge::Soft,
        });
    }

    /// Adds a cut on top and shows it in `below`.
    fn lay(&mut self, cut: Cut) {
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                let a = cut.alpha.at(x, y);
                if a > 0.0 {
                    let at = (cut.rect.y + y) * self.below.w + cut.rect.x + x;
                    self.below.data[at] = mix(self.below.data[at], cut.paint.at(x, y), a);
                }
            }
        }
        self.found.push(cut);
    }
}

fn near(other: &Blob, x: usize, y: usize) -> bool {
    let (x, y) = (x as i64, y as i64);
    (-3..=3).any(|dy| (-3..=3).any(|dx| other.holds(x + dx, y + dy)))
}
