//! Layers that come back from an engine, scaling, and recognising the source among them.

use super::samples::*;
use crate::{
    BoundingBox, Difference, ImageError, LayerEncoder, Limits, MediaType, RgbaImage,
    declared_layer, decode_layer, decode_rgba, difference, encode_layer, encode_png, inspect_layer,
    same_picture, scale_to_fit,
};

fn with_rectangle(width: u32, height: u32, bbox: BoundingBox, alpha: u8) -> RgbaImage {
    let mut image = flat(width, height, [9, 8, 7, 0]).into_pixels();
    for y in bbox.y..bbox.y + bbox.height {
        for x in bbox.x..bbox.x + bbox.width {
            image[((y * width + x) * 4 + 3) as usize] = alpha;
        }
    }
    RgbaImage::new(width, height, image).unwrap()
}

#[test]
fn a_layer_is_measured_to_the_pixel() {
    let bbox = BoundingBox {
        x: 3,
        y: 5,
        width: 7,
        height: 2,
    };
    let layer = with_rectangle(20, 10, bbox, 1);
    for (bytes, format) in [
        (png(&layer), MediaType::Png),
        (webp(&layer), MediaType::WebP),
    ] {
        let measures = inspect_layer(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            (measures.width, measures.height, measures.format),
            (20, 10, format)
        );
        assert_eq!(measures.bbox, Some(bbox));
        assert!((measures.coverage - 14.0 / 255.0 / 200.0).abs() < 1e-6);
        assert!(!measures.opaque);
    }
}

#[test]
fn an_empty_and_a_full_layer_are_told_apart() {
    let empty = inspect_layer(&png(&flat(4, 6, [1, 2, 3, 0])), &Limits::default()).unwrap();
    assert_eq!(
        (empty.bbox, empty.coverage, empty.opaque),
        (None, 0.0, false)
    );
    let (full, image) = decode_layer(&png(&gradient(4, 6)), &Limits::default()).unwrap();
    assert_eq!((full.coverage, full.opaque), (1.0, true));
    let whole = full.bbox.unwrap();
    assert_eq!((whole.x, whole.y, whole.width, whole.height), (0, 0, 4, 6));
    assert_eq!(image, gradient(4, 6));
}

proptest::proptest! {
    /// As docs/api.md promises: not the share of visible pixels, which says 1 of a faint haze.
    #[test]
    fn coverage_is_the_mean_alpha_of_any_layer(
        alphas in proptest::collection::vec(proptest::num::u8::ANY, 1..200),
        width in 1_usize..20,
    ) {
        let height = alphas.len().div_ceil(width);
        let alpha = |at: usize| alphas.get(at).copied().unwrap_or(0);
        let pixels = (0..width * height).flat_map(|at| [200, 100, 50, alpha(at)]);
        let layer = RgbaImage::new(width as u32, height as u32, pixels.collect()).unwrap();
        let mean = (0..width * height).map(|at| f64::from(alpha(at)) / 255.0).sum::<f64>()
            / (width * height) as f64;
        for bytes in [png(&layer), webp(&layer)] {
            let measures = inspect_layer(&bytes, &Limits::default()).unwrap();
            assert!((f64::from(measures.coverage) - mean).abs() < 1e-6, "{} {mean}", measures.coverage);
        }
    }
}

#[test]
fn a_layer_that_is_cut_or_has_no_alpha_format_is_refused() {
    let limits = Limits::default();
    let code = |bytes: &[u8]| inspect_layer(bytes, &limits).unwrap_err().code();
    let layer = png(&gradient(64, 64));
    assert_eq!(code(&layer[..layer.len() / 2]), "image_truncated");
    assert_eq!(code(&jpeg(&gradient(8, 8))), "image_format_unsupported");
    assert_eq!(code(&gif(&[gradient(8, 8)])), "image_format_unsupported");
    assert_eq!(code(b"<html>busy</html>"), "image_format_unsupported");
    let small = Limits {
        max_pixels: 100,
        ..limits
    };
    let error = inspect_layer(&png(&gradient(11, 10)), &small).unwrap_err();
    assert_eq!(error.code(), "image_too_large");
}

