//! Lines of text, found by the detector and cut out by colour.
//!
//! The detector says where text is; the cut itself trusts colours alone: one ink over a ground
//! that is known between and around the letters. A box whose pixels do not fit that model (a
//! texture the detector fell for) gives nothing. Invariant: what is cut is explained by one ink.

use crate::components;
use crate::context::Context;
use crate::ink::{self, Ink};
use crate::plane::{Gray, Rect, distance2};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, TextLayers, net};

/// Longest side shown to the detector.
const LONGEST: usize = 960;
/// Probability from which a place counts as text.
const LIKELY: f32 = 0.3;
/// Least mean probability of a box.
const SURE: f32 = 0.55;

pub(crate) fn run(scene: &mut Scene<'_>, ctx: &mut Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    if w.min(h) < 16 {
        return Ok(());
    }
    let longest = LONGEST.min(w.max(h) * 3 / 2);
    let likely = net::text(ctx, &scene.rest, longest)?;
    ctx.reach(0.8)?;
    let boxes = merge(boxes(&likely));
    let mut lines = Vec::new();
    for (index, found) in boxes.iter().enumerate() {
        if let Some(ink) = ink::extract(&scene.rest, &boxes, index) {
            let under = ink.under.clone();
            let cut = to_cut(ink, found.sure);
            let (rect, colour) = (cut.rect, cut.paint.data[0]);
            scene.take(cut, &under);
            lines.push((rect, colour));
        }
        ctx.check()?;
    }
    if ctx.options.text == TextLayers::Blocks {
        blocks(scene, &lines);
    }
    Ok(())
}

/// A place the detector marked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextBox {
    /// The letters, as far as known.
    pub(crate) rect: Rect,
    pub(crate) sure: f32,
}

/// The detector marks a shrunken core of each line; grown back to the size of the letters.
fn boxes(likely: &Gray) -> Vec<TextBox> {
    let (w, h) = (likely.w, likely.h);
    let found = components::label(w, h, |at| likely.data[at] > LIKELY);
    let mut sums = vec![0.0_f32; found.pieces.len()];
    for (&label, &value) in found.labels.data.iter().zip(&likely.data) {
        if label > 0 {
            sums[label as usize - 1] += value;
        }
    }
    let mut boxes = Vec::new();
    for (piece, sum) in found.pieces.iter().zip(sums) {
        let short = piece.rect.w.min(piece.rect.h);
        let sure = sum / piece.area as f32;
        if short >= 3 && sure >= SURE {
            let by = (short as f32 * 0.7).ceil() as usize + 1;
            boxes.push(TextBox {
                rect: piece.rect.grow(by, w, h),
                sure,
            });
        }
    }
    boxes
}

/// Joins boxes that overlap along one line.
fn merge(mut boxes: Vec<TextBox>) -> Vec<TextBox> {
    let mut a = 0;
    while a < boxes.len() {
        let partner = (a + 1..boxes.len()).find(|&b| one_line(boxes[a].rect, boxes[b].rect));
        if let Some(b) = partner {
            let other = boxes.swap_remove(b);
            boxes[a].rect = boxes[a].rect.union(other.rect);
            boxes[a].sure = boxes[a].sure.max(other.sure);
            a = 0;
        } else {
            a += 1;
        }
    }
    boxes
}

fn one_line(a: Rect, b: Rect) -> bool {
    let (tall, low) = (a.h.max(b.h) as f32, a.h.min(b.h) as f32);
    let shared = (a.y + a.h).min(b.y + b.h) as f32 - a.y.max(b.y) as f32;
    let gap = a.x.max(b.x) as f32 - (a.x + a.w).min(b.x + b.w) as f32;
    shared > 0.6 * low && low > 0.55 * tall && gap < 0.5 * tall
}

fn to_cut(ink: Ink, sure: f32) -> Cut {
    let paint = crate::plane::Plane::filled(ink.rect.w, ink.rect.h, ink.colour);
    Cut {
        kind: LayerKind::Text,
        confidence: sure.min(ink.fit),
        name: String::new(),
        rect: ink.rect,
        alpha: ink.alpha,
        paint,
        edge: Edge::Unmix,
    }
}

/// Joins the cuts of lines that stand under each other in one colour and size.
fn blocks(scene: &mut Scene<'_>, lines: &[(Rect, [f32; 3])]) {
    let first = scene.cuts.len() - lines.len();
    let mut a = first;
    while a < scene.cuts.len() {
        let same = |cut: &Cut, base: &Cut| {
            let (one, two) = (base.rect, cut.rect);
            let low = one.h.min(two.h) as f32;
            let gap = one.y.max(two.y) as f32 - (one.y + one.h).min(two.y + two.h) as f32;
            let shared = (one.x + one.w).min(two.x + two.w) as f32 - one.x.max(two.x) as f32;
            distance2(base.paint.data[0], cut.paint.data[0]) < 900.0
                && gap < 1.2 * low
                && shared > 0.3 * one.w.min(two.w) as f32
        };
        let partner = (a + 1..scene.cuts.len()).find(|&b| same(&scene.cuts[b], &scene.cuts[a]));
        if let Some(b) = partner {
            let other = scene.cuts.remove(b);
            let joined = crate::scene::join(&other, &scene.cuts[a]);
            scene.cuts[a] = joined;
        } else {
            a += 1;
        }
    }
}
