//! The search for shapes on a ground, and for shapes on those.
//!
//! What differs from a ground falls into pieces; a piece is a shape, a panel with a ground of its
//! own, several shapes that overlap, or a picture. Soft darkening of a ground is a shadow, crumbs
//! are left where they are. Invariant: `below` always shows what was found so far.

pub(crate) mod lay;
mod photo;
mod pieces;
mod standing;
mod texture;

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::flatness::Flatness;
use crate::plane::{Rect, Rgb};
use crate::reading_order::reading_order;
use crate::scene::Cut;
use crate::{Error, ground, shadow, shape_edge};
use photo::PHOTO;

/// How deep panels may nest.
const DEEPEST: usize = 4;
/// Least share of its piece that smooth regions must cover; else the piece is a picture.
const SMOOTH: f32 = 0.55;
/// How many things on one ground are looked at one by one, the largest first; the rest are details
/// of it.
const MOST: usize = 48;
/// How many times the canvas the rectangles of all things together may be; what is found beyond that
/// stays on what it lies on.
const ROOM: usize = 8;
/// How many times the ringing what lies beside strong edges must stand off.
const RINGS: f32 = 3.0;
/// Least share of the canvas that crumbs and details on one ground cover to be a layer.
const DETAILS: f32 = 0.003;

/// What differs from a ground by less is taken for it, in levels, beside the noise.
const ALIKE: f32 = 6.0;
/// Least share of the canvas of a thing, and where more layers are asked for than a list usually has.
const LEAST: f32 = 2.5e-4;
const FINE: f32 = 1e-4;

/// What a difference of colours must exceed, in levels.
#[derive(Clone, Copy)]
pub(crate) struct Levels {
    /// To stand off from a ground.
    alike: f32,
    /// The same beside what stands off strongly, where compression left its traces.
    beside: f32,
    /// Typical noise of a pixel.
    noise: f32,
}

impl Levels {
    pub(crate) fn of(noise: f32, ringing: f32) -> Self {
        let alike = ALIKE + 2.0 * noise;
        Self {
            alike,
            beside: alike + RINGS * ringing,
            noise,
        }
    }
}

/// The search and what it has found so far.
pub(crate) struct Finder<'a> {
    picture: &'a Rgb,
    smooth: &'a Rgb,
    regions: &'a Components,
    levels: Levels,
    /// Whether small things are wanted, if one ink draws them.
    fine: bool,
    least: usize,
    /// What the cuts found so far look like together, over the canvas ground.
    pub(crate) below: Rgb,
    /// Bottom first.
    pub(crate) found: Vec<Cut>,
    /// Where the picture is flat.
    flat: &'a Flatness,
    /// The share of the canvas ground that is plain.
    calm: f32,
    /// Pieces on the canvas ground that are photographed rather than drawn; nothing was laid for
    /// them.
    pub(crate) photographed: Vec<Blob>,
    /// Whether these are most of what lies on the ground: the picture is a photo, and nothing was
    /// laid at all.
    pub(crate) photo: bool,
    /// Pixels of the rectangles of everything found, which is what it takes in memory.
    spread: usize,
}

impl<'a> Finder<'a> {
    /// A search over the whole canvas.
    pub(crate) fn new(
        picture: &'a Rgb,
        smooth: &'a Rgb,
        regions: &'a Components,
        flat: &'a Flatness,
        levels: Levels,
        fine: bool,
    ) -> Self {
        let least = if fine { FINE } else { LEAST };
        Self {
            picture,
            smooth,
            regions,
            levels,
            fine,
            least: (picture.data.len() as f32 * least).max(24.0) as usize,
            below: picture.clone(),
            found: Vec::new(),
            flat,
            calm: 1.0,
            photographed: Vec::new(),
            photo: false,
            spread: 0,
        }
    }

