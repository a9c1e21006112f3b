//! Photos among drawn things: smooth ones, whose parts would else be shapes, and plain signs that lie on photos.
//!
//! A photo that is out of focus falls into smooth regions as drawn things do, but these wave. Where a wavy one and
//! whatever beside it is no plain figure make up a rectangle or an ellipse, as a photo in a design does, they are one
//! photo. Invariant: what is laid for a photo shows the picture's own pixels wherever it is seen.

use super::Finder;
use super::lay::picture;
use crate::Error;
use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::plane::{Rect, max_difference};
use crate::shape_edge;
use crate::waves::{WAVE, WAVY, waves};

/// The label of a photo among regions, whose labels begin at 1.
pub(super) const PHOTO: u32 = 0;
/// Deviation of a plain figure from its mean colour beside the noise, in levels.
const PLAIN: f32 = 1.5;
/// Least share of its frame that a rectangle fills, and the largest part of a figure that an ellipse gets wrong.
const SQUARE: f32 = 0.96;
const ROUND: f32 = 0.04;
/// The same of a photo, whose outline is seen less clearly.
const PHOTO_SQUARE: f32 = 0.9;
const PHOTO_ROUND: f32 = 0.1;
/// Least share of the canvas of a sign on a photo, and the part of the photo's sides it may span: a sky spans all of it.
const SIGN: f32 = 0.005;
const SPANS: f32 = 0.9;

