//! A picture decoded by another decoder differs by a level here and there; its layers do not.

use layerize::{Cancel, Layer, LayerKind, Options, RgbaImage, split};

fn load(name: &str) -> RgbaImage {
    let path = format!(
        "{}/../../testdata/images/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    raw(&image::open(path).expect("test image"))
}

fn raw(picture: &image::DynamicImage) -> RgbaImage {
    let picture = picture.to_rgba8();
    RgbaImage {
        width: picture.width(),
        height: picture.height(),
        pixels: picture.into_raw(),
    }
}

/// Through JPEG, at most 640 pixels a side.
fn photographed(image: &RgbaImage) -> RgbaImage {
    let buffer = image::RgbaImage::from_raw(image.width, image.height, image.pixels.clone());
    let colours = image::DynamicImage::from(buffer.expect("whole rows"));
    let colours = colours.thumbnail(640, 640).to_rgb8();
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 88)
        .encode_image(&colours)
        .expect("encodes");
    raw(&image::load_from_memory(&file).expect("decodes"))
}

/// Every value moved by at most one level.
fn disturbed(image: &RgbaImage, seed: u32) -> RgbaImage {
    let mut state = seed | 1;
    let mut other = image.clone();
    for pixel in other.pixels.chunks_exact_mut(4) {
        for value in &mut pixel[..3] {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = match state >> 30 {
                0 => value.saturating_add(1),
                1 => value.saturating_sub(1),
                _ => *value,
            };
        }
    }
    other
}

fn layers_of(image: &RgbaImage) -> Vec<Layer> {
    split(image, &Options::default(), &mut |_| {}, &Cancel::default()).expect("splits")
}

/// Agreement of what two layers cover, intersection over union.
fn agreement(one: &Layer, other: &Layer, image: &RgbaImage) -> f64 {
    let canvas = |layer: &Layer| layer.to_canvas(image.width, image.height).pixels;
    let (one, other) = (canvas(one), canvas(other));
    let pairs = one.chunks_exact(4).zip(other.chunks_exact(4));
    let (both, either) = pairs.fold((0.0, 0.0), |(both, either), (a, b)| {
        let (a, b) = (f64::from(a[3]), f64::from(b[3]));
        (both + a.min(b), either + a.max(b))
    });
    both / f64::max(either, 1.0)
}

#[test]
fn a_level_more_or_less_changes_no_layer() {
    for name in [
        "design_poster.png",
        "design_card.png",
        "coffee.png",
        "chelsea.png",
    ] {
        let image = photographed(&load(name));
        let first = layers_of(&image);
        for seed in [11, 12] {
            let second = layers_of(&disturbed(&image, seed));
            // Names tell places by thirds of the canvas, and a thing may lie on the line.
            let told = |layers: &[Layer]| -> Vec<(LayerKind, Option<String>)> {
                let told = |layer: &Layer| (layer.kind, layer.text.clone());
                layers.iter().map(told).collect()
            };
            assert_eq!(told(&first), told(&second), "{name}");
            for (one, two) in first.iter().zip(&second) {
                let same = agreement(one, two, &image);
                let least = if one.kind == LayerKind::Shadow {
                    0.7
                } else {
                    0.9
                };
                assert!(same > least, "{name}, {}: {same}", one.name);
            }
        }
    }
}
