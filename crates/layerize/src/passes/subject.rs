//! What stands out in a photo, by the saliency network.
//!
//! One cut for each connected piece, with its shadow. Nothing is cut when the network is unsure or
//! sees next to nothing. What is under the cuts is left to the pass that fills. Invariant: the rest
//! stays as it was seen, but for shadows of panels and lettering given back.

use crate::components;
use crate::context::Context;
use crate::plane::{Gray, Plane};
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, contact, matte, net, prints, settle};

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
    contact::take_off_panels(scene, ctx)?;
    let mask = net::saliency(ctx, &scene.rest)?;
    ctx.reach(0.7)?;
    prints::give_back(scene, &mask);
    ctx.check()?;
    let Some((mask, sure)) = certain(&mask) else {
        return Ok(());
    };
    ctx.check()?;
    let mask = settle::settle(ctx, &scene.rest, &mask)?;
    ctx.reach(0.8)?;
    let found = components::label(w, h, |at| mask.data[at] > 0.3);
    for (index, piece) in found.pieces.iter().enumerate() {
        let share = piece.area as f32 / (w * h) as f32;
        let guessed = (0..w * h)
            .filter(|&at| found.labels.data[at] == index as u32 + 1)
            .map(|at| scene.painted.data[at])
            .sum::<f32>();
        if (LEAST..0.9).contains(&share) && guessed < GUESSED * piece.area as f32 {
            ctx.check()?;
            let label = index as u32 + 1;
            let what = (LayerKind::Subject, sure);
            cut(scene, ctx, &mask, &found.labels, label, what)?;
            ctx.reach(0.9)?;
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

/// One connected piece of the mask as a cut of a kind and confidence, and its shadow as another.
pub(super) fn cut(
    scene: &mut Scene,
    ctx: &Context<'_>,
    mask: &Gray,
    labels: &Plane<u32>,
    name: u32,
    (kind, sure): (LayerKind, f32),
) -> Result<(), Error> {
    let (w, h) = (mask.w, mask.h);
    let each = |value: &dyn Fn(f32, u32) -> f32| {
        let pairs = mask.data.iter().zip(&labels.data);
        let data = pairs.map(|(&m, &label)| value(m, label)).collect();
        Plane { w, h, data }
    };
    let own = each(&|m, label| {
        if label == name {
            ((m - 0.2) / 0.6).clamp(0.0, 1.0)
        } else {
            0.0
        }
    });
    ctx.check()?;
    let enlarged = scene.size != (w, h);
    let (mut alpha, fit) = matte::refine(&scene.rest, &own, enlarged, ctx)?;
    ctx.check()?;
    let others = each(&|_, label| f32::from(u8::from(label > 0 && label != name)));
    let shade = contact::find(&scene.rest, &alpha, &others);
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
    let inner = alpha.crop(rect);
    let paint = matte::pure_paint(&scene.rest.crop(rect), &inner, ctx)?;
    ctx.check()?;
    scene.put(Cut {
        kind,
        confidence: sure,
        name: String::new(),
        rect,
        alpha: inner,
        paint,
        edge: Edge::Guided(fit.slope.crop(rect), fit.offset.crop(rect)),
    });
    let covered = each(&|m, _| f32::from(u8::from(m > 0.3)));
    scene.hole().add_thing(&alpha, &covered);
    if let Some(shade) = shade
        && let Some(cut) = contact::cut(&shade, sure)
    {
        scene.put(cut);
        scene.hole().add_shadow(&shade);
    }
    Ok(())
}
