//! Every way of storing colour ends as the right sRGB.
//!
//! Expected values of profile conversions are Little CMS 2's for the same profiles.

use moxcms::{ColorProfile, DataColorSpace};
use png::{BitDepth, ColorType};

use super::samples::*;
use crate::{MediaType, RgbaImage};

const PROBES: [[u8; 3]; 8] = [
    [200, 100, 50],
    [60, 160, 90],
    [40, 80, 200],
    [128, 128, 128],
    [250, 250, 250],
    [10, 20, 30],
    [150, 60, 150],
    [230, 180, 170],
];
const P3_AS_SRGB: [[u8; 3]; 8] = [
    [215, 93, 31],
    [0, 163, 82],
    [22, 81, 208],
    [128, 128, 128],
    [250, 250, 250],
    [7, 20, 31],
    [162, 52, 155],
    [239, 177, 168],
];

/// The probes side by side, each 8 pixels wide, so that JPEG blocks do not mix them.
fn probes(alpha: u8) -> RgbaImage {
    let row = PROBES
        .iter()
        .flat_map(|[r, g, b]| [*r, *g, *b, alpha].repeat(8));
    let pixels: Vec<u8> = row.collect();
    RgbaImage::new(64, 8, pixels.repeat(8)).unwrap()
}

fn assert_probes(image: &RgbaImage, expected: &[[u8; 3]; 8], alpha: u8, tolerance: u8) {
    for (x, [r, g, b]) in (4..).step_by(8).zip(expected) {
        let found = pixel(image, x, 4);
        let close = found
            .iter()
            .zip([*r, *g, *b, alpha])
            .all(|(a, b)| a.abs_diff(b) <= tolerance);
        assert!(close, "at {x}: {found:?} is not {:?}", [r, g, b]);
    }
}

fn encoded(profile: &ColorProfile) -> Vec<u8> {
    profile.encode().unwrap()
}

fn icc_segment(piece: u8, of: u8, bytes: &[u8]) -> Vec<u8> {
    [b"ICC_PROFILE\0".as_slice(), &[piece, of], bytes].concat()
}

#[test]
fn display_p3_becomes_srgb_in_every_container_and_alpha_stays() {
    let p3 = encoded(&ColorProfile::new_display_p3());
    let tagged = with_chunk(&png(&probes(100)), b"iCCP", &iccp(&p3));
    assert_probes(&seen(tagged), &P3_AS_SRGB, 100, 2);
    let more = [riff_chunk(b"ICCP", &p3)];
    let tagged = extended_webp(&webp(&probes(100)), (64, 8), 0x30, &more);
    assert_probes(&seen(tagged), &P3_AS_SRGB, 100, 2);
    let tagged = with_segment(&jpeg(&probes(255)), 0xE2, &icc_segment(1, 1, &p3));
    let normal = normal(tagged);
    assert_eq!(normal.format, MediaType::Png);
    // JPEG's own losses come on top.
    assert_probes(&seen(normal.bytes), &P3_AS_SRGB, 255, 5);
}

#[test]
fn adobe_rgb_and_prophoto_become_srgb() {
    let adobe = [
        [227, 100, 42],
        [0, 161, 85],
        [0, 79, 205],
        [129, 129, 129],
        [250, 250, 250],
        [0, 12, 24],
        [173, 57, 154],
        [247, 181, 171],
    ];
    let prophoto = [
        [255, 80, 46],
        [0, 190, 94],
        [0, 105, 222],
        [146, 146, 146],
        [251, 251, 251],
        [0, 28, 42],
        [205, 6, 176],
        [255, 182, 183],
    ];
    for (profile, expected) in [
        (ColorProfile::new_adobe_rgb(), adobe),
        (ColorProfile::new_pro_photo_rgb(), prophoto),
    ] {
        let tagged = with_chunk(&png(&probes(255)), b"iCCP", &iccp(&encoded(&profile)));
        assert_probes(&seen(tagged), &expected, 255, 3);
    }
}

#[test]
fn an_srgb_profile_is_dropped_without_touching_the_picture() {
    let srgb = encoded(&ColorProfile::new_srgb());
    let plain = png(&probes(255));
    let normal_png = normal(with_chunk(&plain, b"iCCP", &iccp(&srgb)));
    assert_eq!(normal_png.bytes, plain);
    let plain = jpeg(&probes(255));
    let normal_jpeg = normal(with_segment(&plain, 0xE2, &icc_segment(1, 1, &srgb)));
    assert_eq!(normal_jpeg.bytes, plain);
}

#[test]
fn a_profile_in_several_pieces_is_joined_in_their_order() {
    let p3 = encoded(&ColorProfile::new_display_p3());
    let (first, second) = p3.split_at(200);
    let plain = jpeg(&probes(255));
    // Put in front one after the other, so the second piece comes first in the file.
    let file = with_segment(&plain, 0xE2, &icc_segment(1, 2, first));
    let file = with_segment(&file, 0xE2, &icc_segment(2, 2, second));
    assert_probes(&seen(file), &P3_AS_SRGB, 255, 5);
    let gap = with_segment(&plain, 0xE2, &icc_segment(2, 2, second));
    assert_eq!(
        normal(gap).bytes,
        plain,
        "an incomplete profile is no profile"
    );
}