impl Finder<'_> {
    /// The parts of one piece, with those that are a photo as one, labelled [`PHOTO`].
    pub(super) fn photo_apart(
        &self,
        siblings: Vec<(u32, Blob)>,
        ctx: &Context<'_>,
    ) -> Result<Vec<(u32, Blob)>, Error> {
        let mut photo = Vec::new();
        for (label, blob) in &siblings {
            ctx.check()?;
            photo.push(self.is_wavy(*label, blob.rect));
        }
        if !photo.contains(&true) {
            return Ok(siblings);
        }
        let least = self.least_sign();
        for (photo, (label, blob)) in photo.iter_mut().zip(&siblings) {
            ctx.check()?;
            let own = Blob::from_fn(blob.rect, |x, y| {
                self.label(x, y) == *label && blob.has(x, y)
            });
            *photo |= own.area() < least || !self.is_plain(*label, &own);
        }
        let (photos, drawn): (Vec<_>, Vec<_>) =
            siblings.iter().zip(&photo).partition(|(_, photo)| **photo);
        let trimmed = photos.iter().filter_map(|((_, blob), _)| trimmed(blob));
        let Some(rect) = trimmed.map(|blob| blob.rect).reduce(Rect::union) else {
            return Ok(siblings);
        };
        let among = |parts: &[(&(u32, Blob), &bool)], x, y| {
            parts.iter().any(|((_, blob), _)| blob.has(x, y))
        };
        let whole = Blob::from_fn(rect, |x, y| among(&photos, x, y));
        ctx.check()?;
        let shown = Blob::from_fn(rect, |x, y| whole.has(x, y) || among(&drawn, x, y));
        if !is_figure(&shown.filled(), PHOTO_SQUARE, PHOTO_ROUND) {
            return Ok(siblings);
        }
        let drawn = drawn.into_iter().map(|(part, _)| part.clone());
        Ok(drawn.chain([(PHOTO, whole)]).collect())
    }

    fn is_wavy(&self, label: u32, rect: Rect) -> bool {
        let within = WAVE + self.levels.noise;
        waves(self.regions, label, rect, self.smooth, within).is_some_and(|share| share > WAVY)
    }

    /// Whether a region of one colour makes up a rectangle or an ellipse.
    fn is_plain(&self, label: u32, blob: &Blob) -> bool {
        let figure = trimmed(&blob.filled());
        figure.is_some_and(|figure| is_figure(&figure, SQUARE, ROUND)) && self.is_even(label, blob)
    }

    fn is_even(&self, label: u32, blob: &Blob) -> bool {
        let mean = self.mean(blob, label);
        let rect = blob.rect;
        let (mut sum, mut count) = (0.0, 0.0_f32);
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (rect.x + at % rect.w, rect.y + at / rect.w);
            if self.label(x, y) == label {
                sum += max_difference(self.smooth.at(x, y), mean);
                count += 1.0;
            }
        }
        sum / count.max(1.0) <= PLAIN + self.levels.noise
    }

    /// A photo of which `seen` is seen, completed to `whole`.
    pub(super) fn lay_photo(
        &mut self,
        whole: &Blob,
        seen: &Blob,
        ctx: &Context<'_>,
    ) -> Result<(), Error> {
        let solid = shape_edge::squared(&whole.filled());
        let cut = picture(self.picture, &solid, seen, ctx)?;
        self.lay(cut);
        Ok(())
    }

    /// A piece of many colours, kept as it is, and the plain signs that lie on it.
    pub(super) fn lay_picture(
        &mut self,
        blob: &Blob,
        depth: usize,
        ctx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let signs = self.signs(blob, ctx)?;
        let seen = Blob::from_fn(blob.rect, |x, y| {
            blob.has(x, y) && !signs.iter().any(|(_, sign)| sign.has(x, y))
        });
        self.lay_photo(blob, if signs.is_empty() { blob } else { &seen }, ctx)?;
        for (label, sign) in signs {
            self.lay_shape(&sign, Some(label), &[], depth, ctx)?;
        }
        Ok(())
    }

    fn least_sign(&self) -> usize {
        (SIGN * self.picture.data.len() as f32) as usize
    }

    fn signs(&self, photo: &Blob, ctx: &Context<'_>) -> Result<Vec<(u32, Blob)>, Error> {
        let least = self.least_sign();
        let sizes = self.sizes(photo);
        let mut large: Vec<u32> = sizes
            .into_iter()
            .filter(|&(_, size)| size >= least)
            .map(|(label, _)| label)
            .collect();
        large.sort_unstable();
        let mut signs = Vec::new();
        for label in large {
            ctx.check()?;
            let rect = self.regions.pieces[label as usize - 1].rect;
            let spans = |own: usize, all: usize| own as f32 > SPANS * all as f32;
            if spans(rect.w, photo.rect.w) || spans(rect.h, photo.rect.h) {
                continue;
            }
            let own = Blob::from_fn(rect, |x, y| self.label(x, y) == label);
            if self.is_plain(label, &own) {
                signs.push((label, own.filled()));
            }
        }
        Ok(signs)
    }
}

/// The same set in the least rectangle that holds it.
fn trimmed(blob: &Blob) -> Option<Blob> {
    let own = components::bounds(&blob.mask(blob.rect))?;
    let rect = Rect {
        x: own.x + blob.rect.x,
        y: own.y + blob.rect.y,
        ..own
    };
    Some(Blob::from_fn(rect, |x, y| blob.has(x, y)))
}

/// Whether a set is a rectangle, whose corners may be round, or an ellipse.
fn is_figure(blob: &Blob, square: f32, round: f32) -> bool {
    let (rect, area) = (blob.rect, blob.area());
    if area as f32 >= square * rect.area() as f32 {
        return true;
    }
    let middle = |from: usize, length: usize| from as f32 + (length as f32 - 1.0) / 2.0;
    let (cx, cy) = (middle(rect.x, rect.w), middle(rect.y, rect.h));
    let mut wrong = 0_usize;
    for y in rect.y..rect.y + rect.h {
        for x in rect.x..rect.x + rect.w {
            let across = 2.0 * (x as f32 - cx) / rect.w as f32;
            let down = 2.0 * (y as f32 - cy) / rect.h as f32;
            wrong += usize::from((across * across + down * down <= 1.0) != blob.has(x, y));
        }
    }
    wrong as f32 <= round * area as f32
}
