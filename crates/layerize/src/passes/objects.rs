//! Lesser things of a photo, which do not stand out beside its subject: looked for once more in the
//! filled picture, where the subject is gone, and only for a caller that asks for more layers than
//! were found, since a second run of the network is half of a photo's time.
//!
//! Wrong things are worse than missing ones, so a piece has to pass every test below. What is under
//! the cuts is left to the pass that fills. Invariant: a piece that is let through was seen, not
//! painted, and has a strong edge all around.

use super::subject;
use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, Sample as _, distance2};
use crate::scene::Scene;
use crate::{Error, LayerKind, net};

/// Shares of the picture a piece may cover.
const SHARES: std::ops::Range<f32> = 0.004..0.25;
/// Least mean certainty inside a piece.
const SURE: f32 = 0.85;
/// Largest share of a piece that may have been painted.
const GUESSED: f32 = 0.05;
/// Largest share of the outline that may be the frame of the picture: behind it a thing goes on.
const FRAMED: f32 = 0.05;
/// Least difference of the colours at both sides of an edge, in levels, and least share of the
/// outline that has it.
const STEP: f32 = 24.0;
const EDGED: f32 = 0.9;
/// Least overlap (intersection over union) with what a look at its surroundings alone finds.
const AGAIN: f32 = 0.75;
/// How much of a piece's longer side is shown around it there.
const AROUND: f32 = 0.3;

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    let subjects = scene.cuts.iter().any(|cut| cut.kind == LayerKind::Subject);
    let wanted = usize::from(ctx.options.max_layers.unwrap_or(0));
    if !subjects || scene.cuts.len() + 1 >= wanted {
        return Ok(());
    }
    let mut mask = net::saliency(ctx, &scene.rest)?;
    ctx.reach(0.5)?;
    let found = components::label(mask.w, mask.h, |at| mask.data[at] > 0.5);
    let mut trusted = Vec::new();
    for (index, piece) in found.pieces.iter().enumerate() {
        let label = index as u32 + 1;
        let candidate = Candidate::new(scene, &mask, &found.labels, label, piece);
        if let Some(sure) = candidate.trusted(ctx)? {
            trusted.push((label, sure));
        }
    }
    // What was refused is ground, which may be carried on.
    for (value, &label) in mask.data.iter_mut().zip(&found.labels.data) {
        if label > 0 && !trusted.iter().any(|&(own, _)| own == label) {
            *value = 0.0;
        }
    }
    ctx.reach(0.9)?;
    for (label, sure) in trusted {
        if scene.cuts.len() + 1 < wanted {
            let what = (LayerKind::Object, sure);
            subject::cut(scene, ctx, &mask, &found.labels, label, what)?;
        }
    }
    Ok(())
}

