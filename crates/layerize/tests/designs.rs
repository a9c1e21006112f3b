//! The two drawn designs, whose grounds are known, fall into what they were made of.

use layerize::{Cancel, Layer, LayerKind, Options, RgbaImage, composite, split};

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

fn jpeg(image: &RgbaImage, quality: u8) -> RgbaImage {
    let buffer = image::RgbaImage::from_raw(image.width, image.height, image.pixels.clone());
    let colours = image::DynamicImage::from(buffer.expect("whole rows")).to_rgb8();
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(&colours)
        .expect("encodes");
    raw(&image::load_from_memory(&file).expect("decodes"))
}

fn layers_of(image: &RgbaImage, options: &Options) -> Vec<Layer> {
    let layers = split(image, options, &mut |_| {}, &Cancel::default()).expect("splits");
    let back = composite(image.width, image.height, &layers);
    let worst = image
        .pixels
        .iter()
        .zip(&back.pixels)
        .map(|(&a, &b)| a.abs_diff(b))
        .max();
    assert!(worst <= Some(1), "the stack is off by {worst:?}");
    layers
}

fn count(layers: &[Layer], kind: LayerKind) -> usize {
    layers.iter().filter(|layer| layer.kind == kind).count()
}

/// Peak signal-to-noise ratio of the background against what it should be.
fn ground_psnr(layers: &[Layer], truth: impl Fn(u32) -> [f64; 3]) -> f64 {
    let ground = &layers[0].image;
    let mut squares = 0.0;
    for y in 0..ground.height {
        let wanted = truth(y);
        for x in 0..ground.width {
            let seen = ground.pixel(x, y);
            squares += (0..3)
                .map(|c| (f64::from(seen[c]) - wanted[c]).powi(2))
                .sum::<f64>();
        }
    }
    let mean = squares / f64::from(ground.width * ground.height * 3);
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

#[test]
fn a_poster_falls_into_text_shapes_and_panel_on_a_clean_ground() {
    let layers = layers_of(&load("design_poster.png"), &Options::default());
    assert!(count(&layers, LayerKind::Text) >= 6);
    assert_eq!(count(&layers, LayerKind::Panel), 1);
    assert!((3..=5).contains(&count(&layers, LayerKind::Shape)));
    assert!(ground_psnr(&layers, |_| [247.0, 241.0, 227.0]) > 40.0);
}

#[test]
fn a_card_comes_off_with_its_shadow_and_photo() {
    let layers = layers_of(&load("design_card.png"), &Options::default());
    assert_eq!(count(&layers, LayerKind::Text), 5);
    assert!(count(&layers, LayerKind::Panel) >= 1);
    assert_eq!(count(&layers, LayerKind::Object), 1);
    assert_eq!(count(&layers, LayerKind::Shadow), 1);
    let gradient = |y: u32| {
        let t = f64::from(y) / 1023.0;
        [72.0 + 158.0 * t, 61.0 + 29.0 * t, 180.0 - 40.0 * t]
    };
    assert!(ground_psnr(&layers, gradient) > 35.0);
}

#[test]
fn jpeg_noise_does_not_break_a_poster() {
    let layers = layers_of(&jpeg(&load("design_poster.png"), 75), &Options::default());
    assert!(count(&layers, LayerKind::Text) >= 6);
    assert_eq!(count(&layers, LayerKind::Panel), 1);
    assert!(layers.len() <= 16);
    assert!(ground_psnr(&layers, |_| [247.0, 241.0, 227.0]) > 35.0);
}

#[test]
fn more_things_than_asked_for_are_merged_and_none_is_lost() {
    let poster = load("design_poster.png");
    let covered = |layers: &[Layer]| {
        let above = composite(poster.width, poster.height, &layers[1..]);
        above.pixels.chunks_exact(4).filter(|p| p[3] > 127).count()
    };
    let all = layers_of(&poster, &Options::default());
    for most in [2, 4] {
        let few = layers_of(
            &poster,
            &Options {
                max_layers: Some(most),
                ..Options::default()
            },
        );
        assert_eq!(few.len(), usize::from(most));
        assert!(covered(&few).abs_diff(covered(&all)) * 100 < covered(&all));
    }
}

#[test]
fn with_every_pass_off_the_picture_is_its_own_background() {
    let poster = load("design_poster.png");
    let skip = vec!["text", "shapes", "subject"];
    let layers = layers_of(
        &poster,
        &Options {
            skip,
            ..Options::default()
        },
    );
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0].image, poster);
}
