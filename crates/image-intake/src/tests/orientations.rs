//! All eight orientations, in every container that can ask for one.

use super::samples::*;
use crate::{MediaType, RgbaImage};

/// The upright picture by the definition of Exif's tag 0x0112, written independently of any
/// library: which stored pixel stands at (x, y).
fn turned(image: &RgbaImage, orientation: u16) -> RgbaImage {
    let (w, h) = (image.width(), image.height());
    let (width, height) = if orientation >= 5 { (h, w) } else { (w, h) };
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (from_x, from_y) = match orientation {
                1 => (x, y),
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                8 => (w - 1 - y, x),
                other => panic!("no orientation {other}"),
            };
            pixels.extend(pixel(image, from_x, from_y));
        }
    }
    RgbaImage::new(width, height, pixels).unwrap()
}

#[test]
fn all_eight_orientations_of_a_jpeg_are_applied_in_both_byte_orders() {
    let plain = jpeg(&gradient(24, 16));
    let stored = seen(plain.clone());
    for orientation in 1..=8 {
        for big_endian in [false, true] {
            let file = with_segment(&plain, 0xE1, &exif_segment(orientation, big_endian));
            let normal = normal(file);
            assert!(normal.changed);
            assert_eq!(
                seen(normal.bytes),
                turned(&stored, orientation),
                "{orientation}"
            );
        }
    }
}

#[test]
fn all_eight_orientations_of_a_png_and_a_webp_are_applied() {
    let stored = gradient(5, 3);
    // More rows than are turned at once, either way; with alpha and without.
    let see_through = flat(70, 90, [10, 20, 30, 40]);
    for orientation in 1..=8 {
        let exif = exif(orientation, false);
        for stored in [&stored, &gradient(90, 70), &see_through] {
            let png = with_chunk(&png(stored), b"eXIf", &exif);
            assert_eq!(seen(png), turned(stored, orientation), "PNG {orientation}");
        }
        let more = [riff_chunk(b"EXIF", &exif)];
        let webp = extended_webp(&webp(&stored), (5, 3), 0x18, &more);
        assert_eq!(
            seen(webp),
            turned(&stored, orientation),
            "WebP {orientation}"
        );
    }
}

#[test]
fn an_upright_jpeg_loses_its_exif_but_keeps_its_compressed_picture() {
    let plain = jpeg(&gradient(24, 16));
    let normal = normal(with_segment(&plain, 0xE1, &exif_segment(1, true)));
    assert_eq!(normal.format, MediaType::Jpeg);
    assert!(normal.changed);
    assert_eq!(normal.bytes, plain);
}

#[test]
fn a_nonsensical_orientation_is_taken_as_upright() {
    let plain = jpeg(&gradient(24, 16));
    for orientation in [0, 9, 256, u16::MAX] {
        let normal = normal(with_segment(
            &plain,
            0xE1,
            &exif_segment(orientation, false),
        ));
        assert_eq!(normal.bytes, plain, "{orientation}");
    }
    let cut = &exif_segment(6, false)[..17];
    assert_eq!(normal(with_segment(&plain, 0xE1, cut)).bytes, plain);
}
