//! The search for shapes on a ground, and for shapes on those.
//!
//! What differs from a ground falls into pieces; a piece is a shape, a panel with a ground of its
//! own, several shapes that overlap, or a picture. Soft darkening of a ground is a shadow, crumbs
//! are left where they are. Invariant: `below` always shows what was found so far.

mod lay;
mod pieces;

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::plane::{Rect, Rgb, max_difference};
use crate::scene::Cut;
use crate::{Error, ground, shadow, shape_edge};

/// How deep panels may nest.
const DEEPEST: usize = 4;
/// Least share of its piece that smooth regions must cover; else the piece is a picture.
const SMOOTH: f32 = 0.55;
/// The most things a designer puts on one canvas.
const MOST: usize = 32;
/// How many times the canvas the rectangles of all things together may be, or it is no design.
const ROOM: usize = 8;
/// How many ragged crumbs (noise, missed lettering) a design may have, and one whose ground is all
/// but wholly plain: there they are the noise that JPEG leaves about lettering.
const RAGGED_FEW: usize = 8;
const RAGGED_PLAIN: usize = 16;
/// Share of the ground that must be explained for that.
const ALL_PLAIN: f32 = 0.99;

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
    /// Pixels of the rectangles of everything found, which is what it takes in memory.
    spread: usize,
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
            spread: 0,
        }
    }

    /// Whether what was found looks like a photo rather than a design; `calm` is the share of the
    /// ground that is plain.
    pub(crate) fn busy(&self, calm: f32) -> bool {
        let few = if calm >= ALL_PLAIN {
            RAGGED_PLAIN
        } else {
            RAGGED_FEW
        };
        self.busy
            || self.found.len() > MOST
            || (self.ragged > few && self.ragged * 2 > self.found.len())
    }

    fn label(&self, x: usize, y: usize) -> u32 {
        self.regions.labels.at(x, y)
    }

    /// The ground that region `base` makes within `area`, over the rectangle of `area`.
    pub(crate) fn ground_of(
        &self,
        area: &Blob,
        base: u32,
        ctx: &Context<'_>,
    ) -> Result<Option<Rgb>, Error> {
        let rect = area.rect;
        let own = Blob::from_fn(rect, |x, y| self.label(x, y) == base && area.has(x, y));
        ctx.check()?;
        let solid = shape_edge::eroded(&own);
        let seed = if solid.area() >= 12 { solid } else { own };
        ctx.check()?;
        ground::fit(&self.smooth.crop(rect), &seed.bits, ctx)
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
        ctx.check()?;
        let standing = Blob::from_fn(rect, |x, y| {
            area.has(x, y)
                && self.label(x, y) != base
                && max_difference(self.smooth.at(x, y), self.below.at(x, y)) > self.alike
        });
        ctx.check()?;
        let pieces = components::label(rect.w, rect.h, |at| standing.bits[at]);
        let blobs = self.large(&pieces, rect, ctx)?;
        if depth == 0 && blobs.len() > MOST {
            self.busy = true;
            return Ok(());
        }
        if let Some(shade) = shade
            && let Some(cut) = shadow::cut(&shade, &blobs, rect, ctx)?
        {
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

    /// The pieces that are large enough to be things; `rect` is where their labels begin.
    fn large(
        &self,
        pieces: &Components,
        rect: Rect,
        ctx: &Context<'_>,
    ) -> Result<Vec<Blob>, Error> {
        let mut blobs = Vec::new();
        for (index, piece) in pieces.pieces.iter().enumerate() {
            if piece.area < self.least {
                continue;
            }
            ctx.check()?;
            let place = Rect {
                x: piece.rect.x + rect.x,
                y: piece.rect.y + rect.y,
                ..piece.rect
            };
            let own = index as u32 + 1;
            blobs.push(Blob::from_fn(place, |x, y| {
                pieces.labels.at(x - rect.x, y - rect.y) == own
            }));
        }
        Ok(blobs)
    }

    /// One connected piece: a picture, a shape, or several shapes.
    fn piece(&mut self, blob: &Blob, depth: usize, ctx: &mut Context<'_>) -> Result<(), Error> {
        if self.spread > ROOM * self.picture.data.len() {
            self.busy = true;
            return Ok(());
        }
        ctx.check()?;
        let mut sizes = HashMap::new();
        for y in blob.rect.y..blob.rect.y + blob.rect.h {
            for x in blob.rect.x..blob.rect.x + blob.rect.w {
                if blob.has(x, y) {
                    *sizes.entry(self.label(x, y)).or_insert(0_usize) += 1;
                }
            }
        }
        ctx.check()?;
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
            return self.lay_picture(blob, ctx);
        }
        ctx.check()?;
        let siblings = self.siblings(blob, &major, ctx)?;
        match siblings.len() {
            0 => self.lay_shape(blob, None, &[], depth, ctx),
            1 => self.lay_shape(blob, Some(siblings[0].0), &[], depth, ctx),
            _ => self.lay_overlapping(&siblings, depth, ctx),
        }
    }
}
