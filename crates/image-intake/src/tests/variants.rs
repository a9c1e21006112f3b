//! Forms of a layer, as an independent reader sees them; and thumbnails' likenesses.

use std::io::Write as _;
use std::process::Command;

use super::conformance::python;
use super::samples::*;
use crate::{
    BoundingBox, LayerEncoder, LayerVariant, Limits, MediaType, RgbaImage, decode_rgba,
    encode_layer, encode_png, inspect_layer,
};

const PART: BoundingBox = BoundingBox {
    x: 5,
    y: 9,
    width: 41,
    height: 23,
};

/// A layer of 64 by 48 pixels with every alpha, whose colours go on under what does not show.
fn layer() -> RgbaImage {
    let pixels = (0..64 * 48_u32).flat_map(|at| {
        let (x, y) = (at % 64, at / 64);
        let shows = (5..46).contains(&x) && (9..32).contains(&y);
        let alpha = if shows { (x * y % 256) as u8 } else { 0 };
        [(x * 4) as u8, (y * 5) as u8, (at % 251) as u8, alpha]
    });
    RgbaImage::new(64, 48, pixels.collect()).unwrap()
}

fn cut(image: &RgbaImage, part: BoundingBox) -> RgbaImage {
    let mut pixels = Vec::new();
    for y in part.y..part.y + part.height {
        for x in part.x..part.x + part.width {
            pixels.extend_from_slice(&pixel(image, x, y));
        }
    }
    RgbaImage::new(part.width, part.height, pixels).unwrap()
}

fn variant(part: BoundingBox, format: MediaType) -> LayerVariant {
    LayerVariant {
        part,
        size: (part.width, part.height),
        format,
    }
}

const WHOLE: BoundingBox = BoundingBox {
    x: 0,
    y: 0,
    width: 64,
    height: 48,
};

/// Whatever is under the alpha too: what is trimmed can be put back into its place without a trace.
#[test]
fn trimmed_and_webp_have_the_very_pixels_of_the_layer_by_an_independent_reader() {
    let image = layer();
    let Some(python) = python() else {
        let text = "variants of layers are read by Python with Pillow";
        assert_ne!(
            std::env::var("LAMINA_REQUIRE_ALL").as_deref(),
            Ok("1"),
            "{text}"
        );
        // Past the harness, which swallows what a passing test says.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {text}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (number, (stored, part, format)) in [
        (png(&image), PART, MediaType::Png),
        (png(&image), PART, MediaType::WebP),
        (png(&image), WHOLE, MediaType::WebP),
        (webp(&image), WHOLE, MediaType::Png),
        (webp(&image), PART, MediaType::Png),
    ]
    .into_iter()
    .enumerate()
    {
        let made = variant(part, format)
            .of(&stored, &Limits::default())
            .unwrap();
        let path = folder
            .path()
            .join(format!("{number}.{}", format.extension()));
        std::fs::write(&path, &made).unwrap();
        let script = "import sys; from PIL import Image; image = Image.open(sys.argv[1]); \
             sys.stdout.buffer.write(f'{image.format} {image.mode} {image.width} {image.height}\\n'.encode()); \
             sys.stdout.buffer.write(image.convert('RGBA').tobytes())";
        let read = Command::new(python)
            .args(["-c", script])
            .arg(&path)
            .output()
            .unwrap();
        assert!(read.status.success(), "{read:?}");
        let head = read.stdout.iter().position(|byte| *byte == b'\n').unwrap();
        let name = if format == MediaType::Png {
            "PNG"
        } else {
            "WEBP"
        };
        let expected = format!("{name} RGBA {} {}", part.width, part.height);
        assert_eq!(std::str::from_utf8(&read.stdout[..head]), Ok(&*expected));
        assert!(
            read.stdout[head + 1..] == *cut(&image, part).pixels(),
            "{expected}"
        );
    }
}

#[test]
fn a_smaller_form_has_its_size_and_no_dark_rim() {
    // Opaque white in the middle of nothing.
    let mut pixels = vec![0; 600 * 400 * 4];
    for (at, pixel) in pixels.chunks_exact_mut(4).enumerate() {
        if (200..400).contains(&(at % 600)) && (100..300).contains(&(at / 600)) {
            pixel.copy_from_slice(&[255; 4]);
        }
    }
    let stored = encode_png(&RgbaImage::new(600, 400, pixels).unwrap());
    for (size, format) in [((256, 171), MediaType::WebP), ((37, 25), MediaType::Png)] {
        let variant = LayerVariant {
            part: BoundingBox {
                x: 0,
                y: 0,
                width: 600,
                height: 400,
            },
            size,
            format,
        };
        let small = decode_rgba(
            &variant.of(&stored, &Limits::default()).unwrap(),
            &Limits::default(),
        );
        let small = small.unwrap();
        assert_eq!((small.width(), small.height()), size);
        let (mut soft, mut white) = (0, 0);
        for pixel in small.pixels().as_chunks::<4>().0 {
            assert!(
                pixel[3] == 0 || pixel[..3].iter().all(|value| *value >= 253),
                "{pixel:?}"
            );
            soft += u32::from((1..255).contains(&pixel[3]));
            white += u32::from(pixel[3] == 0 && pixel[0] >= 253);
        }
        assert!(
            soft > 0 && white > 0,
            "the edge is soft, and white goes on under it"
        );
    }
}

