//! Which pieces on a ground are photographed and which are drawn.
//!
//! Each piece is judged by itself, so that a poster may hold a photo and a photo a drawn sign. A
//! large rough piece is photographed, unless it is a rectangle (a photo laid on a design) or lies
//! apart on a ground so plain that its colours alone cut it out. Invariant: nothing is laid here.

use super::{Finder, SMOOTH};
use crate::Error;
use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::ink::cover;
use crate::plane::{Rect, max_difference, mix};

/// Least share of the canvas of a piece whose roughness says anything: edges are most of a smaller
/// one.
const JUDGED: f32 = 0.01;
/// Share of flat places below which a piece is rough.
const ROUGH: f32 = 0.4;
/// The same for one that no smooth regions make up.
const BLURRED: f32 = 0.6;
/// Least share of a piece that a flat region which carries the rest of it has, least part of its
/// rectangle that such a region spans, and least share of it that is flat.
const CARRIES: f32 = 0.15;
const REACHES: f32 = 0.9;
const FLAT: f32 = 0.8;
/// Share of a frame that one colour over its ground explains, within how many levels, and how many times its own area it
/// encloses together with itself.
const OF_ONE: f32 = 0.6;
const WITHIN: f32 = 24.0;
const HOLLOW: usize = 3;
/// Share of the canvas from which a rough piece is photographed, and how many sides of the canvas a
/// smaller one touches to be.
const LARGE: f32 = 0.03;
const SIDES: usize = 2;
/// Share of its frame that a rectangle fills.
const SQUARE: f32 = 0.97;
/// Share of the ground that is plain where a piece that lies apart is cut by its colours.
const ALL_PLAIN: f32 = 0.99;
/// Part of what lies on the ground that is photographed where the whole picture is a photo.
const MOSTLY: f32 = 0.5;
/// More things than this are a crowd, which must have sharp outlines to be drawn: of at least this
/// share of their contrast within two pixels.
const CROWD: usize = 32;
const SHARP: f32 = 0.5;

