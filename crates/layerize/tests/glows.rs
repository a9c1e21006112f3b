//! Glowing titles: light or shade that fades around letters comes off a picture with them.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use layerize::{Cancel, Layer, LayerKind, Options, RgbaImage, split};

const SIZE: (usize, usize) = (640, 400);
const LINE: &str = "WINTER TALES";

/// How much of each pixel the letters cover.
fn lettering() -> Vec<f32> {
    let face = include_bytes!("../examples/score/fonts/Oswald_600SemiBold.ttf");
    let face = FontRef::try_from_slice(face).expect("a face");
    let scaled = face.as_scaled(PxScale::from(110.0));
    let mut cover = vec![0.0_f32; SIZE.0 * SIZE.1];
    let mut pen = 70.0;
    for letter in LINE.chars() {
        let mut glyph = scaled.scaled_glyph(letter);
        glyph.position = point(pen, 190.0);
        pen += scaled.h_advance(glyph.id);
        let Some(outline) = face.outline_glyph(glyph) else {
            continue;
        };
        let place = outline.px_bounds().min;
        outline.draw(|x, y, share| {
            let (x, y) = (place.x as usize + x as usize, place.y as usize + y as usize);
            if x < SIZE.0 && y < SIZE.1 {
                let at = &mut cover[y * SIZE.0 + x];
                *at = at.max(share.min(1.0));
            }
        });
    }
    cover
}

/// A Gaussian of this deviation over it, moved by `by` pixels down and right.
fn blurred(cover: &[f32], deviation: f32, by: usize) -> Vec<f32> {
    let reach = (3.0 * deviation) as i64;
    let weight = |off: i64| (-(off * off) as f32 / (2.0 * deviation * deviation)).exp();
    let all: f32 = (-reach..=reach).map(weight).sum();
    let along = |from: &[f32], step: (i64, i64)| -> Vec<f32> {
        (0..SIZE.0 * SIZE.1)
            .map(|at| {
                let (x, y) = ((at % SIZE.0) as i64, (at / SIZE.0) as i64);
                let each = (-reach..=reach).map(|off| {
                    let x = (x + off * step.0).clamp(0, SIZE.0 as i64 - 1) as usize;
                    let y = (y + off * step.1).clamp(0, SIZE.1 as i64 - 1) as usize;
                    from[y * SIZE.0 + x] * weight(off) / all
                });
                each.sum()
            })
            .collect()
    };
    let soft = along(&along(cover, (1, 0)), (0, 1));
    (0..SIZE.0 * SIZE.1)
        .map(|at| {
            let (x, y) = (at % SIZE.0, at / SIZE.0);
            if x >= by && y >= by {
                soft[(y - by) * SIZE.0 + x - by]
            } else {
                0.0
            }
        })
        .collect()
}

type Ground = fn(usize, usize) -> [f32; 3];

/// A sky that goes over into a dusk, both ways.
fn dusk(x: usize, y: usize) -> [f32; 3] {
    let (u, v) = (x as f32 / SIZE.0 as f32, y as f32 / SIZE.1 as f32);
    let wave = 12.0 * (5.0 * u + 3.0 * v).sin();
    [
        120.0 + 90.0 * v * u + wave,
        110.0 + 60.0 * u - 30.0 * v,
        170.0 - 80.0 * v + wave,
    ]
}

/// The same with the grain of sand.
fn sand(x: usize, y: usize) -> [f32; 3] {
    let hash = |x: usize, y: usize| {
        let mixed = (x as u32).wrapping_mul(374_761_393) ^ (y as u32).wrapping_mul(668_265_263);
        let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(1_274_126_177);
        ((mixed >> 16) & 255) as f32 / 255.0 - 0.5
    };
    let grain = hash(x / 2, y / 2) * 20.0 + hash(x / 5, y / 3) * 22.0;
    dusk(x, y).map(|v| v + grain)
}

struct Drawn {
    image: RgbaImage,
    glow: Vec<f32>,
    letters: Vec<f32>,
}

/// Letters of `ink` before a glow.
fn drawn(ground: Ground, ink: [f32; 3], glow: Option<([f32; 3], f32, f32, usize)>) -> Drawn {
    let letters = lettering();
    let (light, deviation, gain, by) = glow.unwrap_or(([0.0; 3], 1.0, 0.0, 0));
    let soft = blurred(&letters, deviation, by);
    let glow: Vec<f32> = soft.iter().map(|g| (g * gain).min(1.0)).collect();
    let mut pixels = Vec::new();
    for at in 0..SIZE.0 * SIZE.1 {
        let ground = ground(at % SIZE.0, at / SIZE.0);
        for c in 0..3 {
            let lit = ground[c] + (light[c] - ground[c]) * glow[at];
            pixels.push((lit + (ink[c] - lit) * letters[at]).round() as u8);
        }
        pixels.push(255);
    }
    Drawn {
        image: RgbaImage {
            width: SIZE.0 as u32,
            height: SIZE.1 as u32,
            pixels,
        },
        glow,
        letters,
    }
}

