//! Glows around the lettering that was cut: they come off with it.
//!
//! Invariant: letters stay where they are and in front of their glow.

use super::blocks;
use super::text::{READ, TextBox};
use crate::context::Context;
use crate::glow::{self, Glow, Ground, Letters};
use crate::plane::{Plane, Rect};
use crate::scene::{Cut, Edge, Scene, join};
use crate::{Error, LayerKind};

/// Gives each text the glow around it, and the rest what lies under both: of as many texts as are read at most. Letters of one ink
/// that have none were told before.
pub(super) fn glows(scene: &mut Scene, boxes: &[TextBox], ctx: &Context<'_>) -> Result<(), Error> {
    // Lettering that was not cut is no ground either.
    let is_cut = |found: &&TextBox| {
        let mut cuts = scene.cuts.iter();
        cuts.any(|cut| cut.kind == LayerKind::Text && cut.rect.overlaps(found.rect))
    };
    let left = boxes.iter().filter(|found| !is_cut(found));
    let left: Vec<Rect> = left.map(|found| found.rect).collect();
    let soft = |cut: &Cut| cut.kind == LayerKind::Text && !matches!(cut.edge, Edge::Unmix);
    let texts = (0..scene.cuts.len()).filter(|&index| soft(&scene.cuts[index]));
    let texts: Vec<usize> = texts.take(READ).collect();
    for index in texts {
        ctx.check()?;
        let cut = &scene.cuts[index];
        let lines = cut
            .words
            .as_ref()
            .map_or(1, |words| words.text.lines().count().max(1));
        let own = blocks::letters(cut);
        let letters = Letters {
            rect: cut.rect,
            alpha: &cut.alpha,
            tall: own.h.min(own.w) / lines,
        };
        let on = Ground {
            picture: &scene.rest,
            painted: &scene.painted,
            others: &left,
        };
        if let Some(glow) = glow::around(&on, &letters, ctx)? {
            ctx.check()?;
            give(scene, index, glow);
        }
    }
    Ok(())
}

fn give(scene: &mut Scene, index: usize, glow: Glow) {
    let letters = &scene.cuts[index];
    let rect = glow.rect;
    for y in 0..rect.h {
        for x in 0..rect.w {
            let (px, py) = (rect.x + x, rect.y + y);
            let own = letters.rect.contains(px, py)
                && letters.alpha.at(px - letters.rect.x, py - letters.rect.y) > 0.0;
            if own || glow.alpha.at(x, y) > 0.0 {
                scene.rest.set(px, py, glow.under.at(x, y));
                scene.painted.set(px, py, 1.0);
            }
        }
    }
    let behind = Cut {
        kind: LayerKind::Text,
        confidence: letters.confidence,
        name: String::new(),
        words: None,
        rect,
        paint: Plane::filled(rect.w, rect.h, glow.colour),
        alpha: glow.alpha,
        edge: Edge::Soft,
    };
    let mut both = join(&behind, letters);
    both.words.clone_from(&letters.words);
    scene.cuts[index] = both;
}
