//! Merges the least important neighbours when there are more cuts than asked for, and names what
//! remains, bottom first.
//!
//! Two cuts may merge only if nothing between them in the stack overlaps the one that moves, so
//! the picture stays the same. Invariant: no cut is invented or lost, and with a limit at most
//! `max_layers - 1` remain.

use std::collections::HashMap;

use crate::context::Context;
use crate::plane::Rect;
use crate::scene::{Cut, Scene, join};
use crate::{Error, LayerKind};

pub(crate) fn run(scene: &mut Scene<'_>, ctx: &mut Context<'_>) -> Result<(), Error> {
    let found = scene.cuts.len();
    if let Some(most) = ctx.options.max_layers {
        let keep = usize::from(most.max(1)) - 1;
        if keep == 0 {
            // A cut that is not peeled simply stays in the background.
            scene.cuts.clear();
        }
        merge(&mut scene.cuts, keep, (scene.work.w, scene.work.h), ctx)?;
    }
    scene.merged += found - scene.cuts.len();
    name(scene);
    Ok(())
}

fn merge(
    cuts: &mut Vec<Cut>,
    keep: usize,
    canvas: (usize, usize),
    ctx: &Context<'_>,
) -> Result<(), Error> {
    while cuts.len() > keep.max(1) {
        ctx.check()?;
        let weights: Vec<f32> = cuts.iter().map(importance).collect();
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
                if cost < best.0 {
                    best = (cost, low, high);
                }
            }
        }
        let (_, low, high) = best;
        let top = cuts.remove(high);
        cuts[low] = join(&cuts[low], &top);
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

fn meet(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

fn name(scene: &mut Scene<'_>) {
    let mut many = HashMap::new();
    for cut in &scene.cuts {
        *many.entry(cut.kind).or_insert(0_usize) += 1;
    }
    let mut seen = HashMap::new();
    for cut in &mut scene.cuts {
        let number = seen.entry(cut.kind).or_insert(0_usize);
        *number += 1;
        cut.name = if many[&cut.kind] > 1 {
            format!("{} {number}", cut.kind)
        } else {
            cut.kind.to_string()
        };
    }
}
