//! Glowing titles: light or shade that fades around letters comes off a picture with them.

mod glowing;

use glowing::{
    BLACK, Drawn, Glow, Ground, PINK, SHADOW, SIZE, WHITE, blurred, drawn, dusk, sand, written,
};
use layerize::{Cancel, Layer, LayerKind, Options, RgbaImage, split};

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

fn texts_of(layers: &[Layer]) -> Vec<RgbaImage> {
    let texts = layers.iter().filter(|layer| layer.kind == LayerKind::Text);
    let canvas = (SIZE.0 as u32, SIZE.1 as u32);
    texts
        .map(|text| text.to_canvas(canvas.0, canvas.1))
        .collect()
}

/// Share of the pixels beside the letters, where half and more is glow, that no layer of text covers by a quarter.
fn bare_of_text(layers: &[Layer], drawn: &Drawn) -> f32 {
    let texts = texts_of(layers);
    let glows =
        (0..drawn.glow.len()).filter(|&at| drawn.glow[at] >= 0.5 && drawn.letters[at] <= 0.0);
    let (mut all, mut bare) = (0.0, 0.0);
    for at in glows {
        all += 1.0;
        bare += f32::from(u8::from(
            texts.iter().all(|text| text.pixels[at * 4 + 3] < 64),
        ));
    }
    assert!(all > 0.0);
    bare / all
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
    let grounds: [(&str, Ground, f32, f32); 2] =
        [("dusk", dusk, 4.0, 14.0), ("sand", sand, 6.0, 22.0)];
    for (place, ground, mean, most) in grounds {
        for (name, ink, glow) in [
            ("pink", [255.0; 3], PINK),
            ("black", [255.0, 230.0, 120.0], BLACK),
            ("white", [30.0, 30.0, 40.0], WHITE),
            ("shadow", [250.0, 250.0, 245.0], SHADOW),
        ] {
            let drawn = drawn(ground, ink, Some(glow));
            let layers = layers_of(&drawn.image);
            is_exact(&layers, &drawn.image);
            let bare = bare_of_text(&layers, &drawn);
            assert!(bare < 0.05, "{place} {name}: {bare}");
            let (all, worst) = left(&layers, &drawn, ground);
            assert!(
                all <= mean && worst <= most,
                "{place} {name}: {all} {worst}"
            );
        }
    }
}

#[test]
fn a_glow_within_round_letters_is_no_second_ink() {
    for (name, ink, glow) in [
        ("pink", [255.0; 3], PINK),
        ("black", [255.0, 230.0, 120.0], BLACK),
        ("white", [30.0, 30.0, 40.0], WHITE),
    ] {
        let drawn = written("BOOK COCOA", dusk, ink, Some(glow));
        let layers = layers_of(&drawn.image);
        is_exact(&layers, &drawn.image);
        let bare = bare_of_text(&layers, &drawn);
        let (all, worst) = left(&layers, &drawn, dusk);
        assert!(
            bare < 0.05 && all <= 4.0 && worst <= 14.0,
            "{name}: {bare} {all} {worst}"
        );
    }
}

/// A garden with a soft light behind the letters, which ends with them.
fn light_behind(x: usize, y: usize) -> [f32; 3] {
    let off = ((x as f32 - 300.0) / 2.0).hypot(y as f32 - 150.0);
    let share = (1.3 - off / 130.0).clamp(0.0, 1.0);
    [150.0, 190.0, 110.0].map(|v| v + (255.0 - v) * share)
}

#[test]
fn what_an_outline_encloses_is_no_glow() {
    // So wide and steep that it is an outline of three pixels.
    let outline: Glow = ([0.0; 3], 2.0, 20.0, 0);
    for (name, ground) in [("light", light_behind as Ground), ("dusk", dusk)] {
        let drawn = drawn(ground, [255.0; 3], Some(outline));
        let layers = layers_of(&drawn.image);
        is_exact(&layers, &drawn.image);
        let inside = (0..drawn.letters.len()).filter(|&at| drawn.letters[at] >= 1.0);
        let texts = texts_of(&layers);
        let (mut all, mut bare) = (0.0, 0.0);
        for at in inside {
            all += 1.0;
            bare += f32::from(u8::from(
                texts.iter().all(|text| text.pixels[at * 4 + 3] < 128),
            ));
        }
        assert!(
            bare / all < 0.05,
            "{name}: {} of the letters stay",
            bare / all
        );
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