impl Finder<'_> {
    /// Whether a piece is rough as photographs are, and large enough to tell.
    pub(super) fn is_textured(&self, blob: &Blob, area: usize) -> bool {
        area as f32 >= JUDGED * self.picture.data.len() as f32 && self.is_rough(blob, area)
    }

    /// Whether hardly a place of a piece is flat, or few are and no smooth regions make it up: a
    /// blurred photo.
    fn is_rough(&self, blob: &Blob, area: usize) -> bool {
        let flat = self.flat.share(blob);
        if flat < BLURRED && (self.is_carried(blob, area) || self.is_frame(blob, area)) {
            return false;
        }
        if !(ROUGH..BLURRED).contains(&flat) || self.calm >= ALL_PLAIN {
            return flat < ROUGH;
        }
        let sizes = self.sizes(blob);
        let large = sizes
            .values()
            .filter(|&&size| size * 25 >= area && size >= 16);
        (large.sum::<usize>() as f32) < SMOOTH * area as f32
    }

    /// Whether a piece is a line of one colour around something larger than itself: thin enough to be all
    /// edge where flatness is looked at.
    pub(super) fn is_frame(&self, blob: &Blob, area: usize) -> bool {
        if blob.rect.area() < HOLLOW * area || blob.filled().area() < HOLLOW * area {
            return false;
        }
        self.of_one_ink(blob) >= OF_ONE
    }

    /// Share of a piece that is explained by one colour over what lies below it, soft edges included.
    pub(super) fn of_one_ink(&self, blob: &Blob) -> f32 {
        let ink = self.extreme(blob);
        let (mut good, mut all) = (0_usize, 0_usize);
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (
                blob.rect.x + at % blob.rect.w,
                blob.rect.y + at / blob.rect.w,
            );
            let (seen, below) = (self.picture.at(x, y), self.below.at(x, y));
            let drawn = mix(below, ink, cover(seen, ink, below));
            all += 1;
            good += usize::from(max_difference(seen, drawn) <= WITHIN);
        }
        good as f32 / all.max(1) as f32
    }

    /// Whether one flat region is a good part of a piece and reaches to all its sides: a card with a photo
    /// on it.
    pub(super) fn is_carried(&self, blob: &Blob, area: usize) -> bool {
        self.carrier(blob, area).is_some()
    }

    /// That region.
    pub(super) fn carrier(&self, blob: &Blob, area: usize) -> Option<u32> {
        let sizes = self.sizes(blob);
        let (&carrier, &size) = sizes.iter().max_by_key(|&(&label, &size)| (size, label))?;
        if (size as f32) < CARRIES * area as f32 {
            return None;
        }
        let own = |x: usize, y: usize| blob.has(x, y) && self.label(x, y) == carrier;
        let own = Blob::from_fn(blob.rect, own);
        let reach = components::bounds(&own.mask(blob.rect)).map_or(0, Rect::area);
        let reaches = reach as f32 >= REACHES * blob.rect.area() as f32;
        (reaches && self.flat.share(&own) >= FLAT).then_some(carrier)
    }

    /// The pieces of the canvas that are drawn. The others are noted; if they are most of it, all
    /// are left.
    pub(super) fn drawn(
        &mut self,
        blobs: Vec<Blob>,
        ctx: &Context<'_>,
    ) -> Result<Vec<Blob>, Error> {
        let canvas = self.picture.data.len() as f32;
        let crowd = blobs.len() > CROWD;
        let (mut drawn, mut rough, mut all) = (Vec::new(), 0, 0);
        let mut sharp = 0;
        for blob in blobs {
            ctx.check()?;
            let area = blob.area();
            all += area;
            if crowd {
                sharp += usize::from(self.sharpness(&blob) >= SHARP);
            }
            if self.is_photographed(&blob, area, canvas) {
                rough += area;
                self.photographed.push(blob);
            } else {
                // Too small to be judged alone, but many of them tell.
                let small = (area as f32) < JUDGED * canvas && self.calm < ALL_PLAIN;
                if small && self.is_rough(&blob, area) && !self.is_thin(&blob) {
                    rough += area;
                }
                drawn.push(blob);
            }
        }
        let soft = crowd && sharp * 2 < drawn.len() + self.photographed.len();
        self.photo = soft || rough as f32 > MOSTLY * all as f32;
        Ok(drawn)
    }

    fn is_photographed(&self, blob: &Blob, area: usize, canvas: f32) -> bool {
        if !self.is_textured(blob, area) {
            return false;
        }
        let filled = blob.filled().area();
        if filled as f32 >= SQUARE * blob.rect.area() as f32 {
            return false;
        }
        let sides = self.sides(blob);
        let apart = self.calm >= ALL_PLAIN && sides == 0;
        !apart && (area as f32 >= LARGE * canvas || sides >= SIDES)
    }

    /// How many sides of the canvas a piece touches.
    pub(super) fn sides(&self, blob: &Blob) -> usize {
        let (rect, w, h) = (blob.rect, self.picture.w, self.picture.h);
        [
            rect.x == 0,
            rect.y == 0,
            rect.x + rect.w == w,
            rect.y + rect.h == h,
        ]
        .into_iter()
        .filter(|touches| *touches)
        .count()
    }

    /// How much of its contrast with the ground a piece gains within two pixels of its outline: near
    /// 1 where it is drawn, little where it is a blurred light or a star.
    fn sharpness(&self, blob: &Blob) -> f32 {
        let (w, h) = (self.picture.w as i64, self.picture.h as i64);
        let off = |x: usize, y: usize| max_difference(self.picture.at(x, y), self.below.at(x, y));
        let mut most = 0.0_f32;
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            most = most.max(off(
                blob.rect.x + at % blob.rect.w,
                blob.rect.y + at / blob.rect.w,
            ));
        }
        let mut steps: Vec<f32> = Vec::new();
        for (x, y) in blob.outline() {
            let mut highest = 0.0_f32;
            for (dx, dy) in [
                (2, 0),
                (-2, 0),
                (0, 2),
                (0, -2),
                (1, 1),
                (-1, -1),
                (1, -1),
                (-1, 1),
            ] {
                let (x, y) = (x + dx, y + dy);
                if x >= 0 && y >= 0 && x < w && y < h {
                    highest = highest.max(off(x as usize, y as usize));
                }
            }
            steps.push(highest);
        }
        steps.sort_by(f32::total_cmp);
        steps
            .get(steps.len() / 2)
            .map_or(0.0, |step| step / most.max(1.0))
    }
}