#[test]
fn of_a_layer_that_is_not_decoded_its_file_tells_size_and_damage() {
    let limits = Limits::default();
    let layer = gradient(64, 40);
    for (file, format) in [
        (png(&layer), MediaType::Png),
        (webp(&layer), MediaType::WebP),
    ] {
        let told = declared_layer(&file, &limits).unwrap();
        assert_eq!((told.width, told.height, told.format), (64, 40, format));
        let whole = told.bbox.unwrap();
        assert_eq!(
            (whole.x, whole.y, whole.width, whole.height),
            (0, 0, 64, 40)
        );
        assert_eq!(
            (told.coverage, told.opaque, told.thumbhash),
            (1.0, false, None)
        );
        assert!(declared_layer(&file[..file.len() / 2], &limits).is_err());
    }
    let file = png(&layer);
    assert!(declared_layer(&file[..file.len() - 1], &limits).is_err());
    for at in (20..file.len() - 12).step_by(7) {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert!(declared_layer(&damaged, &limits).is_err(), "{at}");
    }
    // One that is shown turned has another size than its file, and is decoded.
    let turned = with_chunk(&file, b"eXIf", &exif(6, true));
    let told = declared_layer(&turned, &limits).unwrap();
    assert_eq!(told, inspect_layer(&turned, &limits).unwrap());
    assert_eq!((told.width, told.height), (40, 64));
    // An end that is missing is known when the rows are inflated, and not before.
    let endless = &file[..file.len() - 12];
    assert!(inspect_layer(endless, &limits).is_ok() && declared_layer(endless, &limits).is_err());
    for other in [
        jpeg(&layer),
        gif(std::slice::from_ref(&layer)),
        b"<html>".to_vec(),
    ] {
        assert!(declared_layer(&other, &limits).is_err());
    }
    let small = Limits {
        max_pixels: 100,
        ..limits
    };
    let error = declared_layer(&file, &small).unwrap_err();
    assert_eq!(error.code(), "image_too_large");
}

#[test]
fn encoding_and_decoding_give_the_same_pixels_back() {
    for alpha in [255, 254, 0] {
        let image = flat(7, 5, [10, 200, 30, alpha]);
        let file = encode_png(&image);
        assert_eq!(decode_rgba(&file, &Limits::default()).unwrap(), image);
        assert_eq!(file[25], 6, "layers are always written as RGBA");
    }
}

#[test]
fn scaling_keeps_proportions_and_never_enlarges() {
    for (size, side, expected) in [
        ((400, 200), 100, (100, 50)),
        ((200, 400), 100, (50, 100)),
        ((300, 200), 640, (300, 200)),
        ((1000, 1), 10, (10, 1)),
        ((3, 2), 2, (2, 1)),
        ((641, 640), 640, (640, 639)),
        ((5, 5), 0, (1, 1)),
    ] {
        let scaled = scale_to_fit(&flat(size.0, size.1, [9, 9, 9, 255]), side);
        assert_eq!((scaled.width(), scaled.height()), expected);
        assert_eq!(pixel(&scaled, 0, 0), [9, 9, 9, 255]);
    }
}

#[test]
fn the_colour_of_what_is_transparent_never_bleeds_into_an_edge() {
    // Opaque red beside fully transparent green.
    let row = [[255, 0, 0, 255].repeat(31), [0, 255, 0, 0].repeat(33)].concat();
    let image = RgbaImage::new(64, 64, row.repeat(64)).unwrap();
    let scaled = scale_to_fit(&image, 16);
    let mut mixed = 0;
    for x in 0..16 {
        let [red, green, _, alpha] = pixel(&scaled, x, 8);
        if alpha > 0 {
            assert!(
                red >= 250 && green <= 5,
                "at {x}: {:?}",
                pixel(&scaled, x, 8)
            );
        }
        mixed += u32::from((1..255).contains(&alpha));
    }
    assert!(mixed > 0, "the edge is soft, or this proves nothing");
}

/// Dots, lines and holes at `place` of a canvas, by chance.
fn scattered(canvas: (u32, u32), place: BoundingBox, seed: u64) -> RgbaImage {
    let mut state = seed + 1;
    let mut byte = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let mut image = flat(canvas.0, canvas.1, [0; 4]);
    for y in place.y..place.y + place.height {
        for x in place.x..place.x + place.width {
            // Most of it hidden, so that colours go on for all their reach and meet.
            let shows = match byte() {
                0..230 => 0,
                230..245 => 3,
                245.. => 255,
            };
            let alpha = if (x / 13 + y / 90) % 3 == 0 {
                255
            } else {
                shows
            };
            let pixel = [byte(), byte(), byte(), alpha];
            let at = (y as usize * canvas.0 as usize + x as usize) * 4;
            image.pixels_mut()[at..at + 4].copy_from_slice(&pixel);
        }
    }
    image
}

