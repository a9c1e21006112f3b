//! Whatever goes in, the stack gives it back.

use layerize::{Cancel, Error, LayerKind, Options, RgbaImage, composite, split};
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
    ) {
        let image = drawn(width, height, seed, alpha);
        let layers = layers_of(&image, &Options { max_layers: most, ..Options::default() });
        prop_assert!(worst(&image, &layers) <= 1);
        prop_assert!(!layers.is_empty() && layers[0].kind == LayerKind::Background);
        prop_assert!(most.is_none_or(|most| layers.len() <= usize::from(most)));
        for layer in &layers {
            prop_assert!(layer.x + layer.image.width <= width && layer.y + layer.image.height <= height);
        }
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
        &load("chelsea.png"),
        &Options::default(),
        &mut |p| seen.push(p.fraction),
        &Cancel::default(),
    )
    .expect("splits");
    assert!(seen.is_sorted());
    assert!((seen.last().expect("reported") - 1.0).abs() < 1e-6);
}
