//! What stands out in a photo, by the saliency network.
//!
//! One cut for each connected piece. Nothing is cut when the network is unsure or sees next to
//! nothing. Invariant: the rest under a cut is filled from outside of it alone.

use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, contact, hole, matte, net, settle};

/// Least share of the picture a piece must cover.
const LEAST: f32 = 0.004;
/// Least mean certainty inside a piece.
const SURE: f32 = 0.75;

/// Largest share of a piece that may have been painted: the rest is guessed there, not seen.
const GUESSED: f32 = 0.6;

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    if w.min(h) < 16 || scene.plain {
        return Ok(());
    }
    panel_shadow(scene, ctx)?;
    let mask = net::saliency(ctx, &scene.rest)?;
    ctx.reach(0.6)?;
    give_back_prints(scene, &mask);
    ctx.check()?;
    let Some((mask, sure)) = certain(&mask) else {
        return Ok(());
    };
    ctx.check()?;
    let mask = settle::settle(ctx, &scene.rest, &mask)?;
    ctx.reach(0.7)?;
    let found = components::label(w, h, |at| mask.data[at] > 0.3);
    for (index, piece) in found.pieces.iter().enumerate() {
        let share = piece.area as f32 / (w * h) as f32;
        let guessed = (0..w * h)
            .filter(|&at| found.labels.data[at] == index as u32 + 1)
            .map(|at| scene.painted.data[at])
            .sum::<f32>();
        if (LEAST..0.9).contains(&share) && guessed < GUESSED * piece.area as f32 {
            ctx.check()?;
            cut(scene, ctx, &mask, &found.labels, index as u32 + 1, sure)?;
            ctx.reach(0.8)?;
        }
    }
    Ok(())
}

/// The mask without the pieces that are too small or that the network is unsure of, and how sure
/// it is of the least sure one left; `None` if nothing is.
fn certain(mask: &Gray) -> Option<(Gray, f32)> {
    let found = components::label(mask.w, mask.h, |at| mask.data[at] > 0.3);
    let all = (mask.w * mask.h) as f32;
    let mut sums = vec![(0.0_f64, 0_usize); found.pieces.len()];
    for (&label, &value) in found.labels.data.iter().zip(&mask.data) {
        if label > 0 && value > 0.5 {
            let sum = &mut sums[label as usize - 1];
            *sum = (sum.0 + f64::from(value), sum.1 + 1);
        }
    }
    let sure: Vec<f32> = sums
        .iter()
        .map(|&(sum, count)| (sum / count.max(1) as f64) as f32)
        .collect();
    let good = |label: u32| {
        let Some(piece) = (label as usize).checked_sub(1) else {
            return false;
        };
        let share = found.pieces[piece].area as f32 / all;
        sure[piece] >= SURE && (LEAST..=0.9).contains(&share)
    };
    let least = (1..=sure.len() as u32)
        .filter(|&label| good(label))
        .map(|label| sure[label as usize - 1])
        .min_by(f32::total_cmp)?;
    let mut kept = mask.clone();
    for (value, &label) in kept.data.iter_mut().zip(&found.labels.data) {
        if label > 0 && !good(label) {
            *value = 0.0;
        }
    }
    Some((kept, least))
}

/// The shadow that panels on the picture throw: a cut of its own, and gone from what lies under
/// the panels.
fn panel_shadow(scene: &mut Scene, ctx: &Context<'_>) -> Result<(), Error> {
    let mut covered = Plane::filled(scene.rest.w, scene.rest.h, 0.0);
    let panels = scene.cuts.iter().filter(|cut| cut.kind == LayerKind::Panel);
    for cut in panels {
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                if cut.alpha.at(x, y) > 0.0 {
                    covered.set(cut.rect.x + x, cut.rect.y + y, 1.0);
                }
            }
        }
    }
    if covered.data.iter().all(|&c| c <= 0.0) {
        return Ok(());
    }
    ctx.check()?;
    let Some(shade) = contact::find(&scene.rest, &covered) else {
        return Ok(());
    };
    let under = hole::fill(scene, ctx, &covered, Some(&shade))?;
    if let Some(cut) = hole::shadow(&shade, 1.0) {
        let rect = cut.rect;
        scene.take(cut, &under.crop(rect));
        let hidden = covered.data.iter().enumerate().filter(|(_, c)| **c > 0.0);
        hidden.for_each(|(at, _)| scene.rest.data[at] = under.data[at]);
    }
    Ok(())
}

/// Small lettering on the thing itself (a name tag, a label) is part of it: the cut is undone.
fn give_back_prints(scene: &mut Scene, mask: &Gray) {
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

/// One connected piece of the mask as a cut, with its surroundings carried on under it.
fn cut(
    scene: &mut Scene,
    ctx: &Context<'_>,
    mask: &Gray,
    labels: &Plane<u32>,
    name: u32,
    sure: f32,
) -> Result<(), Error> {
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
    ctx.check()?;
    let near = matte::dilate(&own, 8);
    ctx.check()?;
    let (mut alpha, fit) = matte::refine(&scene.rest, &own, ctx)?;
    for (a, &n) in alpha.data.iter_mut().zip(&near.data) {
        if n <= 0.0 || *a < 0.02 {
            *a = 0.0;
        }
    }
    ctx.check()?;
    let shade = contact::find(&scene.rest, &alpha);
    ctx.check()?;
    if let Some(shade) = &shade {
        // Dark rims look like the shade beside them: there the mask alone says where a thing ends.
        let tight = matte::dilate(&own, 1);
        for at in 0..alpha.data.len() {
            if shade.data[at] > 0.15 {
                alpha.data[at] = alpha.data[at].min(tight.data[at]);
            }
        }
    }
    let Some(rect) = components::bounds(&alpha) else {
        return Ok(());
    };
    let covered = Plane {
        w,
        h,
        data: alpha
            .data
            .iter()
            .zip(&mask.data)
            .map(|(&a, &m)| if m > 0.3 { 1.0 } else { a })
            .collect(),
    };
    let under = hole::fill(scene, ctx, &covered, shade.as_ref())?;
    ctx.check()?;
    let inner = alpha.crop(rect);
    let paint = matte::pure_paint(&scene.rest.crop(rect), &inner, ctx)?;
    ctx.check()?;
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
    if let Some(cut) = shade.and_then(|shade| hole::shadow(&shade, sure)) {
        let rect = cut.rect;
        scene.take(cut, &under.crop(rect));
    }
    Ok(())
}
