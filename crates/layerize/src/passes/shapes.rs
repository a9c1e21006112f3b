//! Designs: is there a plain ground, and what lies on it?
//!
//! The picture falls into smooth regions; the one at the border is fitted as the ground of the
//! canvas. If it waves, as a sky or a wall does, or the fit does not explain it, the picture is a photo; if it does, each piece on the ground
//! is judged: drawn ones become layers here, photographed ones are noted for the pass that knows
//! photos. Invariant: cuts are collected and handed over bottom first.

use crate::blob::Blob;
use crate::components::{self, Components};
use crate::context::Context;
use crate::finder::{Finder, Levels};
use crate::flatness::Flatness;
use crate::plane::{Rect, Rgb, max_difference};
use crate::scene::{Cut, Photographed, Scene};
use crate::waves::{WAVE, WAVY, waves};
use crate::{Error, LayerKind, denoise, matte, push_pull, washed};

/// Neighbours that differ by no more belong together, in levels after denoising.
const JOINED: f32 = 3.0;
/// Least share of the base region that the fitted ground must explain; else it is a photo.
const PLAIN: f32 = 0.6;
/// The same for a ground that holds less than `MUCH` of the border, which must hold at least
/// `LITTLE`.
const PLAINER: f32 = 0.9;
const MUCH: f32 = 0.4;
const LITTLE: f32 = 0.15;

/// Least share of the canvas of a panel on a photo, and least share of its rectangle that it fills: of one that carries
/// lettering, such as a tag, and of one without.
const LETTERED: (f32, f32) = (0.002, 0.85);
const BARE: (f32, f32) = (1.0 / 66.0, 0.95);

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    if w.min(h) < 8 {
        return Ok(());
    }
    let noise = denoise::noise(&scene.rest);
    let smooth = denoise::sigma_filter(&scene.rest, noise, ctx)?;
    ctx.reach(0.2)?;
    ctx.check()?;
    let joined = |a: usize, b: usize| max_difference(smooth.data[a], smooth.data[b]) <= JOINED;
    let mut regions = components::label_by(w, h, |_| true, joined);
    if scene.ringing > 0.0 {
        ctx.check()?;
        washed::part(&mut regions, &smooth);
    }
    ctx.reach(0.35)?;
    let flat = Flatness::of(&scene.rest, ctx)?;
    let Some((base, border)) = border_region(&regions, w, h) else {
        return panels(scene, &smooth, &regions, &flat, noise, ctx);
    };
    ctx.check()?;
    let whole = Rect { x: 0, y: 0, w, h };
    if waves(&regions, base, whole, &smooth, WAVE + noise).is_some_and(|share| share > WAVY) {
        return panels(scene, &smooth, &regions, &flat, noise, ctx);
    }
    let mut finder = Finder::new(
        &scene.rest,
        &smooth,
        &regions,
        &flat,
        Levels::of(noise, scene.ringing),
        ctx.options.each_thing(),
    );
    ctx.check()?;
    let canvas = Blob {
        rect: whole,
        bits: vec![true; w * h],
    };
    let Some(plain) = finder.ground_of(&canvas, base, ctx)? else {
        return Ok(());
    };
    finder.below = plain.clone();
    ctx.check()?;
    let calm = plain_share(&regions, base, &smooth, &plain, 4.0 + noise);
    if calm < if border >= MUCH { PLAIN } else { PLAINER } {
        return panels(scene, &smooth, &regions, &flat, noise, ctx);
    }
    finder.search_canvas(&canvas, base, calm, ctx)?;
    let (found, photo) = (finder.found, finder.photo);
    let pieces = finder.photographed;
    scene.plain = !photo && pieces.is_empty();
    if photo {
        panels(scene, &smooth, &regions, &flat, noise, ctx)?;
    } else {
        hand_over(scene, found, &plain, ctx)?;
    }
    if !pieces.is_empty() {
        scene.photographed = Some(Photographed {
            pieces,
            plain,
            alone: photo,
        });
    }
    Ok(())
}

