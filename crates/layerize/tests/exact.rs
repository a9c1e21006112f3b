//! Whatever goes in, the stack gives it back.

use layerize::{
    Cancel, Error, LayerKind, Options, RgbaImage, TextLayers, composite, passes, split,
    split_with_report,
};
use proptest::prelude::*;

fn layers_of(image: &RgbaImage, options: &Options) -> Vec<layerize::Layer> {
    split(image, options, &mut |_| {}, &Cancel::default()).expect("splits")
}

/// Largest channel difference between the source and its recomposed stack.
fn worst(image: &RgbaImage, layers: &[layerize::Layer]) -> u8 {
    let back = composite(image.width, image.height, layers);
    image
        .pixels
        .iter()
        .zip(&back.pixels)
        .map(|(&a, &b)| a.abs_diff(b))
        .max()
        .unwrap_or(0)
}

/// The same where another viewer composites: in floating point, rounded once at the end. Places
/// that cannot be seen are left out, since their colour is anybody's.
fn worst_elsewhere(image: &RgbaImage, layers: &[layerize::Layer]) -> u8 {
    let mut canvas = vec![[0.0_f64; 4]; image.pixels.len() / 4];
    for layer in layers {
        let full = layer.to_canvas(image.width, image.height);
        for (under, top) in canvas.iter_mut().zip(full.pixels.as_chunks::<4>().0) {
            let share = f64::from(top[3]) / 255.0;
            let total = share + under[3] * (1.0 - share);
            if share > 0.0 {
                for c in 0..3 {
                    let sum = f64::from(top[c]) * share + under[c] * under[3] * (1.0 - share);
                    under[c] = sum / total;
                }
                under[3] = total;
            }
        }
    }
    let mut worst = 0;
    for (seen, given) in canvas.iter().zip(image.pixels.as_chunks::<4>().0) {
        let alpha = (seen[3] * 255.0).round() as u8;
        worst = worst.max(alpha.abs_diff(given[3]));
        if given[3] > 0 {
            for c in 0..3 {
                worst = worst.max((seen[c].round() as u8).abs_diff(given[c]));
            }
        }
    }
    worst
}

