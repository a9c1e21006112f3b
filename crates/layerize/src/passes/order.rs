//! Leaves out what is no layer to a person, merges the least important neighbours when there are more
//! cuts than asked for or than a list shows, and has what remains named, bottom first.
//!
//! The same merging where layers that are kept would take too much memory together, which only large pictures reach.
//! Two cuts may merge only if nothing between them in the stack overlaps the one that moves, so
//! the picture stays the same. A cut that is left out stays on what lies below it, for it is not peeled
//! off. Invariant: no cut is invented, and at most `max_layers - 1` remain.

use super::{crumbs, names};
use crate::context::Context;
use crate::plane::Rect;
use crate::scene::{Cut, Scene, join};
use crate::{Error, LayerKind, USUAL_LAYERS};

/// Part of the cost of another pair that a pair must stay under to be joined in its place.
const CHEAPER: f32 = 0.97;

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    crumbs::sweep(scene, ctx)?;
    let found = scene.cuts.len();
    let canvas = (scene.work.w, scene.work.h);
    let most = ctx.options.max_layers.unwrap_or(USUAL_LAYERS);
    let keep = usize::from(most.max(1)) - 1;
    if keep == 0 {
        // A cut that is not peeled simply stays in the background.
        scene.cuts.clear();
    }
    merge(
        &mut scene.cuts,
        |cuts| cuts.len() <= keep.max(1),
        canvas,
        ctx,
    )?;
    if let Some(most) = scene.most_pixels {
        let scale = (scene.size.0 * scene.size.1) as f64 / (canvas.0 * canvas.1) as f64;
        let fits = |cuts: &[Cut]| {
            let spread: usize = cuts.iter().map(|cut| cut.rect.area()).sum();
            spread as f64 * scale <= most as f64
        };
        merge(&mut scene.cuts, fits, canvas, ctx)?;
    }
    scene.merged += found - scene.cuts.len();
    names::give(scene);
    Ok(())
}

/// Joins the cheapest neighbours until it is `enough`.
fn merge(
    cuts: &mut Vec<Cut>,
    enough: impl Fn(&[Cut]) -> bool,
    canvas: (usize, usize),
    ctx: &Context<'_>,
) -> Result<(), Error> {
    let mut weights: Vec<f32> = cuts.iter().map(importance).collect();
    while cuts.len() > 1 && !enough(cuts) {
        ctx.check()?;
        let mut best = (f32::MAX, 0, 1);
        for low in 0..cuts.len() {
            for high in low + 1..cuts.len() {
                let blocked = cuts[low + 1..high]
                    .iter()
                    .any(|cut| meet(cut.rect, cuts[high].rect));
                if blocked {
                    break;
                }
                let cost = weights[low].min(weights[high]) * apart(&cuts[low], &cuts[high], canvas);
                // The first of those that cost about the same, whichever is cheaper by a trifle.
                if cost < best.0 * CHEAPER {
                    best = (cost, low, high);
                }
            }
        }
        let (_, low, high) = best;
        let top = cuts.remove(high);
        cuts[low] = join(&cuts[low], &top);
        weights.remove(high);
        weights[low] = importance(&cuts[low]);
    }
    Ok(())
}

/// How much a cut would be missed: its covered area, weighed by what it is.
fn importance(cut: &Cut) -> f32 {
    let weight = match cut.kind {
        LayerKind::Text => 4.0,
        LayerKind::Subject | LayerKind::Object => 3.0,
        LayerKind::Panel | LayerKind::Shape | LayerKind::Background => 1.0,
        LayerKind::Shadow => 0.5,
    };
    weight * cut.alpha.data.iter().sum::<f32>().sqrt()
}

/// How little two cuts belong together, from their kinds and the gap between them.
fn apart(low: &Cut, high: &Cut, canvas: (usize, usize)) -> f32 {
    let gap =
        |a: usize, al: usize, b: usize, bl: usize| a.max(b).saturating_sub((a + al).min(b + bl));
    let across = gap(low.rect.x, low.rect.w, high.rect.x, high.rect.w) as f32 / canvas.0 as f32;
    let down = gap(low.rect.y, low.rect.h, high.rect.y, high.rect.h) as f32 / canvas.1 as f32;
    let kinds = match (low.kind, high.kind) {
        (LayerKind::Shadow, LayerKind::Panel | LayerKind::Shape | LayerKind::Object) => 0.3,
        (a, b) if a == b => 0.5,
        (LayerKind::Panel, _) => 0.8,
        _ => 1.0,
    };
    kinds * (1.0 + 6.0 * (across + down))
}

pub(super) fn meet(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