#[test]
fn a_broken_or_misplaced_profile_is_dropped_and_the_picture_taken_as_srgb() {
    let plain = png(&probes(255));
    let p3 = encoded(&ColorProfile::new_display_p3());
    let grey = encoded(&ColorProfile::new_gray_with_gamma(1.8));
    for body in [
        iccp(b"not a profile"),
        iccp(&p3[..300]),
        iccp(&grey),
        b"test\0\0not zlib".to_vec(),
        b"test\0\x07".to_vec(),
        vec![b'x'; 200],
        Vec::new(),
    ] {
        assert_eq!(normal(with_chunk(&plain, b"iCCP", &body)).bytes, plain);
    }
}

#[test]
fn a_grey_profile_changes_grey_pictures_and_only_them() {
    let greys = [0, 64, 128, 200, 255];
    let plain = raw_png((5, 1), ColorType::Grayscale, BitDepth::Eight, None, &greys);
    let profile = encoded(&ColorProfile::new_gray_with_gamma(1.8));
    let image = seen(with_chunk(&plain, b"iCCP", &iccp(&profile)));
    for (x, expected) in (0..).zip([0_u8, 81, 146, 210, 255]) {
        let found = pixel(&image, x, 0);
        assert!(
            found[..3].iter().all(|level| level.abs_diff(expected) <= 2),
            "{found:?}"
        );
    }
}

/// The expected levels are those of Little CMS.
#[test]
fn a_grey_profile_may_say_lightness_in_place_of_light() {
    let greys = [1, 8, 64, 128, 200, 255];
    let expected = [1, 11, 60, 119, 194, 255];
    let mut profile = ColorProfile::new_gray_with_gamma(1.0);
    profile.pcs = DataColorSpace::Lab;
    let profile = encoded(&profile);
    let deep: Vec<u8> = greys.iter().flat_map(|grey| [*grey; 2]).collect();
    for (depth, samples) in [(BitDepth::Eight, greys.to_vec()), (BitDepth::Sixteen, deep)] {
        let plain = raw_png((6, 1), ColorType::Grayscale, depth, None, &samples);
        let image = seen(with_chunk(&plain, b"iCCP", &iccp(&profile)));
        for (x, expected) in (0..).zip(expected) {
            let found = pixel(&image, x, 0);
            assert!(
                found[..3].iter().all(|level| level.abs_diff(expected) <= 1),
                "{depth:?}: {found:?}, expected {expected}"
            );
        }
    }
}

#[test]
fn png_code_points_win_over_a_profile_and_gamma_is_applied_where_nothing_else_is_said() {
    let plain = png(&probes(255));
    let adobe = encoded(&ColorProfile::new_adobe_rgb());
    let both = with_chunk(&plain, b"iCCP", &iccp(&adobe));
    let p3 = with_chunk(&both, b"cICP", &[12, 13, 0, 1]);
    assert_probes(&seen(p3), &P3_AS_SRGB, 255, 2);
    let srgb = with_chunk(&both, b"cICP", &[1, 13, 0, 1]);
    assert_eq!(normal(srgb).bytes, plain);

    let linear = with_chunk(&plain, b"gAMA", &100_000_u32.to_be_bytes());
    let found = pixel(&seen(linear.clone()), 28, 4);
    // Linear light 128/255 is level 188 of sRGB (IEC 61966-2-1).
    assert!(found[0].abs_diff(188) <= 1, "{found:?}");
    let said = with_chunk(&linear, b"sRGB", &[0]);
    assert_probes(&seen(said), &PROBES, 255, 0);
}

#[test]
fn chromaticities_are_applied_and_nonsense_in_them_is_not() {
    let plain = png(&probes(255));
    let gamma = 45_455_u32.to_be_bytes();
    let chunk_of = |values: [u32; 8]| values.map(u32::to_be_bytes).concat();
    let p3 = [
        31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000,
    ];
    let tagged = with_chunk(&with_chunk(&plain, b"gAMA", &gamma), b"cHRM", &chunk_of(p3));
    assert_probes(&seen(tagged), &P3_AS_SRGB, 255, 3);
    for nonsense in [[0; 8], [u32::MAX; 8], [31_270, 32_900, 5, 5, 5, 5, 5, 5]] {
        let tagged = with_chunk(
            &with_chunk(&plain, b"gAMA", &gamma),
            b"cHRM",
            &chunk_of(nonsense),
        );
        seen(tagged);
    }
}