/// The region that holds most of the border, if it holds enough of it and of the canvas: things may
/// touch the frame, and the ground of an illustration is often seen at one side of it alone. With the
/// share of the border it holds.
fn border_region(regions: &Components, w: usize, h: usize) -> Option<(u32, f32)> {
    let mut counts = std::collections::HashMap::new();
    let border = (0..w)
        .flat_map(|x| [x, (h - 1) * w + x])
        .chain((0..h).flat_map(|y| [y * w, y * w + w - 1]));
    for at in border {
        *counts.entry(regions.labels.data[at]).or_insert(0_usize) += 1;
    }
    let (label, count) = counts
        .into_iter()
        .max_by_key(|&(label, count)| (count, label))?;
    let area = regions.pieces[label as usize - 1].area;
    let border = count as f32 / (2 * (w + h)) as f32;
    (border >= LITTLE && area * 100 >= w * h * 12).then_some((label, border))
}

/// Share of the base region that the fitted ground explains, itself or darkened by a shadow.
fn plain_share(regions: &Components, base: u32, smooth: &Rgb, plain: &Rgb, within: f32) -> f32 {
    let (mut own, mut good) = (0_usize, 0_usize);
    for (at, &label) in regions.labels.data.iter().enumerate() {
        if label == base {
            let (seen, ground) = (smooth.data[at], plain.data[at]);
            let bright: f32 = ground.iter().map(|g| g * g).sum();
            let dot: f32 = seen.iter().zip(&ground).map(|(s, g)| s * g).sum();
            let light = if bright > 300.0 {
                (dot / bright).min(1.0)
            } else {
                1.0
            };
            own += 1;
            good += usize::from(max_difference(seen, ground.map(|g| g * light)) <= within);
        }
    }
    good as f32 / own.max(1) as f32
}

/// Flat rectangles (corners may be round) that lie on a photo, with what lies on them. Strict, so
/// that a wall or a sky is never taken for one: they fill their frame, hardly touch the border and
/// are flat to the noise.
fn panels(
    scene: &mut Scene,
    smooth: &Rgb,
    regions: &Components,
    flat: &Flatness,
    noise: f32,
    ctx: &mut Context<'_>,
) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    let mut finder = Finder::new(
        &scene.rest,
        smooth,
        regions,
        flat,
        Levels::of(noise, scene.ringing),
        ctx.options.each_thing(),
    );
    let mut plain = scene.rest.clone();
    let mut laid: Vec<Rect> = Vec::new();
    for (index, piece) in regions.pieces.iter().enumerate() {
        ctx.check()?;
        let (own, rect) = (index as u32 + 1, piece.rect);
        let sides = usize::from(rect.x == 0)
            + usize::from(rect.y == 0)
            + usize::from(rect.x + rect.w == w)
            + usize::from(rect.y + rect.h == h);
        // What lies on a panel was found with it.
        if laid.iter().any(|panel| panel.union(rect) == *panel) {
            continue;
        }
        let lettered = scene.cuts.iter().any(|cut| {
            cut.kind == LayerKind::Text && cut.rect.union(rect) == rect && cut.rect != rect
        });
        let (least, full) = if lettered { LETTERED } else { BARE };
        let small = (piece.area as f32) < least * (w * h) as f32;
        if small || piece.area * 2 < rect.area() || sides > 1 {
            continue;
        }
        let seen = Blob::from_fn(rect, |x, y| regions.labels.at(x, y) == own);
        let blob = seen.filled();
        if (blob.area() as f32) < full * rect.area() as f32 || spread(smooth, &seen) > 1.5 + noise {
            continue;
        }
        let room = rect.grow(24, w, h);
        let free = matte::dilate(&blob.mask(room), 3).map(|a| if a > 0.0 { 0.0 } else { 1.0 });
        ctx.check()?;
        let under = push_pull::fill(&plain.crop(room), &free);
        for y in 0..room.h {
            for x in 0..room.w {
                plain.set(room.x + x, room.y + y, under.at(x, y));
                finder.below.set(room.x + x, room.y + y, under.at(x, y));
            }
        }
        ctx.check()?;
        let before = finder.found.len();
        finder.lay_shape(&blob, Some(own), &[], 0, ctx)?;
        finder.found[before].kind = LayerKind::Panel;
        laid.push(rect);
    }
    let found = finder.found;
    hand_over(scene, found, &plain, ctx)
}

