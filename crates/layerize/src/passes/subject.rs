//! What stands out in a photo, by the saliency network.
//!
//! One cut for each connected piece. Nothing is cut when the network is unsure or sees next to
//! nothing. Invariant: the rest under a cut is filled from outside of it alone.

use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, matte, net, push_pull};

/// Least share of the picture a piece must cover.
const LEAST: f32 = 0.004;
/// Least mean certainty inside a piece.
const SURE: f32 = 0.75;

pub(crate) fn run(scene: &mut Scene<'_>, ctx: &mut Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    if w.min(h) < 16 || scene.plain {
        return Ok(());
    }
    let mask = net::saliency(ctx, &scene.rest)?;
    ctx.reach(0.6)?;
    give_back_prints(scene, &mask);
    let found = components::label(w, h, |at| mask.data[at] > 0.3);
    for (index, piece) in found.pieces.iter().enumerate() {
        if (piece.area as f32) < LEAST * (w * h) as f32 {
            continue;
        }
        let name = index as u32 + 1;
        let inside = |at: usize| found.labels.data[at] == name;
        let sure = mean_of(&mask, inside);
        if sure < SURE || piece.area as f32 > 0.9 * (w * h) as f32 {
            continue;
        }
        cut(scene, &mask, &found.labels, name, sure);
        ctx.reach(0.8)?;
    }
    Ok(())
}

/// Small lettering on the thing itself (a name tag, a label) is part of it: the cut is undone.
fn give_back_prints(scene: &mut Scene<'_>, mask: &Gray) {
    let carriers: Vec<Rect> = scene
        .cuts
        .iter()
        .filter(|cut| cut.kind == LayerKind::Panel)
        .map(|cut| cut.rect)
        .collect();
    let (work, rest, painted) = (&scene.work, &mut scene.rest, &mut scene.painted);
    scene.cuts.retain(|cut| {
        let part = mask.crop(cut.rect);
        let mean = part.data.iter().sum::<f32>() / part.data.len() as f32;
        let carried = carriers.iter().any(|panel| panel.union(cut.rect) == *panel);
        let printed =
            cut.kind == LayerKind::Text && !carried && mean > 0.6 && cut.rect.h * 11 < mask.h;
        if printed {
            for y in cut.rect.y..cut.rect.y + cut.rect.h {
                for x in cut.rect.x..cut.rect.x + cut.rect.w {
                    rest.set(x, y, work.at(x, y));
                    painted.set(x, y, 0.0);
                }
            }
        }
        !printed
    });
}

fn mean_of(mask: &Gray, inside: impl Fn(usize) -> bool) -> f32 {
    let (mut sum, mut count) = (0.0_f64, 0_usize);
    for (at, &value) in mask.data.iter().enumerate() {
        if inside(at) && value > 0.5 {
            sum += f64::from(value);
            count += 1;
        }
    }
    if count == 0 {
        0.0
    } else {
        (sum / count as f64) as f32
    }
}

fn cut(scene: &mut Scene<'_>, mask: &Gray, labels: &Plane<u32>, name: u32, sure: f32) {
    let (w, h) = (mask.w, mask.h);
    let own = Plane {
        w,
        h,
        data: mask
            .data
            .iter()
            .zip(&labels.data)
            .map(|(&m, &l)| {
                if l == name {
                    ((m - 0.2) / 0.6).clamp(0.0, 1.0)
                } else {
                    0.0
                }
            })
            .collect(),
    };
    let near = matte::dilate(&own, 8);
    let (mut alpha, fit) = matte::refine(&scene.rest, &own);
    for (a, &n) in alpha.data.iter_mut().zip(&near.data) {
        if n <= 0.0 || *a < 0.02 {
            *a = 0.0;
        }
    }
    let Some(rect) = bounds(&alpha) else { return };
    let known = matte::dilate(&alpha, 2).map(|a| if a > 0.0 { 0.0 } else { 1.0 });
    let under = push_pull::fill(&scene.rest, &known);
    let inner = alpha.crop(rect);
    let paint = matte::pure_paint(&scene.rest.crop(rect), &inner);
    let cut = Cut {
        kind: LayerKind::Subject,
        confidence: sure,
        name: String::new(),
        rect,
        alpha: inner,
        paint,
        edge: Edge::Guided(fit.slope.crop(rect), fit.offset.crop(rect)),
    };
    scene.take(cut, &under.crop(rect));
}

/// The rectangle of everything above 0.
fn bounds(alpha: &Gray) -> Option<Rect> {
    let found = components::label(alpha.w, alpha.h, |at| alpha.data[at] > 0.0);
    found
        .pieces
        .iter()
        .map(|piece| piece.rect)
        .reduce(|a, b| a.union(b))
}
