//! What stands out in a photo, by the saliency network.
//!
//! One cut for each connected piece, with its shadow. Nothing is cut when the network is unsure or
//! sees next to nothing. What is under the cuts is left to the pass that fills. In a design with
//! photographed pieces the subject must lie in one of these; a piece that lies apart and in which
//! nothing stands out is cut as it is. Invariant: the rest
//! stays as it was seen, but for shadows of panels, lettering given back and such pieces.

use crate::blob::Blob;
use crate::components;
use crate::context::Context;
use crate::finder::lay;
use crate::plane::{Gray, Plane, Rect};
use crate::reading_order::reading_order;
use crate::scene::{Cut, Edge, Photographed, Scene};
use crate::{Error, LayerKind, contact, hole, matte, net, prints, settle};

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
    let photographed = scene.photographed.take();
    let within = match &photographed {
        Some(found) if !found.alone => within(&mask, &found.pieces),
        _ => mask,
    };
    let Some((mask, sure)) = certain(&within) else {
        return whole_pieces(scene, photographed, None, ctx);
    };
    ctx.check()?;
    let mask = settle::settle(ctx, &scene.rest, &mask)?;
    ctx.reach(0.8)?;
    let found = components::label(w, h, |at| mask.data[at] > 0.3);
    let rects: Vec<Rect> = found.pieces.iter().map(|piece| piece.rect).collect();
    for index in reading_order(&rects, (w, h)) {
        let piece = &found.pieces[index];
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
    whole_pieces(scene, photographed, Some(&mask), ctx)
}

/// The mask without the parts that lie mostly outside of all `pieces`.
fn within(mask: &Gray, pieces: &[Blob]) -> Gray {
    let mut inside = Plane::filled(mask.w, mask.h, false);
    for blob in pieces {
        for at in (0..blob.bits.len()).filter(|&at| blob.bits[at]) {
            let (x, y) = (at % blob.rect.w, at / blob.rect.w);
            inside.set(blob.rect.x + x, blob.rect.y + y, true);
        }
    }
    let found = components::label(mask.w, mask.h, |at| mask.data[at] > 0.3);
    let mut counts = vec![0_usize; found.pieces.len()];
    for (&label, _) in found
        .labels
        .data
        .iter()
        .zip(&inside.data)
        .filter(|(_, i)| **i)
    {
        if label > 0 {
            counts[label as usize - 1] += 1;
        }
    }
    let mut kept = mask.clone();
    for (value, &label) in kept.data.iter_mut().zip(&found.labels.data) {
        let piece = (label as usize).checked_sub(1);
        if piece.is_none_or(|piece| counts[piece] * 2 < found.pieces[piece].area) {
            *value = 0.0;
        }
    }
    kept
}

/// Cuts the photographed pieces that lie apart on their ground and of which `mask` shows nothing: a
/// second product, a plant that is no subject to the network. What is part of a landscape stays.
fn whole_pieces(
    scene: &mut Scene,
    photographed: Option<Photographed>,
    mask: Option<&Gray>,
    ctx: &Context<'_>,
) -> Result<(), Error> {
    let Some(Photographed { pieces, plain, .. }) = photographed else {
        return Ok(());
    };
    let (w, h) = (scene.rest.w, scene.rest.h);
    for blob in pieces {
        ctx.check()?;
        let rect = blob.rect;
        let shown = mask.is_some_and(|mask| {
            let bits = blob.bits.iter().enumerate().filter(|(_, bit)| **bit);
            let seen =
                bits.filter(|(at, _)| mask.at(rect.x + at % rect.w, rect.y + at / rect.w) > 0.3);
            seen.count() * 20 > blob.area()
        });
        let apart = rect.x > 0 && rect.x + rect.w < w && rect.y > 0;
        if shown || !apart || blob.area() * 2 > w * h {
            continue;
        }
        let solid = blob.filled();
        let cut = lay::picture(&scene.rest, &solid, &solid, ctx)?;
        let under = plain.crop(cut.rect);
        scene.take(cut, &under);
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
    let shade = contact::find(&scene.rest, &alpha, &others, &contact::STANDING);
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
    // Room for what the pass that fills finds of the thing in its rim.
    let rect = rect.grow(hole::rim(w, h) + 1, w, h);
    let inner = alpha.crop(rect);
    let paint = matte::pure_paint(&scene.rest.crop(rect), &inner, ctx)?;
    ctx.check()?;
    scene.put(Cut {
        kind,
        confidence: sure,
        name: String::new(),
        words: None,
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
