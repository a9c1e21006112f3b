//! A measurement of what a second search of the filled picture would find. Tests alone; decides
//! nothing.

use std::io::Write as _;

use super::PASSES;
use super::objects::Candidate;
use crate::context::Context;
use crate::scene::Scene;
use crate::{Cancel, LayerKind, Options, RgbaImage, components, net, split};

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
        for pass in PASSES {
            (pass.run)(&mut scene, &mut ctx).expect("runs");
        }
        let kinds: Vec<LayerKind> = scene.cuts.iter().map(|cut| cut.kind).collect();
        writeln!(out, "{name}: first {kinds:?}").expect("standard error");
        let mask = net::saliency(&ctx, &scene.rest).expect("runs");
        let found = components::label(mask.w, mask.h, |at| mask.data[at] > 0.5);
        for (index, piece) in found.pieces.iter().enumerate() {
            let looked = Candidate::new(&scene, &mask, &found.labels, index as u32 + 1, piece);
            if !(0.004..0.5).contains(&looked.share) {
                continue;
            }
            writeln!(
                out,
                "   {:.1} % sure {:.2} guessed {:.2} framed {:.2} edged {:.2} again {:.2} at {:?}",
                looked.share * 100.0,
                looked.sure,
                looked.guessed,
                looked.framed(),
                looked.edged(),
                looked.again(&ctx).expect("runs"),
                piece.rect
            )
            .expect("standard error");
        }
    }
}