    /// Looks for what lies on the region `base`, the ground of the canvas, of which the share `calm`
    /// is plain.
    pub(crate) fn search_canvas(
        &mut self,
        canvas: &Blob,
        base: u32,
        calm: f32,
        ctx: &mut Context<'_>,
    ) -> Result<(), Error> {
        self.calm = calm;
        self.search(canvas, base, 0, ctx)
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
    pub(super) fn search(
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
            self.levels.alike,
        );
        ctx.check()?;
        let standing = self.standing(area, base, ctx)?;
        let pieces = components::label(rect.w, rect.h, |at| standing.bits[at]);
        let mut blobs = self.large(&pieces, rect, ctx)?;
        if depth == 0 {
            blobs = self.drawn(blobs, ctx)?;
            if self.photo {
                return Ok(());
            }
        }
        if let Some(shade) = shade
            && let Some(cut) = shadow::cut(&shade, &blobs, rect, ctx)?
        {
            self.lay(cut);
        }
        blobs.sort_by_key(|blob| Reverse(blob.area()));
        let mut details = blobs.split_off(blobs.len().min(MOST));
        // As they are read, so that the order of layers does not depend on which of two is larger.
        for (index, blob) in self.as_read(blobs).into_iter().enumerate() {
            if depth == 0 {
                ctx.reach(0.4 + 0.6 * (index as f32 / MOST as f32).min(1.0))?;
            }
            if !self.piece(&blob, depth, ctx)? {
                details.push(blob);
            }
        }
        self.lay_details(&details, ctx)
    }

    /// Things in the order they are read.
    fn as_read(&self, blobs: Vec<Blob>) -> Vec<Blob> {
        let rects: Vec<Rect> = blobs.iter().map(|blob| blob.rect).collect();
        let order = reading_order(&rects, (self.picture.w, self.picture.h));
        let mut blobs: Vec<Option<Blob>> = blobs.into_iter().map(Some).collect();
        let each = order.into_iter().filter_map(|at| blobs[at].take());
        each.collect()
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

    /// How many pixels of a piece each smooth region has.
    fn sizes(&self, blob: &Blob) -> HashMap<u32, usize> {
        let mut sizes = HashMap::new();
        for y in blob.rect.y..blob.rect.y + blob.rect.h {
            for x in blob.rect.x..blob.rect.x + blob.rect.w {
                if blob.has(x, y) {
                    *sizes.entry(self.label(x, y)).or_insert(0_usize) += 1;
                }
            }
        }
        sizes
    }

    /// One connected piece: a picture, a shape, or several shapes. False if it is a crumb, for which
    /// nothing was laid.
    fn piece(&mut self, blob: &Blob, depth: usize, ctx: &mut Context<'_>) -> Result<bool, Error> {
        if self.spread > ROOM * self.picture.data.len() {
            return Ok(true);
        }
        ctx.check()?;
        let sizes = self.sizes(blob);
        ctx.check()?;
        let area = blob.area();
        if self.is_crumb(blob, area) {
            return Ok(false);
        }
        let mut major: Vec<(u32, usize)> = sizes
            .into_iter()
            .filter(|&(_, size)| size * 25 >= area && size >= 16)
            .collect();
        major.sort_by_key(|&(label, size)| (Reverse(size), label));
        let smooth: usize = major.iter().map(|&(_, size)| size).sum();
        let thin = area < 6 * self.least || self.is_thin(blob) || self.is_frame(blob, area);
        let rough = (smooth as f32) < SMOOTH * area as f32 && !self.is_carried(blob, area);
        if (rough || self.is_textured(blob, area)) && !thin {
            self.lay_picture(blob, depth, ctx)?;
            return Ok(true);
        }
        ctx.check()?;
        let siblings = self.siblings(blob, &major, ctx)?;
        let siblings = self.photo_apart(siblings, ctx)?;
        match &siblings[..] {
            [] => self.lay_shape(blob, None, &[], depth, ctx),
            [(PHOTO, photo)] => self.lay_photo(photo, photo, ctx),
            [(label, _)] => self.lay_shape(blob, Some(*label), &[], depth, ctx),
            _ => self.lay_overlapping(&siblings, depth, ctx),
        }?;
        Ok(true)
    }
}
