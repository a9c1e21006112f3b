//! Stacks that are looked at in one pass: what is told of them is what looking at each layer alone tells, or nothing is told.

use std::io::Cursor;

use super::samples::*;
use crate::{
    LayerMeasures, LayerRows, Limits, Proof, RgbaImage, StackProof, decode_rgba, encode_layer,
    inspect_layer, inspect_stack,
};

const SIZE: (u32, u32) = (70, 41);
const ALL: u64 = u64::MAX;

/// Soft, clear and opaque places, other ones for each number.
fn layer(number: u32) -> RgbaImage {
    let pixels = (0..SIZE.1).flat_map(|y| {
        (0..SIZE.0).flat_map(move |x| {
            let alpha = match (x / 9 + y / 5 + number) % 4 {
                0 => 0,
                1 => (x * 11 + y * number) as u8,
                _ => 255,
            };
            [
                (x * 3 + number * 40) as u8,
                (y * 5) as u8,
                (x * y) as u8,
                alpha,
            ]
        })
    });
    RgbaImage::new(SIZE.0, SIZE.1, pixels.collect()).unwrap()
}

/// Each layer alone, and then the proof of all of them.
fn apart(picture: &RgbaImage, files: &[Vec<u8>]) -> (Vec<LayerMeasures>, Proof) {
    let limits = Limits::default();
    let measures = files
        .iter()
        .map(|file| inspect_layer(file, &limits).unwrap());
    let open = |file: &'_ Vec<u8>| LayerRows::open(|| Ok(Cursor::new(file.clone())), &limits);
    let mut layers: Vec<_> = files.iter().map(|file| open(file).unwrap()).collect();
    let row_bytes = SIZE.0 as usize * 4;
    let mut rows = vec![vec![0; row_bytes]; files.len()];
    let mut proof = StackProof::new(SIZE.0, SIZE.1, files.len());
    for picture in picture.pixels().chunks_exact(row_bytes) {
        for (layer, row) in layers.iter_mut().zip(&mut rows) {
            layer.read(row).unwrap();
        }
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        proof.row(picture, &rows);
    }
    (measures.collect(), proof.finish().unwrap())
}

/// Layers as no engine of ours makes them, each as large as the others.
fn odd() -> Vec<Vec<u8>> {
    let pixels = (SIZE.0 * SIZE.1) as usize;
    let samples = |count: usize| {
        (0..count)
            .map(|at| (at * 7 % 253) as u8)
            .collect::<Vec<_>>()
    };
    let (grey, grey_alpha) = (png::ColorType::Grayscale, png::ColorType::GrayscaleAlpha);
    let (eight, sixteen) = (png::BitDepth::Eight, png::BitDepth::Sixteen);
    let indexes: Vec<u8> = (0..pixels).map(|at| (at % 3) as u8).collect();
    let palette: (&[u8], &[u8]) = (&[255, 0, 0, 0, 255, 0, 9, 9, 9], &[255, 0, 90]);
    let raw = |colour, depth, count| raw_png(SIZE, colour, depth, None, &samples(count));
    let plain = png(&layer(1));
    vec![
        raw(grey, eight, pixels),
        raw(grey_alpha, eight, pixels * 2),
        raw(grey_alpha, sixteen, pixels * 4),
        raw(png::ColorType::Rgb, eight, pixels * 3),
        raw(png::ColorType::Rgba, sixteen, pixels * 8),
        raw_png(
            SIZE,
            png::ColorType::Indexed,
            eight,
            Some(palette),
            &indexes,
        ),
        with_chunk(
            &raw(png::ColorType::Rgb, eight, pixels * 3),
            b"tRNS",
            &[0, 7, 0, 14, 0, 21],
        ),
        with_chunk(&plain, b"gAMA", &50_000_u32.to_be_bytes()),
        with_chunk(&plain, b"tEXt", b"Comment\0made by hand"),
        webp(&layer(2)),
        interlaced(),
    ]
}

/// Adam7 of one colour: each pass has its own rows, all of them the same bytes.
fn interlaced() -> Vec<u8> {
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let mut rows = Vec::new();
    for (x, y, across, down) in passes {
        let (width, height) = ((SIZE.0 - x).div_ceil(across), (SIZE.1 - y).div_ceil(down));
        for _ in 0..height {
            rows.push(0);
            rows.extend([90, 30, 200, 120].repeat(width as usize));
        }
    }
    let mut header = SIZE.0.to_be_bytes().to_vec();
    header.extend(SIZE.1.to_be_bytes());
    header.extend([8, 6, 0, 0, 1]);
    let signature = &png(&layer(0))[..8];
    [
        signature,
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &zlib(&rows)),
        &chunk(b"IEND", b""),
    ]
    .concat()
}

#[test]
fn layers_together_are_what_they_are_apart() {
    let picture = gradient(SIZE.0, SIZE.1);
    let plain: Vec<Vec<u8>> = (0..4).map(|number| encode_layer(layer(number))).collect();
    let one = inspect_stack(&picture, &plain, &Limits::default(), 0);
    assert!(one.unwrap() == apart(&picture, &plain));
    for (at, odd) in odd().into_iter().enumerate() {
        assert!(inspect_layer(&odd, &Limits::default()).is_ok(), "{at}");
        let mut files = plain.clone();
        files.insert(at % 4, odd);
        let together = inspect_stack(&picture, &files, &Limits::default(), ALL);
        assert!(together.unwrap() == apart(&picture, &files), "{at}");
    }
    let nothing: &[Vec<u8>] = &[];
    let together = inspect_stack(&picture, nothing, &Limits::default(), 0);
    assert!(together.unwrap() == apart(&picture, nothing));
}

#[test]
fn pixels_that_have_to_be_held_are_bounded() {
    let picture = gradient(SIZE.0, SIZE.1);
    let files = [webp(&layer(1)), png(&layer(2)), webp(&layer(3))];
    let pixels = u64::from(SIZE.0 * SIZE.1);
    let held = |most| inspect_stack(&picture, &files, &Limits::default(), most).is_some();
    assert!(held(2 * pixels) && !held(2 * pixels - 1));
}

#[test]
fn of_a_stack_with_anything_broken_nothing_is_told() {
    let picture = gradient(SIZE.0, SIZE.1);
    let good = encode_layer(layer(1));
    let told = |file: &[u8]| {
        inspect_stack(&picture, &[&good[..], file, &good], &Limits::default(), ALL).is_some()
    };
    assert!(told(&good));
    for end in [0, 8, 20, 60, good.len() / 2, good.len() - 30] {
        assert!(!told(&good[..end]), "{end} bytes");
    }
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 4;
    assert!(!told(&flipped));
    crate::fuzzing::with_right_checksums(&mut flipped);
    assert_eq!(
        told(&flipped),
        inspect_layer(&flipped, &Limits::default()).is_ok()
    );
    let gone = chunk(b"IDAT", &zlib(&[0; 400]));
    let short = [&good[..33], &gone, &chunk(b"IEND", b"")].concat();
    for other in [
        short,
        png(&flat(9, 9, [1; 4])),
        jpeg(&layer(1)),
        gif(&[layer(1)]),
        b"<html>".to_vec(),
    ] {
        assert!(!told(&other));
    }
    let small = Limits {
        max_pixels: 100,
        ..Limits::default()
    };
    assert!(inspect_stack(&picture, &[&good], &small, ALL).is_none());
    assert!(decode_rgba(&good, &Limits::default()).is_ok());
}