#[test]
fn a_layer_that_comes_in_rows_shows_what_a_whole_one_shows() {
    let cases = [
        ((40, 300), (0, 0, 40, 300)),
        ((40, 300), (5, 3, 20, 290)),
        ((300, 40), (9, 9, 1, 1)),
        ((64, 1000), (20, 500, 30, 64)),
        ((33, 129), (0, 128, 33, 1)),
        ((1, 200), (0, 7, 1, 100)),
    ];
    for (seed, (canvas, (x, y, width, height))) in (0..).zip(cases) {
        let place = BoundingBox {
            x,
            y,
            width,
            height,
        };
        let image = scattered(canvas, place, seed);
        let whole = decode_rgba(&encode_layer(image.clone()), &Limits::default()).unwrap();
        for at_once in [1, 7, 64, 1000] {
            let mut encoder = LayerEncoder::new(canvas.0, canvas.1, place).unwrap();
            let rows: Vec<u8> = (y..y + height)
                .flat_map(|y| {
                    let from = (y as usize * canvas.0 as usize + x as usize) * 4;
                    image.pixels()[from..from + width as usize * 4].to_vec()
                })
                .collect();
            for rows in rows.chunks(at_once * width as usize * 4) {
                encoder.rows(rows).unwrap();
            }
            let (file, measures) = encoder.finish().unwrap();
            assert_eq!(
                measures,
                inspect_layer(&file, &Limits::default()).unwrap(),
                "{canvas:?} {place:?}"
            );
            let found = decode_rgba(&file, &Limits::default()).unwrap();
            assert!(
                found.pixels() == whole.pixels(),
                "{canvas:?} {place:?}, {at_once} rows at once"
            );
        }
    }
}

#[test]
fn rows_that_do_not_fill_their_place_make_no_layer() {
    let place = BoundingBox {
        x: 0,
        y: 0,
        width: 2,
        height: 2,
    };
    assert!(LayerEncoder::new(2, 1, place).is_err());
    let mut encoder = LayerEncoder::new(2, 2, place).unwrap();
    assert!(encoder.rows(&[0; 7]).is_err());
    encoder.rows(&[0; 8]).unwrap();
    assert_eq!(encoder.finish().unwrap_err(), ImageError::Internal);
}

fn source(name: &str) -> RgbaImage {
    decode_rgba(&file(name), &Limits::default()).unwrap()
}

#[test]
fn the_source_is_recognised_after_scaling_and_lossy_coding() {
    for name in [
        "images/astronaut.png",
        "images/chelsea.png",
        "images/design_poster.png",
    ] {
        let source = source(name);
        assert_eq!(
            difference(&source, &source),
            Some(Difference {
                mean: 0.0,
                worst_cell: 0.0
            })
        );
        let small = scale_to_fit(&source, 384);
        let coded = decode_rgba(&jpeg_at(&small, 40), &Limits::default()).unwrap();
        let measured = difference(&source, &coded).unwrap();
        assert!(
            measured.mean > 0.0 && measured.is_same_picture(),
            "{name}: {measured:?}"
        );
        assert!(same_picture(&coded, &source));
    }
}

#[test]
fn a_background_from_which_little_was_removed_is_not_the_source() {
    let poster = source("images/design_poster.png");
    // Paint over the densest 1 % of the poster that is not background, as an engine would that
    // took out one small object.
    let ground = [247, 241, 227];
    let side = 100;
    let (x0, y0) = (0..poster.height() - side)
        .step_by(20)
        .flat_map(|y| (0..poster.width() - side).step_by(20).map(move |x| (x, y)))
        .find(|(x, y)| {
            (0..side)
                .step_by(10)
                .all(|d| pixel(&poster, x + d, y + d)[..3] != ground)
        })
        .unwrap();
    let width = poster.width();
    let mut painted = poster.clone().into_pixels();
    for y in y0..y0 + side {
        for x in x0..x0 + side {
            let at = ((y * width + x) * 4) as usize;
            painted[at..at + 3].copy_from_slice(&ground);
        }
    }
    let painted = RgbaImage::new(width, poster.height(), painted).unwrap();
    let measured = difference(&poster, &painted).unwrap();
    assert!(
        measured.mean <= Difference::SAME_MEAN,
        "the mean alone is fooled: {measured:?}"
    );
    assert!(!measured.is_same_picture(), "{measured:?}");
}

#[test]
fn a_cut_out_on_transparent_ground_is_not_the_source() {
    let poster = source("images/design_poster.png");
    let mut cut = poster.clone().into_pixels();
    for pixel in cut.as_chunks_mut::<4>().0 {
        if pixel[..3] == [247, 241, 227] {
            pixel[3] = 0;
        }
    }
    let cut = RgbaImage::new(poster.width(), poster.height(), cut).unwrap();
    assert!(!same_picture(&poster, &cut));
    assert!(same_picture(&cut, &cut.clone()));
}

#[test]
fn other_pictures_and_other_shapes_are_not_the_source() {
    let astronaut = source("images/astronaut.png");
    assert!(!same_picture(&astronaut, &source("images/design_card.png")));
    assert!(difference(&astronaut, &source("images/chelsea.png")).is_none());
    let tiny = flat(1, 1, [0, 0, 0, 255]);
    assert!(same_picture(&tiny, &tiny));
    assert!(!same_picture(&tiny, &flat(2, 2, [255; 4])));
}

fn jpeg_at(image: &RgbaImage, quality: u8) -> Vec<u8> {
    let rgb: Vec<u8> = image
        .pixels()
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|[red, green, blue, _]| [*red, *green, *blue])
        .collect();
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality)
        .encode(
            &rgb,
            image.width(),
            image.height(),
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    file
}
