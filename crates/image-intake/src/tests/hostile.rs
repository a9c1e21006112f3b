//! Files made to hurt, and files that were hurt: each ends in the error that names what it is.

use std::collections::BTreeSet;

use super::samples::*;
use crate::{ImageError, Limits, MediaType, decode_base64, decode_rgba, header, normalise};

fn code(bytes: &[u8], limits: &Limits) -> &'static str {
    let normal = normalise(&bytes.to_vec().into(), limits);
    let direct = decode_rgba(bytes, limits);
    match (normal, direct) {
        (Ok(_), Ok(_)) => "ok",
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            let sentence = one.to_string();
            assert!(sentence.len() > 40 && sentence.len() < 400, "{sentence}");
            one.code()
        }
        (one, other) => panic!("{one:?} and {other:?} disagree"),
    }
}

fn ihdr(width: u32, height: u32) -> Vec<u8> {
    let mut body = [width.to_be_bytes(), height.to_be_bytes()].concat();
    body.extend_from_slice(&[8, 6, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &body),
        chunk(b"IDAT", &zlib(&[0; 100])),
        chunk(b"IEND", b""),
    ]
    .concat()
}

/// A JPEG whose frame header declares another size.
fn sized_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut file = jpeg(&gradient(16, 16));
    let frame = file
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    file[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    file[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    file
}

fn patched(file: &[u8], find: &[u8], offset: usize, with: &[u8]) -> Vec<u8> {
    let at = file
        .windows(find.len())
        .position(|window| window == find)
        .unwrap()
        + offset;
    let mut file = file.to_vec();
    file[at..at + with.len()].copy_from_slice(with);
    file
}

#[test]
fn every_hostile_file_gets_its_code() {
    let image = gradient(40, 30);
    let (png, jpeg, webp) = (png(&image), jpeg(&image), webp(&image));
    let gif = gif(std::slice::from_ref(&image));
    let frame_at = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let scan_at = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let arithmetic = patched(&jpeg, &[0xFF, 0xC0], 1, &[0xC9]);
    let lossless = patched(&jpeg, &[0xFF, 0xC0], 1, &[0xC3]);
    let twelve_bits = patched(&jpeg, &[0xFF, 0xC0], 4, &[12]);
    let two_components = patched(&jpeg, &[0xFF, 0xC0], 9, &[2]);
    let no_sampling = patched(&jpeg, &[0xFF, 0xC0], 11, &[0x05]);
    let hole = [&jpeg[..scan_at + 60], &jpeg[jpeg.len() - 30..]].concat();
    let no_frame = [&jpeg[..frame_at], &jpeg[frame_at + 19..]].concat();
    let two_frames = spliced(&jpeg, frame_at, &jpeg[frame_at..frame_at + 19]);
    let scan = &jpeg[scan_at..jpeg.len() - 2];
    let scans = spliced(&jpeg, scan_at, &scan.repeat(100));
    let idat = png.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let bad_crc = patched(&png, b"IDAT", 20, &[png[idat + 20] ^ 1]);
    let long_chunk = spliced(&png[..png.len() - 12], idat - 4, &[0x7F]);
    let short_data = {
        let mut file = ihdr(40, 30);
        file.truncate(33);
        file.extend(chunk(b"IDAT", &zlib(&[0; 50])));
        file.extend(chunk(b"IEND", b""));
        file
    };
    let no_data = [&png[..33], &chunk(b"IEND", b"")].concat();
    let two_headers = spliced(&png, 33, &png[8..33]);
    let critical = with_chunk(&png, b"QuAD", b"");
    let vp8x_only = [
        b"RIFF\x16\0\0\0WEBP".to_vec(),
        riff_chunk(b"VP8X", &[0; 10]),
    ]
    .concat();
    let canvas_lies = extended_webp(&webp, (41, 30), 0x10, &[]);
    let flag_lies = extended_webp(&webp, (40, 30), 0x12, &[]);
    let huge_webp = extended_webp(&webp, (16_383, 16_383), 0x10, &[]);
    let gif_block = b"GIF89a\x04\0\x04\0\0\0\0\x99\x3B".to_vec();
    let gif_no_frame = b"GIF89a\x04\0\x04\0\0\0\0\x3B".to_vec();
    let gif_huge = b"GIF89a\xFF\xFF\xFF\xFF\0\0\0\x2C\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\0\x3B".to_vec();
    let gif_short =
        b"GIF89a\x40\0\x40\0\x80\0\0\0\0\0\xFF\xFF\xFF\x2C\0\0\0\0\x40\0\x40\0\0\x02\x01\x4C\0\x3B"
            .to_vec();
    let no_codes = b"GIF89a\x04\0\x04\0\0\0\0\x2C\0\0\0\0\x04\0\x04\0\0\xFF\x01\x4C\0\x3B".to_vec();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "image_empty"),
        ("noise", vec![0x5A; 5000], "image_unrecognised"),
        (
            "text",
            b"hello there, this is no picture".to_vec(),
            "image_unrecognised",
        ),
        (
            "HEIC",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(),
            "image_format_unsupported",
        ),
        ("PNG magic alone", png[..8].to_vec(), "image_truncated"),
        ("JPEG magic alone", jpeg[..3].to_vec(), "image_truncated"),
        ("WebP magic alone", webp[..12].to_vec(), "image_truncated"),
        ("GIF magic alone", gif[..6].to_vec(), "image_truncated"),
        (
            "60,000 × 60,000 PNG",
            ihdr(60_000, 60_000),
            "image_too_large",
        ),
        (
            "4 billion wide PNG",
            ihdr(u32::MAX, u32::MAX),
            "image_too_large",
        ),
        ("one long row", ihdr(20_000, 1), "image_too_large"),
        ("0 × 5 PNG", ihdr(0, 5), "image_too_small"),
        (
            "65,535² JPEG",
            sized_jpeg(65_535, 65_535),
            "image_too_large",
        ),
        ("0 wide JPEG", sized_jpeg(0, 16), "image_too_small"),
        (
            "height left out",
            sized_jpeg(16, 0),
            "image_variant_unsupported",
        ),
        ("65,535² GIF", gif_huge, "image_too_large"),
        (
            "16,383² WebP canvas",
            extended_webp(&webp, (16_777_216, 1), 0, &[]),
            "image_corrupt",
        ),
        ("huge WebP canvas alone", huge_webp, "image_corrupt"),
        ("VP8X alone", vp8x_only, "image_corrupt"),
        ("canvas and picture differ", canvas_lies, "image_corrupt"),
        ("animation without frames", flag_lies, "image_corrupt"),
        ("arithmetic JPEG", arithmetic, "image_variant_unsupported"),
        ("lossless JPEG", lossless, "image_variant_unsupported"),
        ("12-bit JPEG", twelve_bits, "image_variant_unsupported"),
        (
            "two-component JPEG",
            two_components,
            "image_variant_unsupported",
        ),
        ("JPEG without sampling", no_sampling, "image_corrupt"),
        ("JPEG with a hole", hole, "image_corrupt"),
        (
            "JPEG with data for a smaller size",
            sized_jpeg(600, 600),
            "image_truncated",
        ),
        ("JPEG without a frame", no_frame, "image_corrupt"),
        ("JPEG with two frames", two_frames, "image_corrupt"),
        ("JPEG of 101 scans", scans, "image_too_complex"),
        (
            "JPEG without a scan",
            [&jpeg[..scan_at], &[0xFF, 0xD9]].concat(),
            "image_corrupt",
        ),
        ("PNG with a flipped bit", bad_crc, "image_corrupt"),
        ("PNG with too few rows", short_data, "image_corrupt"),
        ("PNG without data", no_data, "image_corrupt"),
        ("PNG with two headers", two_headers, "image_corrupt"),
        (
            "PNG with an unknown critical chunk",
            critical,
            "image_corrupt",
        ),
        (
            "PNG that starts with data",
            [&png[..8], &png[33..]].concat(),
            "image_corrupt",
        ),
        (
            "PNG chunk longer than the file",
            long_chunk,
            "image_truncated",
        ),
        ("GIF with an unknown block", gif_block, "image_corrupt"),
        ("GIF without a frame", gif_no_frame, "image_corrupt"),
        ("GIF with too few pixels", gif_short, "image_corrupt"),
        ("GIF with impossible codes", no_codes, "image_corrupt"),
    ];
    let limits = Limits::default();
    for (name, bytes, expected) in &cases {
        assert_eq!(code(bytes, &limits), *expected, "{name}");
    }
    let small = Limits {
        max_bytes: 100,
        ..limits
    };
    assert_eq!(code(&png, &small), "image_too_many_bytes");

    // Together with those that need no file, every documented code was seen.
    let mut seen: BTreeSet<&str> = cases.iter().map(|(_, _, code)| *code).collect();
    seen.insert(code(&png, &small));
    seen.insert(decode_base64("?", 100).unwrap_err().code());
    seen.insert(ImageError::Internal.code());
    assert_eq!(seen, BTreeSet::from(ImageError::CODES));
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_a_whole_one_is_not() {
    let image = gradient(12, 9);
    let limits = Limits::default();
    let files = [
        (MediaType::Png, png(&image)),
        (MediaType::Jpeg, jpeg(&image)),
        (MediaType::Jpeg, file("formats/progressive.jpg").to_vec()),
        (MediaType::WebP, webp(&image)),
        (MediaType::WebP, file("formats/lossy_alpha.webp").to_vec()),
        (MediaType::Gif, gif(&[image.clone(), image])),
    ];
    for (format, file) in files {
        assert_eq!(code(&file, &limits), "ok");
        for end in 12..file.len() {
            let found = code(&file[..end], &limits);
            // A GIF may lack its one-byte trailer, behind any whole frame; nothing else is missed.
            if format == MediaType::Gif && found == "ok" {
                let missing = [&file[..end], &[0x3B]].concat();
                assert_eq!(code(&missing, &limits), "ok");
                continue;
            }
            // What stands behind a WebP's picture may be missing, as long as the picture is the same.
            if format == MediaType::WebP && found == "ok" {
                assert_eq!(
                    decode_rgba(&file[..end], &limits),
                    decode_rgba(&file, &limits)
                );
                continue;
            }
            // A JPEG may lack the two bytes of its end marker: every block is there. So may a PNG lack its IEND.
            let end_bytes = match format {
                MediaType::Jpeg => 2,
                MediaType::Png => 12,
                MediaType::WebP | MediaType::Gif => 0,
            };
            if end + end_bytes >= file.len() {
                assert_eq!(found, "ok");
                continue;
            }
            assert_eq!(
                found,
                "image_truncated",
                "{format:?} cut at {end} of {}",
                file.len()
            );
        }
    }
}