/// A connected piece of the mask and what speaks for it.
pub(super) struct Candidate<'a> {
    rest: &'a Rgb,
    blob: Blob,
    /// Share of the picture.
    pub(super) share: f32,
    /// Mean certainty of the network.
    pub(super) sure: f32,
    /// Share that was painted.
    pub(super) guessed: f32,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(
        scene: &'a Scene,
        mask: &Gray,
        labels: &Plane<u32>,
        label: u32,
        piece: &components::Piece,
    ) -> Self {
        let area = piece.area as f32;
        let own = |at: &usize| labels.data[*at] == label;
        let (mut sure, mut guessed) = (0.0, 0.0);
        for at in (0..labels.data.len()).filter(own) {
            sure += mask.data[at] / area;
            guessed += scene.painted.data[at] / area;
        }
        Self {
            rest: &scene.rest,
            blob: Blob::from_fn(piece.rect, |x, y| labels.at(x, y) == label),
            share: area / labels.data.len() as f32,
            sure,
            guessed,
        }
    }

    /// How sure it is of a thing, or `None` if any test speaks against it. The costly tests are last.
    fn trusted(&self, ctx: &Context<'_>) -> Result<Option<f32>, Error> {
        ctx.check()?;
        let seen = SHARES.contains(&self.share) && self.sure >= SURE && self.guessed <= GUESSED;
        if !seen || self.framed() > FRAMED || self.edged() < EDGED {
            return Ok(None);
        }
        let again = self.again(ctx)?;
        Ok((again >= AGAIN).then_some(self.sure * again))
    }

    /// Share of the outline along the frame of the picture.
    pub(super) fn framed(&self) -> f32 {
        let (w, h) = (self.rest.w as i64, self.rest.h as i64);
        let at_frame = |&&(x, y): &&(i64, i64)| x <= 1 || y <= 1 || x >= w - 2 || y >= h - 2;
        let outline = self.blob.outline();
        outline.iter().filter(at_frame).count() as f32 / outline.len().max(1) as f32
    }

    /// Share of the outline across which the colour changes by more than [`STEP`].
    pub(super) fn edged(&self) -> f32 {
        let outline = self.blob.outline();
        let strong = outline.iter().filter(|&&(x, y)| self.step(x, y) > STEP);
        strong.count() as f32 / outline.len().max(1) as f32
    }

    /// Difference, in levels, of the mean colours inside and outside near a place of the outline.
    fn step(&self, x: i64, y: i64) -> f32 {
        const NEAR: i64 = 4;
        let (w, h) = (self.rest.w as i64, self.rest.h as i64);
        let mut sums = [([0.0_f32; 3], 0.0_f32); 2];
        for ny in (y - NEAR).max(0)..=(y + NEAR).min(h - 1) {
            for nx in (x - NEAR).max(0)..=(x + NEAR).min(w - 1) {
                let colour = self.rest.at(nx as usize, ny as usize);
                let side = &mut sums[usize::from(self.blob.holds(nx, ny))];
                *side = (side.0.add(colour, 1.0), side.1 + 1.0);
            }
        }
        let mean = |(sum, count): ([f32; 3], f32)| sum.map(|v| v / count.max(1.0));
        distance2(mean(sums[0]), mean(sums[1])).sqrt()
    }

    /// Overlap of the piece with what the network finds in a crop around it.
    pub(super) fn again(&self, ctx: &Context<'_>) -> Result<f32, Error> {
        let rect = self.blob.rect;
        let around = (rect.w.max(rect.h) as f32 * AROUND) as usize;
        let (x, y) = (rect.x.saturating_sub(around), rect.y.saturating_sub(around));
        let crop = Rect {
            x,
            y,
            w: (rect.x + rect.w + around).min(self.rest.w) - x,
            h: (rect.y + rect.h + around).min(self.rest.h) - y,
        };
        let mask = net::saliency(ctx, &self.rest.crop(crop))?;
        let own = self.blob.mask(crop);
        let (mut both, mut either) = (0_u32, 0_u32);
        for (&m, &o) in mask.data.iter().zip(&own.data) {
            both += u32::from(m > 0.5 && o > 0.0);
            either += u32::from(m > 0.5 || o > 0.0);
        }
        Ok(both as f32 / either.max(1) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options, RgbaImage};

    const SIDE: u32 = 200;

    /// What speaks for a disc of radius 40 at `middle`, `soft` pixels wide at its edge, on grey
    /// ground: how much of its outline is frame, and how much an edge.
    fn disc(middle: (f32, f32), soft: f32) -> (f32, f32) {
        let cover = |at: u32| {
            let (x, y) = ((at % SIDE) as f32, (at / SIDE) as f32);
            (0.5 + (40.0 - (x - middle.0).hypot(y - middle.1)) / soft).clamp(0.0, 1.0)
        };
        let bytes = (0..SIDE * SIDE).flat_map(|at| {
            let value = (120.0 + 100.0 * cover(at)) as u8;
            [value, value, value, 255]
        });
        let image = RgbaImage {
            width: SIDE,
            height: SIDE,
            pixels: bytes.collect(),
        };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let scene = Scene::new(&image, &ctx).expect("not cancelled");
        let (w, h) = (SIDE as usize, SIDE as usize);
        let data = (0..SIDE * SIDE).map(cover).collect();
        let mask = Plane { w, h, data };
        let found = components::label(w, h, |at| mask.data[at] > 0.5);
        let seen = Candidate::new(&scene, &mask, &found.labels, 1, &found.pieces[0]);
        (seen.framed(), seen.edged())
    }

    #[test]
    fn a_whole_thing_has_an_edge_all_around() {
        let (framed, edged) = disc((100.0, 100.0), 1.0);
        assert!(framed <= 0.0 && edged > 0.99, "{framed} {edged}");
    }

    #[test]
    fn a_thing_that_goes_on_beyond_the_picture_is_refused() {
        let (framed, _) = disc((20.0, 100.0), 1.0);
        assert!(framed > 2.0 * FRAMED, "{framed}");
    }

    #[test]
    fn a_stain_that_fades_is_refused() {
        let (_, edged) = disc((100.0, 100.0), 60.0);
        assert!(edged < 0.1, "{edged}");
    }
}