#[test]
fn cmyk_and_ycck_jpegs_show_the_light_that_the_inks_leave() {
    let expected = [
        [255, 255, 255],
        [0, 255, 255],
        [255, 0, 255],
        [255, 255, 0],
        [0, 0, 255],
        [255, 0, 0],
        [0, 0, 0],
        [127, 127, 127],
    ];
    for name in ["formats/cmyk.jpg", "formats/ycck.jpg"] {
        let normal = normal(file(name));
        assert_eq!(normal.format, MediaType::Png);
        let image = seen(normal.bytes);
        for (x, expected) in (2..).step_by(4).zip(expected) {
            let found = pixel(&image, x, 4);
            let close = found
                .iter()
                .zip(expected)
                .all(|(a, b): (_, u8)| a.abs_diff(b) <= 4);
            assert!(close, "{name} at {x}: {found:?}");
        }
    }
}

#[test]
fn a_cmyk_profile_decides_what_the_inks_look_like() {
    let expected = [
        [255, 255, 255],
        [0, 158, 224],
        [230, 0, 127],
        [255, 240, 0],
        [44, 47, 145],
        [238, 27, 34],
        [28, 28, 28],
    ];
    let image = seen(file("formats/cmyk_icc.jpg"));
    for (x, expected) in (2..).step_by(4).zip(expected) {
        let found = pixel(&image, x, 4);
        // Cyan lies outside sRGB, where two programs may clip a channel differently.
        let close = found
            .iter()
            .zip(expected)
            .all(|(a, b): (_, u8)| a.abs_diff(b) <= 24);
        let mean = found
            .iter()
            .zip(expected)
            .map(|(a, b)| u32::from(a.abs_diff(b)))
            .sum::<u32>()
            / 3;
        assert!(close && mean <= 7, "at {x}: {found:?} is not {expected:?}");
    }
}

#[test]
fn sixteen_bits_become_eight_by_rounding() {
    let levels = [0_u16, 128, 129, 32_767, 32_768, 65_407, 65_535];
    let samples: Vec<u8> = levels
        .iter()
        .flat_map(|level| [*level, 65_535 - *level, 257, 65_535])
        .flat_map(u16::to_be_bytes)
        .collect();
    let size = (levels.len() as u32, 1);
    let normal = normal(raw_png(
        size,
        ColorType::Rgba,
        BitDepth::Sixteen,
        None,
        &samples,
    ));
    assert!(normal.changed);
    let image = seen(normal.bytes);
    for (x, level) in (0..).zip(levels) {
        let eight = |level: u16| ((u32::from(level) + 128) / 257) as u8;
        assert_eq!(
            pixel(&image, x, 0),
            [eight(level), eight(65_535 - level), 1, 255]
        );
    }
}

#[test]
fn grey_palette_and_their_transparency_are_seen_right_and_kept() {
    let grey = raw_png(
        (3, 1),
        ColorType::Grayscale,
        BitDepth::Eight,
        None,
        &[0, 90, 255],
    );
    let alpha = raw_png(
        (2, 1),
        ColorType::GrayscaleAlpha,
        BitDepth::Eight,
        None,
        &[9, 40, 200, 255],
    );
    let palette = (
        [255, 0, 0, 0, 255, 0, 0, 0, 255].as_slice(),
        [255, 128].as_slice(),
    );
    // Two-bit indices 0, 1, 2, 1.
    let indexed = raw_png(
        (4, 1),
        ColorType::Indexed,
        BitDepth::Two,
        Some(palette),
        &[0b0001_1001],
    );
    let bits = raw_png(
        (8, 1),
        ColorType::Grayscale,
        BitDepth::One,
        None,
        &[0b1010_0001],
    );
    // A single grey level declared transparent.
    let keyed = {
        let data = grey.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
        spliced(&grey, data, &chunk(b"tRNS", &[0, 90]))
    };
    let rgba =
        |pixels: &[[u8; 4]]| RgbaImage::new(pixels.len() as u32, 1, pixels.concat()).unwrap();
    let (black, white) = ([0, 0, 0, 255], [255; 4]);
    let cases = [
        (grey, rgba(&[black, [90, 90, 90, 255], white])),
        (alpha, rgba(&[[9, 9, 9, 40], [200, 200, 200, 255]])),
        (
            indexed,
            rgba(&[
                [255, 0, 0, 255],
                [0, 255, 0, 128],
                [0, 0, 255, 255],
                [0, 255, 0, 128],
            ]),
        ),
        (
            bits,
            rgba(&[white, black, white, black, black, black, black, white]),
        ),
        (keyed, rgba(&[black, [90, 90, 90, 0], white])),
    ];
    for (file, expected) in cases {
        assert!(!normal(file.clone()).changed);
        assert_eq!(seen(file), expected);
    }
}

#[test]
fn grey_and_progressive_jpegs_are_kept_and_decode() {
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 95)
        .encode(&[120; 256], 16, 16, image::ExtendedColorType::L8)
        .unwrap();
    assert!(!normal(file.clone()).changed);
    assert!(worst(&seen(file), &flat(16, 16, [120, 120, 120, 255])) <= 1);
    let progressive = super::samples::file("formats/progressive.jpg");
    assert!(!normal(progressive.clone()).changed);
    assert_eq!(
        (
            seen(progressive.clone()).width(),
            seen(progressive).height()
        ),
        (64, 48)
    );
}