#[test]
fn ten_thousand_frames_cost_what_one_does() {
    let red = flat(4, 4, [200, 40, 40, 255]);
    let one = gif(std::slice::from_ref(&red));
    let frame = one.windows(1).position(|byte| byte == b"\x21").unwrap();
    let blue = gif(&[flat(4, 4, [40, 40, 200, 255])]);
    let more = &blue[frame..blue.len() - 1];
    let file = [&one[..one.len() - 1], &more.repeat(10_000), &[0x3B]].concat();
    let header = header(&file, &Limits::default()).unwrap();
    assert_eq!(
        (header.width, header.height, header.cost_megapixels),
        (4, 4, 1)
    );
    assert_eq!(seen(file), red);
}

#[test]
fn compressed_metadata_is_never_inflated_beyond_what_a_profile_may_have() {
    let plain = png(&gradient(8, 8));
    let bomb = zlib(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 20, "it is a bomb");
    let text = [b"Comment\0\0".as_slice(), &bomb].concat();
    let unicode = [b"Comment\0\x01\0\0\0".as_slice(), &bomb].concat();
    let profile = [b"test\0\0".as_slice(), &bomb].concat();
    for (kind, body) in [(b"zTXt", text), (b"iTXt", unicode), (b"iCCP", profile)] {
        let normal = normal(with_chunk(&plain, kind, &body));
        assert_eq!(normal.bytes, plain);
    }
}