/// Mean deviation of a region from its mean colour, in levels.
fn spread(smooth: &Rgb, blob: &Blob) -> f32 {
    let rect = blob.rect;
    let place = |at: usize| smooth.at(rect.x + at % rect.w, rect.y + at / rect.w);
    let inside: Vec<usize> = (0..blob.bits.len()).filter(|&at| blob.bits[at]).collect();
    let count = inside.len().max(1) as f32;
    let mut mean = [0.0; 3];
    for &at in &inside {
        let colour = place(at);
        for c in 0..3 {
            mean[c] += colour[c] / count;
        }
    }
    inside
        .iter()
        .map(|&at| max_difference(place(at), mean))
        .sum::<f32>()
        / count
}

/// Paints everything found (bottom first) out of the rest and puts it behind what was cut before.
fn hand_over(
    scene: &mut Scene,
    found: Vec<Cut>,
    plain: &Rgb,
    ctx: &Context<'_>,
) -> Result<(), Error> {
    for cut in &found {
        ctx.check()?;
        let near = matte::dilate(&cut.alpha, 1);
        for y in 0..cut.rect.h {
            for x in 0..cut.rect.w {
                if near.at(x, y) > 0.0 {
                    let at = (cut.rect.y + y) * scene.rest.w + cut.rect.x + x;
                    scene.rest.data[at] = plain.data[at];
                    scene.painted.data[at] = 1.0;
                }
            }
        }
    }
    scene.cuts.splice(..0, found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Plane;
    use crate::scene::Edge;
    use crate::{Cancel, Options, RgbaImage};

    const SIDE: usize = 400;
    const TAG: Rect = Rect {
        x: 40,
        y: 40,
        w: 50,
        h: 20,
    };
    const PANEL: Rect = Rect {
        x: 60,
        y: 250,
        w: 240,
        h: 120,
    };
    const BUTTON: Rect = Rect {
        x: 100,
        y: 310,
        w: 80,
        h: 30,
    };

    /// A rough photo with a tag on it, and a panel with a button.
    fn photo() -> RgbaImage {
        let (mut state, mut pixels) = (7_u32, Vec::new());
        for at in 0..SIDE * SIDE {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (x, y) = (at % SIDE, at / SIDE);
            let colour = if TAG.contains(x, y) || BUTTON.contains(x, y) {
                [200, 40, 40]
            } else if PANEL.contains(x, y) {
                [245; 3]
            } else {
                [(state >> 24) as u8; 3]
            };
            pixels.extend([colour[0], colour[1], colour[2], 255]);
        }
        let side = SIDE as u32;
        RgbaImage {
            width: side,
            height: side,
            pixels,
        }
    }

    /// Whether `wanted` and nothing else is found, bottom first, when there is lettering on `letters`.
    fn are_found(wanted: &[Rect], letters: &[Rect]) -> bool {
        let (options, cancel, mut heard) = (Options::default(), Cancel::default(), |_| {});
        let mut ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&photo(), &ctx).expect("not cancelled");
        for &place in letters {
            let rect = Rect {
                x: place.x + 10,
                y: place.y + 6,
                w: place.w - 20,
                h: place.h - 12,
            };
            scene.cuts.push(Cut {
                kind: LayerKind::Text,
                confidence: 0.9,
                name: String::new(),
                words: None,
                rect,
                alpha: Plane::filled(rect.w, rect.h, 0.5),
                paint: Plane::filled(rect.w, rect.h, [255.0; 3]),
                edge: Edge::Unmix,
            });
        }
        run(&mut scene, &mut ctx).expect("not cancelled");
        let found = scene.cuts.iter().filter(|cut| cut.kind != LayerKind::Text);
        let near = |one: usize, other: usize| one.abs_diff(other) <= 6;
        let found: Vec<Rect> = found.map(|cut| cut.rect).collect();
        found.len() == wanted.len()
            && found.iter().zip(wanted).all(|(a, b)| {
                near(a.x, b.x) && near(a.y, b.y) && near(a.w, b.w + 6) && near(a.h, b.h + 6)
            })
    }

    #[test]
    fn a_small_tag_on_a_photo_is_cut_if_it_carries_lettering_and_what_lies_on_a_panel_only_once() {
        assert!(are_found(&[PANEL, BUTTON], &[]));
        assert!(are_found(&[TAG, PANEL, BUTTON], &[TAG, BUTTON]));
    }
}