#[test]
fn a_part_outside_and_a_file_that_is_cut_are_errors() {
    let stored = png(&layer());
    let limits = Limits::default();
    for part in [
        BoundingBox { x: 64, ..PART },
        BoundingBox {
            x: u32::MAX,
            ..PART
        },
        BoundingBox { width: 60, ..PART },
        BoundingBox { height: 0, ..PART },
        BoundingBox { y: 40, ..PART },
    ] {
        assert!(
            variant(part, MediaType::Png).of(&stored, &limits).is_err(),
            "{part:?}"
        );
    }
    assert!(variant(PART, MediaType::Gif).of(&stored, &limits).is_err());
    for end in [0, 20, 60, stored.len() / 2] {
        assert!(
            variant(WHOLE, MediaType::WebP)
                .of(&stored[..end], &limits)
                .is_err()
        );
    }
    let long = LayerVariant {
        part: BoundingBox {
            x: 0,
            y: 0,
            width: 16_384,
            height: 1,
        },
        size: (16_384, 1),
        format: MediaType::WebP,
    };
    assert!(!long.fits_format());
}

/// The worked example of the format's reference implementation would be another test of that crate; this one holds what readers are
/// given: the proportions, the mean colour and the alpha of the layer.
#[test]
fn a_likeness_has_the_layers_proportions_colour_and_alpha() {
    for (size, expected) in [((400, 200), 2.0), ((64, 64), 1.0), ((30, 90), 1.0 / 3.0)] {
        let image = flat(size.0, size.1, [200, 100, 40, 255]);
        let hash = inspect_layer(&png(&image), &Limits::default())
            .unwrap()
            .thumbhash
            .unwrap();
        let bytes = hash.as_bytes();
        assert!((5..=25).contains(&bytes.len()));
        let ratio = thumbhash::thumb_hash_to_approximate_aspect_ratio(bytes).unwrap();
        assert!(
            (f64::from(ratio) / expected - 1.0).abs() < 0.2,
            "{size:?}: {ratio}"
        );
        let (red, green, blue, alpha) = thumbhash::thumb_hash_to_average_rgba(bytes).unwrap();
        for (found, meant) in [(red, 200.0), (green, 100.0), (blue, 40.0), (alpha, 255.0)] {
            assert!((found * 255.0 - meant).abs() < 12.0, "{found} {meant}");
        }
    }
    // Half of it is clear.
    let half = RgbaImage::new(
        100,
        50,
        [[9, 9, 200, 255].repeat(50), [0; 200].to_vec()]
            .concat()
            .repeat(50),
    );
    let found = inspect_layer(&png(&half.unwrap()), &Limits::default()).unwrap();
    let (width, height, rgba) =
        thumbhash::thumb_hash_to_rgba(found.thumbhash.unwrap().as_bytes()).unwrap();
    let alpha = |x: usize| rgba[(height / 2 * width + x) * 4 + 3];
    assert!(
        alpha(1) > 200 && alpha(width - 2) < 55,
        "{} {}",
        alpha(1),
        alpha(width - 2)
    );
    let empty = inspect_layer(&png(&flat(9, 9, [0; 4])), &Limits::default()).unwrap();
    assert!(!empty.thumbhash.unwrap().as_bytes().is_empty());
}

/// The engine in this process and the check of what came from another one agree.
#[test]
fn rows_that_are_encoded_and_files_that_are_read_have_one_likeness() {
    for (canvas, place) in [((300, 200), PART), ((50, 40), PART), ((1024, 90), PART)] {
        let image = cut(&layer(), PART);
        let mut encoder = LayerEncoder::new(canvas.0, canvas.1, place).unwrap();
        encoder.rows(image.pixels()).unwrap();
        let (file, measures) = encoder.finish().unwrap();
        assert_eq!(inspect_layer(&file, &Limits::default()).unwrap(), measures);
        let whole = decode_rgba(&file, &Limits::default()).unwrap();
        let again = inspect_layer(&encode_layer(whole.clone()), &Limits::default()).unwrap();
        assert_eq!(again, measures);
        let by_another_way = inspect_layer(&webp(&whole), &Limits::default()).unwrap();
        assert_eq!(by_another_way.thumbhash, measures.thumbhash);
    }
}