fn layers_of(image: &RgbaImage) -> Vec<Layer> {
    let layers = split(image, &Options::default(), &mut |_| {}, &Cancel::default());
    layers.expect("splits")
}

/// How far the background is from `ground` where the glow is plain: the mean of what differs over places of 9 by 9 pixels, which
/// grain does not, and the most of these.
fn left(layers: &[Layer], drawn: &Drawn, ground: Ground) -> (f32, f32) {
    let back = &layers[0].image;
    let off = |x: usize, y: usize, c: usize| {
        f32::from(back.pixels[(y * SIZE.0 + x) * 4 + c]) - ground(x, y)[c]
    };
    let (mut sum, mut most, mut count) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (x, y) in (8..SIZE.1 - 8).flat_map(|y| (8..SIZE.0 - 8).map(move |x| (x, y))) {
        let at = y * SIZE.0 + x;
        if drawn.glow[at] < 0.04 || (x + 3 * y) % 7 != 0 {
            continue;
        }
        let mut worst = 0.0_f32;
        for c in 0..3 {
            let near = (y - 4..=y + 4).flat_map(|y| (x - 4..=x + 4).map(move |x| (x, y)));
            let mean = near.map(|(x, y)| off(x, y, c)).sum::<f32>() / 81.0;
            worst = worst.max(mean.abs());
        }
        (sum, most, count) = (sum + worst, most.max(worst), count + 1.0);
    }
    (sum / count, most)
}

fn is_exact(layers: &[Layer], image: &RgbaImage) {
    let mut stack = vec![0_u8; image.pixels.len()];
    for layer in layers {
        let own = layer.to_canvas(image.width, image.height);
        for (below, top) in stack.chunks_exact_mut(4).zip(own.pixels.chunks_exact(4)) {
            let a = u32::from(top[3]);
            for c in 0..3 {
                let sum = u32::from(top[c]) * a + u32::from(below[c]) * (255 - a);
                below[c] = ((sum + 127) / 255) as u8;
            }
            below[3] = 255;
        }
    }
    let off = stack.iter().zip(&image.pixels).map(|(a, b)| a.abs_diff(*b));
    assert!(off.max() <= Some(1));
}

#[test]
fn a_glow_comes_off_with_its_letters() {
    let pink = ([255.0, 60.0, 160.0], 10.0, 2.0, 0);
    let black = ([0.0; 3], 5.0, 2.0, 0);
    let white = ([255.0; 3], 7.0, 1.2, 0);
    let shadow = ([0.0; 3], 6.0, 0.9, 5);
    let grounds: [(&str, Ground, f32, f32); 2] =
        [("dusk", dusk, 4.0, 14.0), ("sand", sand, 6.0, 22.0)];
    for (place, ground, mean, most) in grounds {
        for (name, ink, glow) in [
            ("pink", [255.0; 3], pink),
            ("black", [255.0, 230.0, 120.0], black),
            ("white", [30.0, 30.0, 40.0], white),
            ("shadow", [250.0, 250.0, 245.0], shadow),
        ] {
            let drawn = drawn(ground, ink, Some(glow));
            let layers = layers_of(&drawn.image);
            is_exact(&layers, &drawn.image);
            assert!(layers.iter().any(|layer| layer.kind == LayerKind::Text));
            let (all, worst) = left(&layers, &drawn, ground);
            assert!(
                all <= mean && worst <= most,
                "{place} {name}: {all} {worst}"
            );
        }
    }
}

#[test]
fn letters_without_a_glow_take_nothing_of_the_ground_with_them() {
    for ground in [dusk as Ground, sand] {
        let drawn = drawn(ground, [250.0; 3], None);
        let layers = layers_of(&drawn.image);
        let text = layers.iter().find(|layer| layer.kind == LayerKind::Text);
        let text = text.expect("text").to_canvas(640, 400);
        let near = blurred(&drawn.letters, 2.0, 0);
        let far = (0..near.len()).filter(|&at| near[at] < 1e-4);
        let taken = far.filter(|&at| text.pixels[at * 4 + 3] > 0).count();
        assert_eq!(taken, 0);
    }
}
