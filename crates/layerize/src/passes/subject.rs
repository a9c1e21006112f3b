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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::blob::Blob;
    use crate::plane::{Rgb, Sample as _, distance2};
    use crate::{Cancel, Options, RgbaImage, split};

    fn photo(name: &str) -> RgbaImage {
        let path = format!(
            "{}/../../testdata/images/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        let picture = image::open(path).expect("a test image").to_rgba8();
        RgbaImage {
            width: picture.width(),
            height: picture.height(),
            pixels: picture.into_raw(),
        }
    }

    /// The subject of one photo, `tall` pixels high, laid onto another with its middle at a place.
    fn pasted(onto: &str, from: &str, tall: u32, place: (f32, f32)) -> RgbaImage {
        let (mut image, other) = (photo(onto), photo(from));
        let layers = split(&other, &Options::default(), &mut |_| {}, &Cancel::default());
        let layers = layers.expect("splits");
        let subject = layers.last().expect("a subject");
        let (w, h) = (subject.image.width, subject.image.height);
        let scale = h as f32 / tall as f32;
        let wide = (w as f32 / scale) as u32;
        for y in 0..tall {
            for x in 0..wide {
                let (sx, sy) = ((x as f32 * scale) as u32, (y as f32 * scale) as u32);
                let p = subject.image.pixel(sx.min(w - 1), sy.min(h - 1));
                let (cx, cy) = (
                    (place.0 * image.width as f32) as i64 + i64::from(x) - i64::from(wide / 2),
                    (place.1 * image.height as f32) as i64 + i64::from(y) - i64::from(tall / 2),
                );
                let (iw, ih) = (i64::from(image.width), i64::from(image.height));
                if (0..iw).contains(&cx) && (0..ih).contains(&cy) {
                    let at = (cy * iw + cx) as usize * 4;
                    let a = f32::from(p[3]) / 255.0;
                    for (c, &value) in p[..3].iter().enumerate() {
                        let under = f32::from(image.pixels[at + c]);
                        let sum = under + (f32::from(value) - under) * a;
                        image.pixels[at + c] = sum.round() as u8;
                    }
                }
            }
        }
        image
    }

    /// Share of the outline of a piece across which the picture changes by more than `step`.
    fn edged(picture: &Rgb, blob: &Blob, step: f32) -> f32 {
        let outline = blob.outline();
        let strong = outline.iter().filter(|&&(x, y)| {
            let mut sums = [([0.0_f32; 3], 0.0_f32); 2];
            for ny in y - 4..=y + 4 {
                for nx in x - 4..=x + 4 {
                    if nx < 0 || ny < 0 || nx >= picture.w as i64 || ny >= picture.h as i64 {
                        continue;
                    }
                    let colour = picture.at(nx as usize, ny as usize);
                    let side = &mut sums[usize::from(blob.holds(nx, ny))];
                    side.0 = side.0.add(colour, 1.0);
                    side.1 += 1.0;
                }
            }
            let mean = |(sum, count): ([f32; 3], f32)| sum.map(|v| v / count.max(1.0));
            distance2(mean(sums[0]), mean(sums[1])).sqrt() > step
        });
        strong.count() as f32 / outline.len().max(1) as f32
    }

    /// Prints what a second look at the rest finds: in photographs without a second thing, and in
    /// pictures that another photo's subject was laid onto.
    #[test]
    #[ignore = "a measurement, not a check: prints a table"]
    fn second_things_compared() {
        let (options, cancel) = (Options::default(), Cancel::default());
        let (cup, cat, astronaut) = ("coffee.png", "chelsea.png", "astronaut.png");
        let stars = "hubble_deep_field.jpg";
        let cases = [
            ("none: astronaut", photo(astronaut)),
            ("none: cat", photo(cat)),
            ("none: cup", photo(cup)),
            ("none: stars", photo(stars)),
            ("cup beside the cat", pasted(cat, cup, 110, (0.86, 0.78))),
            ("cat beside the cup", pasted(cup, cat, 130, (0.85, 0.25))),
            (
                "person beside the cup",
                pasted(cup, astronaut, 150, (0.9, 0.75)),
            ),
            (
                "cup beside the person",
                pasted(astronaut, cup, 110, (0.13, 0.12)),
            ),
            ("small cup on the table", pasted(cup, cup, 90, (0.1, 0.8))),
            ("cat and stars", pasted(stars, cat, 300, (0.3, 0.5))),
        ];
        let mut out = std::io::stderr();
        for (name, image) in cases {
            let mut heard = |_| {};
            let mut ctx = Context::new(&options, &mut heard, &cancel);
            let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
            crate::passes::text::run(&mut scene, &mut ctx).expect("runs");
            crate::passes::shapes::run(&mut scene, &mut ctx).expect("runs");
            run(&mut scene, &mut ctx).expect("runs");
            let kinds: Vec<LayerKind> = scene.cuts.iter().map(|cut| cut.kind).collect();
            writeln!(out, "{name}: first {kinds:?}").expect("standard error");
            let mask = net::saliency(&ctx, &scene.rest).expect("runs");
            let (w, h) = (mask.w, mask.h);
            let found = components::label(w, h, |at| mask.data[at] > 0.5);
            for (index, piece) in found.pieces.iter().enumerate() {
                let share = piece.area as f32 / (w * h) as f32;
                if !(LEAST..0.5).contains(&share) {
                    continue;
                }
                let own = index as u32 + 1;
                let blob = Blob::from_fn(piece.rect, |x, y| found.labels.at(x, y) == own);
                let inside = (0..w * h).filter(|&at| found.labels.data[at] == own);
                let (mut sure, mut guessed) = (0.0, 0.0);
                for at in inside {
                    sure += mask.data[at] / piece.area as f32;
                    guessed += scene.painted.data[at] / piece.area as f32;
                }
                let around = blob.outline().len() as f32;
                let compact = 4.0 * std::f32::consts::PI * piece.area as f32 / (around * around);
                writeln!(
                    out,
                    "   {:.1} % sure {sure:.2} guessed {guessed:.2} compact {compact:.2} edged {:.2} {:.2} at {:?}",
                    share * 100.0,
                    edged(&scene.rest, &blob, 24.0),
                    edged(&scene.rest, &blob, 48.0),
                    piece.rect
                )
                .expect("standard error");
            }
        }
    }
}
