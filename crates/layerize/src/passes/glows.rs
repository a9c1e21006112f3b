//! Glows around the lettering that was cut: they come off with it.
//!
//! Invariant: letters stay where they are and in front of their glow.

use super::blocks;
use crate::context::Context;
use crate::glow::{self, Glow, Ground, Letters};
use crate::plane::Plane;
use crate::scene::{Cut, Edge, Scene, join};
use crate::{Error, LayerKind};

/// Gives each text the glow around it, and the rest what lies under both. Letters of one ink that have none were told before.
pub(super) fn glows(scene: &mut Scene, ctx: &Context<'_>) -> Result<(), Error> {
    for index in 0..scene.cuts.len() {
        ctx.check()?;
        let cut = &scene.cuts[index];
        if matches!(cut.edge, Edge::Unmix) {
            continue;
        }
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
            others: &[],
        };
        if let Some(glow) = glow::around(&on, &letters, ctx)? {
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
