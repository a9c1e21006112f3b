//! Captions in the manner of memes: light letters with a dark outline come off a photo with it.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use layerize::{Cancel, LayerKind, Options, RgbaImage, split};

const LINE: &str = "ALL THE THINGS";

/// Letters drawn over `ground`, with an outline of `thick` pixels.
fn captioned(
    (width, height): (u32, u32),
    ground: impl Fn(u32, u32) -> [u8; 3],
    thick: i64,
) -> RgbaImage {
    let face = include_bytes!("../examples/score/fonts/Oswald_600SemiBold.ttf");
    let face = FontRef::try_from_slice(face).expect("a face");
    let scaled = face.as_scaled(PxScale::from(80.0));
    let mut cover = vec![0.0_f32; (width * height) as usize];
    let mut pen = 70.0;
    for letter in LINE.chars() {
        let mut glyph = scaled.scaled_glyph(letter);
        glyph.position = point(pen, height as f32 - 50.0);
        pen += scaled.h_advance(glyph.id);
        let Some(outline) = face.outline_glyph(glyph) else {
            continue;
        };
        let place = outline.px_bounds().min;
        outline.draw(|x, y, share| {
            let (x, y) = (place.x as u32 + x, place.y as u32 + y);
            let at = &mut cover[(y * width + x) as usize];
            *at = at.max(share.min(1.0));
        });
    }
    let mut pixels = Vec::new();
    for y in 0..i64::from(height) {
        for x in 0..i64::from(width) {
            let mut around = 0.0_f32;
            for (dx, dy) in (-thick..=thick).flat_map(|dy| (-thick..=thick).map(move |dx| (dx, dy)))
            {
                let (x, y) = (x + dx, y + dy);
                let on = (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y);
                if on && dx * dx + dy * dy <= thick * thick {
                    around = around.max(cover[(y * i64::from(width) + x) as usize]);
                }
            }
            let own = cover[(y * i64::from(width) + x) as usize];
            for value in ground(x as u32, y as u32) {
                let outlined = f32::from(value) * (1.0 - around);
                pixels.push((outlined + (255.0 - outlined) * own).round() as u8);
            }
            pixels.push(255);
        }
    }
    RgbaImage {
        width,
        height,
        pixels,
    }
}

fn light(pixel: &[u8]) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

#[test]
fn an_outlined_caption_leaves_no_outline_on_a_ground_half_of_which_is_as_dark() {
    // Hedges on a lawn, as blocks and as stripes.
    let blocks = |x: u32, y: u32| (x / 37 * 7 + y / 53 * 5).is_multiple_of(2);
    let stripes = |x: u32, _: u32| (x / 30).is_multiple_of(2);
    let blocks = ("blocks", &blocks as &dyn Fn(u32, u32) -> bool);
    for (name, hedge) in [blocks, ("stripes", &stripes)] {
        let ground = |x: u32, y: u32| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 7 & 15;
            let shade = noise as u8;
            if hedge(x, y) {
                [4 + shade / 2, 6 + shade, 4]
            } else {
                [90 + shade, 150 + shade, 60 + shade]
            }
        };
        let image = captioned((640, 420), ground, 3);
        let layers = split(&image, &Options::default(), &mut |_| {}, &Cancel::default());
        let layers = layers.expect("splits");
        assert!(layers.iter().any(|layer| layer.kind == LayerKind::Text));
        let (mut dark, mut count) = (0, 0);
        for (x, y) in (300..380).flat_map(|y| (60..560).map(move |x| (x, y))) {
            let at = ((y * image.width + x) * 4) as usize;
            if light(&ground(x, y)) > 80.0 {
                count += 1;
                dark += u32::from(light(&layers[0].image.pixels[at..at + 3]) < 40.0);
            }
        }
        let share = f64::from(dark) / f64::from(count);
        assert!(share < 0.06, "{name}: {share} of the lawn is outline still");
    }
}