#[test]
fn limits_are_inclusive_and_the_sentence_names_both_sides() {
    let limits = Limits {
        max_side: 40,
        max_pixels: 1_200,
        min_side: 4,
        ..Limits::default()
    };
    assert_eq!(code(&png(&gradient(40, 30)), &limits), "ok");
    assert_eq!(code(&png(&gradient(41, 4)), &limits), "image_too_large");
    assert_eq!(code(&png(&gradient(40, 31)), &limits), "image_too_large");
    assert_eq!(code(&png(&gradient(4, 4)), &limits), "ok");
    assert_eq!(code(&png(&gradient(40, 3)), &limits), "image_too_small");
    let error = header(&ihdr(60_000, 60_000), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the image is 60000×60000 pixels; lamina accepts at most 16384 on a side and 50.0 \
         megapixels in all: scale it down and send it again"
    );
}

#[test]
fn kinds_that_hold_more_memory_for_a_pixel_have_a_lower_limit_and_it_is_told() {
    let image = flat(10, 10, [200, 40, 40, 128]);
    let deep = |colour, samples: usize| {
        let samples = vec![0; 100 * samples * 2];
        raw_png((10, 10), colour, png::BitDepth::Sixteen, None, &samples)
    };
    let of = |path: &str| {
        let file = file(path);
        let header = header(&file, &Limits::default()).unwrap();
        let pixels = u64::from(header.width) * u64::from(header.height);
        (file.to_vec(), pixels)
    };
    let [animated, lossy, progressive] = [
        of("formats/animated.webp"),
        of("formats/lossy_alpha.webp"),
        of("formats/progressive.jpg"),
    ];
    let mut small_frame = gif(std::slice::from_ref(&image));
    small_frame[6] = 11;
    // The bytes that each holds for a pixel; the limit is of 7.2.
    for (name, file, pixels, bytes) in [
        ("PNG", png(&image), 100, 7),
        (
            "16-bit grey PNG",
            deep(png::ColorType::Grayscale, 1),
            100,
            12,
        ),
        ("16-bit RGB PNG", deep(png::ColorType::Rgb, 3), 100, 14),
        ("16-bit RGBA PNG", deep(png::ColorType::Rgba, 4), 100, 12),
        ("JPEG", jpeg(&image), 100, 7),
        ("WebP", webp(&image), 100, 7),
        ("WebP, animated", animated.0, animated.1, 12),
        ("WebP, lossy with alpha", lossy.0, lossy.1, 11),
        ("GIF", gif(std::slice::from_ref(&image)), 100, 7),
        (
            "GIF of a frame beside its screen's edge",
            small_frame,
            110,
            8,
        ),
    ] {
        let limits = |max_pixels| Limits {
            max_pixels,
            ..Limits::default()
        };
        let least = pixels.max((pixels * bytes * 10_u64).div_ceil(72));
        assert_eq!(code(&file, &limits(least)), "ok", "{name}");
        let error = header(&file, &limits(least - 1)).unwrap_err();
        let ImageError::TooLarge { max_pixels, .. } = error else {
            panic!("{name}: {error}");
        };
        assert!(max_pixels < pixels, "{name}");
        let weight = header(&file, &limits(least)).unwrap().cost_megapixels;
        assert_eq!(weight, 1, "{name}");
    }
    let (file, pixels) = progressive;
    let limits = Limits {
        max_pixels: pixels,
        ..Limits::default()
    };
    // Its chroma is halved both ways: 4 bytes of RGBA and 3 of coefficients.
    assert_eq!(code(&file, &limits), "ok");
    let sixty = Limits {
        max_pixels: 60_000_000,
        ..Limits::default()
    };
    assert_eq!(
        header(&ihdr(7_000, 7_000), &sixty).unwrap().cost_megapixels,
        86
    );
}

#[test]
fn garbage_behind_the_end_is_tolerated_and_dropped() {
    let image = gradient(12, 9);
    for file in [png(&image), jpeg(&image), webp(&image)] {
        let normal = normal([file.as_slice(), &[0xA5; 3000]].concat());
        assert!(normal.changed);
        assert_eq!(normal.bytes, file);
    }
    let red = flat(4, 4, [200, 40, 40, 255]);
    assert_eq!(
        seen([gif(std::slice::from_ref(&red)), vec![0xA5; 3000]].concat()),
        red
    );
}