fn load(name: &str) -> RgbaImage {
    let path = format!(
        "{}/../../testdata/images/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let picture = image::open(path).expect("test image").to_rgba8();
    RgbaImage {
        width: picture.width(),
        height: picture.height(),
        pixels: picture.into_raw(),
    }
}

/// A picture of blocks, ramps and noise from a seed; `alpha` gives it transparency of its own.
fn drawn(width: u32, height: u32, seed: u64, alpha: bool) -> RgbaImage {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut pixels = vec![0; width as usize * height as usize * 4];
    let base = next().to_le_bytes();
    for p in pixels.chunks_exact_mut(4) {
        p.copy_from_slice(&[base[0], base[1], base[2], 255]);
    }
    for _ in 0..6 {
        let r = next().to_le_bytes();
        let (x0, y0) = (
            u32::from(r[0]) * width / 256,
            u32::from(r[1]) * height / 256,
        );
        let (x1, y1) = (
            (x0 + u32::from(r[2]) * width / 400 + 1).min(width),
            (y0 + u32::from(r[3]) * height / 400 + 1).min(height),
        );
        for y in y0..y1 {
            for x in x0..x1 {
                let at = ((y * width + x) * 4) as usize;
                let noise = if r[7] & 1 == 0 {
                    (next() % 40) as u8
                } else {
                    0
                };
                pixels[at] = r[4].wrapping_add(noise);
                pixels[at + 1] = r[5].saturating_add((x % 256) as u8 / 4);
                pixels[at + 2] = r[6].saturating_sub(noise);
                if alpha {
                    pixels[at + 3] = r[(x % 8) as usize];
                }
            }
        }
    }
    RgbaImage {
        width,
        height,
        pixels,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_drawn_picture_is_given_back(
        width in prop_oneof![Just(1_u32), Just(3), 2_u32..160],
        height in prop_oneof![Just(1_u32), Just(3), 2_u32..160],
        seed in any::<u64>(),
        alpha in any::<bool>(),
        most in prop_oneof![Just(None), (1_u8..8).prop_map(Some)],
        blocks in any::<bool>(),
    ) {
        let image = drawn(width, height, seed, alpha);
        let text = if blocks { TextLayers::Blocks } else { TextLayers::Lines };
        let layers = layers_of(&image, &Options { max_layers: most, text, ..Options::default() });
        prop_assert!(worst(&image, &layers) <= 1);
        prop_assert!(worst_elsewhere(&image, &layers) <= 1);
        prop_assert!(!layers.is_empty() && layers[0].kind == LayerKind::Background);
        prop_assert!(most.is_none_or(|most| layers.len() <= usize::from(most)));
        for layer in &layers {
            prop_assert!(layer.x + layer.image.width <= width && layer.y + layer.image.height <= height);
        }
    }
}

proptest! {
    // Without the networks a split takes milliseconds, so many more can be tried.
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_left_out_the_picture_is_given_back(
        width in prop_oneof![Just(1_u32), Just(3), 2_u32..200, Just(1500)],
        height in prop_oneof![Just(1_u32), Just(3), 2_u32..60],
        seed in any::<u64>(),
        alpha in any::<bool>(),
        left_out in any::<u8>(),
    ) {
        let image = drawn(width, height, seed, alpha);
        let skip = passes().into_iter().enumerate();
        let skip = skip.filter(|(at, name)| {
            ["text", "subject"].contains(name) || left_out >> at & 1 == 1
        });
        let skip = skip.map(|(_, name)| name).collect();
        let layers = layers_of(&image, &Options { skip, ..Options::default() });
        prop_assert!(worst(&image, &layers) <= 1);
        prop_assert!(worst_elsewhere(&image, &layers) <= 1);
        prop_assert!(layers.iter().all(|layer| !layer.name.is_empty()));
    }
}

#[test]
fn a_pass_that_does_not_exist_cannot_be_left_out() {
    let options = Options {
        skip: vec!["shape"],
        ..Options::default()
    };
    let image = RgbaImage::transparent(2, 2);
    let refused = split(&image, &options, &mut |_| {}, &Cancel::default());
    let sentence = refused.expect_err("there is no such pass").to_string();
    assert!(sentence.contains("shape") && sentence.contains("shapes, "));
}

#[test]
fn every_pass_is_timed_in_order_and_none_that_was_left_out() {
    let image = drawn(60, 40, 7, false);
    let ran = |skip: Vec<&'static str>| {
        let options = Options {
            skip,
            ..Options::default()
        };
        let (_, report) =
            split_with_report(&image, &options, &mut |_| {}, &Cancel::default()).expect("splits");
        let times = report.passes.iter();
        times.map(|time| time.pass).collect::<Vec<_>>()
    };
    let all: Vec<&str> = ["look"]
        .into_iter()
        .chain(passes())
        .chain(["peel"])
        .collect();
    assert_eq!(ran(Vec::new()), all);
    for pass in passes() {
        let rest: Vec<&str> = all.iter().copied().filter(|name| *name != pass).collect();
        assert_eq!(ran(vec![pass]), rest);
    }
}

#[test]
fn one_colour_is_a_background_and_nothing_else() {
    for (width, height) in [(1, 1), (3, 200), (64, 64)] {
        let image = RgbaImage {
            width,
            height,
            pixels: [9, 80, 200, 255].repeat((width * height) as usize),
        };
        let layers = layers_of(&image, &Options::default());
        assert_eq!(layers.len(), 1);
        assert_eq!(layers[0].image, image);
    }
}

#[test]
fn stars_without_a_subject_stay_one_background() {
    let image = load("hubble_deep_field.jpg");
    assert_eq!(layers_of(&image, &Options::default()).len(), 1);
}

#[test]
fn a_portrait_gives_its_subject_and_the_source_back() {
    let image = load("astronaut.png");
    let layers = layers_of(&image, &Options::default());
    assert!(layers.iter().any(|layer| layer.kind == LayerKind::Subject));
    assert!(worst(&image, &layers) <= 1);
}

#[test]
fn a_photo_that_is_not_filled_stays_under_its_subject_and_is_given_back() {
    let image = load("astronaut.png");
    let options = Options {
        skip: vec!["text", "fill"],
        ..Options::default()
    };
    let layers = layers_of(&image, &options);
    let kinds: Vec<LayerKind> = layers.iter().map(|layer| layer.kind).collect();
    assert_eq!(kinds, [LayerKind::Background, LayerKind::Subject]);
    assert!(worst(&image, &layers) <= 1);
    for (x, y) in [(224, 80), (240, 400), (380, 420)] {
        assert_eq!(layers[0].image.pixel(x, y), image.pixel(x, y));
    }
}

#[test]
fn a_picture_larger_than_the_work_size_is_given_back() {
    let small = load("chelsea.png");
    let (width, height) = (small.width * 5, small.height * 4);
    let mut image = RgbaImage::transparent(width, height);
    for y in 0..height {
        for x in 0..width {
            let at = ((y * width + x) * 4) as usize;
            image.pixels[at..at + 4].copy_from_slice(&small.pixel(x / 5, y / 4));
        }
    }
    let layers = layers_of(&image, &Options::default());
    assert!(layers.len() > 1);
    assert!(worst(&image, &layers) <= 1);
}

#[test]
fn an_impossible_buffer_is_refused() {
    let image = RgbaImage {
        width: 4,
        height: 4,
        pixels: vec![0; 10],
    };
    let refused = split(&image, &Options::default(), &mut |_| {}, &Cancel::default());
    assert!(matches!(refused, Err(Error::BadImage { bytes: 10, .. })));
}

#[test]
fn a_raised_flag_stops_the_split_at_the_pass_that_runs() {
    let image = load("coffee.png");
    let cancel = Cancel::default();
    let raise = cancel.clone();
    let mut passes = Vec::new();
    let stopped = split(
        &image,
        &Options::default(),
        &mut |progress| {
            passes.push(progress.pass);
            if progress.pass == "subject" {
                raise.cancel();
            }
        },
        &cancel,
    );
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(passes.last(), Some(&"subject"));
}

#[test]
fn progress_never_falls_and_ends_at_one() {
    let mut seen = vec![0.0];
    split(
        load("chelsea.png"),
        &Options::default(),
        &mut |p| seen.push(p.fraction),
        &Cancel::default(),
    )
    .expect("splits");
    assert!(seen.is_sorted());
    assert!((seen.last().expect("reported") - 1.0).abs() < 1e-6);
}
