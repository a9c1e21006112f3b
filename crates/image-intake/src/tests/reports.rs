//! Files made after public reports of what people send elsewhere, each with its right value. `testdata/reports/REPORTS.md` lists the
//! reports; the larger set is `conformance.rs`.

use super::samples::*;
use crate::{Limits, RgbaImage, decode_rgba, encode_layer, foreign_format, header, normalise};

/// The fields of the reports' pictures, each 16 × 32 pixels, from the upper left.
const FIELDS: [[u8; 3]; 8] = [
    [200, 40, 40],
    [40, 160, 60],
    [50, 70, 200],
    [230, 220, 60],
    [120, 120, 120],
    [240, 240, 240],
    [20, 20, 20],
    [180, 90, 200],
];

/// Whether the middle of each field has its colour.
fn shows_the_fields(image: &RgbaImage) -> bool {
    (image.width(), image.height()) == (64, 64)
        && FIELDS.iter().enumerate().all(|(index, colour)| {
            let (column, row) = ((index % 4) as u32, (index / 4) as u32);
            let seen = pixel(image, column * 16 + 8, row * 32 + 16);
            let near = |(seen, colour): (&u8, &u8)| seen.abs_diff(*colour) <= 8;
            seen[..3].iter().zip(colour).all(near)
        })
}

#[test]
fn every_reported_jpeg_shows_its_fields() {
    for name in [
        "scan-per-component-420",
        "scans-chroma-first",
        "rgb-by-adobe",
        "ycc-jfif-and-adobe-0",
        "webcam-frame",
        "samsung-panorama",
        "no-end-marker",
    ] {
        let image = seen(file(&format!("reports/{name}.jpg")));
        assert!(shows_the_fields(&image), "{name}");
    }
}

#[test]
fn a_jpeg_in_whose_colours_readers_differ_is_stored_so_that_they_agree() {
    for name in ["rgb-by-adobe", "ycc-jfif-and-adobe-0"] {
        let stored = normal(file(&format!("reports/{name}.jpg")));
        assert_eq!(stored.format, crate::MediaType::Png, "{name}");
    }
    for name in ["scan-per-component-420", "scans-chroma-first"] {
        let stored = normal(file(&format!("reports/{name}.jpg")));
        assert_eq!(stored.format, crate::MediaType::Jpeg, "{name}");
    }
}

#[test]
fn a_jpeg_is_judged_by_its_blocks_and_not_by_its_end() {
    let whole = file("reports/no-end-marker.jpg");
    let limits = Limits::default();
    for cut in 1..60 {
        // Zeros are what a download leaves that reserved its space.
        for end in [
            &[][..],
            &[0xFF, 0xD9],
            &[0xFF, 0xD9, b'S', b'E', b'F', b'T'],
            &[0; 900],
        ] {
            let given = [&whole[..whole.len() - cut], end].concat();
            let code = decode_rgba(&given, &limits).map_err(|error| error.code());
            assert_eq!(code.map(drop), Err("image_truncated"), "{cut} {end:?}");
        }
    }
    // What is stored has an end, and is read by anyone.
    let stored = normal(whole.clone());
    assert_eq!(stored.bytes, [&whole[..], &[0xFF, 0xD9]].concat());
}

#[test]
fn a_stored_webcam_frame_names_its_tables() {
    let stored = normal(file("reports/webcam-frame.jpg"));
    assert!(contains(&stored.bytes, &[0xFF, 0xC4]));
    assert!(stored.changed);
}

#[test]
fn zeros_between_the_blocks_of_a_gif_are_nothing() {
    for name in ["gif-zero-before-trailer", "gif-zero-between-frames"] {
        let image = seen(file(&format!("reports/{name}.gif")));
        let [red, green, blue, alpha] = pixel(&image, image.width() / 2, image.height() / 2);
        assert!(
            red > 150 && green < 90 && blue < 90 && alpha == 255,
            "{name}"
        );
    }
    // Before the first frame nothing but a block or such a zero may stand.
    let plain = gif(&[flat(4, 4, [200, 40, 40, 255])]);
    let first = plain
        .windows(2)
        .position(|pair| pair == [0x21, 0xF9])
        .unwrap();
    for zeros in [1, 3] {
        let given = spliced(&plain, first, &vec![0; zeros]);
        assert_eq!(seen(given), seen(plain.clone()), "{zeros}");
    }
}

#[test]
fn linear_light_is_converted_before_its_low_bits_go() {
    let image = seen(file("reports/linear-16-bit.png"));
    for x in 0..64 {
        let [red, green, blue, _] = pixel(&image, x * 4 + 2, 32);
        assert!(red == green && green == blue);
        assert!(u32::from(red).abs_diff(x) <= 2, "{x} is seen as {red}");
    }
    let greys: std::collections::BTreeSet<u8> =
        (0..64).map(|x| pixel(&image, x * 4 + 2, 32)[0]).collect();
    assert!(greys.len() > 60, "{} greys are left", greys.len());
}

#[test]
fn reference_white_of_hdr_is_white() {
    let image = seen(file("reports/hdr-pq.png"));
    let (width, height) = (image.width(), image.height());
    let white = pixel(&image, width / 4, height / 2);
    assert!(white.iter().all(|sample| *sample >= 253), "{white:?}");
    let [grey, _, _, _] = pixel(&image, width * 3 / 4, height / 2);
    assert!(grey.abs_diff(100) <= 6, "{grey}");
}

#[test]
fn apples_own_png_is_refused_by_its_name() {
    let given = file("reports/apple-bundle.png");
    let error = normalise(&given, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "image_variant_unsupported");
    let sentence = error.to_string();
    assert!(
        sentence.contains("Apple") && sentence.contains("CgBI"),
        "{sentence}"
    );
    assert!(sentence.contains("save it as"), "{sentence}");
}

#[test]
fn what_hides_behind_a_pictures_data_is_not_stored() {
    let image = gradient(24, 20);
    let (jpeg, png) = (jpeg(&image), png(&image));
    let end = jpeg.len() - 2;
    let in_scan = [&jpeg[..end], &SECRET.repeat(40), &jpeg[end..]].concat();
    let unused_table = [b"\x03".as_slice(), &SECRET.repeat(6)[..64]].concat();
    let table = with_segment(&jpeg, 0xDB, &unused_table);
    let iend = png.len() - 12;
    let chunk_behind = spliced(&png, iend, &chunk(b"IDAT", SECRET));
    for (name, given) in [("scan", in_scan), ("table", table), ("IDAT", chunk_behind)] {
        let stored = normal(given.clone());
        assert!(
            contains(&given, SECRET) && !contains(&stored.bytes, SECRET),
            "{name}"
        );
        assert!(stored.changed);
        assert_eq!(
            decode_rgba(&stored.bytes, &Limits::default()),
            decode_rgba(&given, &Limits::default())
        );
    }
}

#[test]
fn what_hides_in_a_palette_or_behind_a_row_is_not_stored() {
    let colours = [&[200, 40, 40, 50, 70, 200][..], &SECRET.repeat(6)].concat();
    let alphas = [&[255, 90][..], SECRET].concat();
    let (indexed, grey) = (png::ColorType::Indexed, png::ColorType::Grayscale);
    let palette = Some((&colours[..], &alphas[..]));
    for depth in [png::BitDepth::Four, png::BitDepth::Eight] {
        let row: &[u8] = match depth {
            png::BitDepth::Four => &[0x01, 0x10],
            _ => &[0, 1, 1, 0],
        };
        let colours = &colours[..colours.len().min(3 << depth as u8)];
        let palette = palette.map(|(_, alphas)| (&colours[..colours.len() / 3 * 3], alphas));
        let given = raw_png((4, 2), indexed, depth, palette, &row.repeat(2));
        let stored = normal(given.clone());
        assert!(contains(&given, SECRET) && !contains(&stored.bytes, SECRET));
        assert_eq!(stored.bytes.len(), given.len(), "it is still indexed");
        let limits = Limits::default();
        assert_eq!(
            decode_rgba(&stored.bytes, &limits),
            decode_rgba(&given, &limits)
        );
        assert!(!normal(stored.bytes.clone()).changed);
    }
    // Three pixels of one bit: five more bits in each row are nobody's.
    let plain = raw_png((3, 2), grey, png::BitDepth::One, None, &[0xA0, 0x40]);
    assert!(!normal(plain.clone()).changed);
    let filled = raw_png((3, 2), grey, png::BitDepth::One, None, &[0xB5, 0x5F]);
    let stored = normal(filled);
    assert!(stored.changed);
    assert_eq!(seen(stored.bytes), seen(plain));
}

#[test]
fn the_colour_of_an_edge_goes_on_under_what_does_not_show() {
    let (width, height) = (40, 40);
    let mut pixels = vec![0; 40 * 40 * 4];
    for (at, pixel) in pixels.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let (x, y) = (at % 40, at / 40);
        *pixel = match (10..30).contains(&x) && (10..30).contains(&y) {
            true => [250, 200, 30, if x == 10 { 90 } else { 255 }],
            false => [(x * 5) as u8, 0, 0, 0],
        };
    }
    let layer = RgbaImage::new(width, height, pixels).unwrap();
    let encoded = encode_layer(layer.clone());
    let bled = decode_rgba(&encoded, &Limits::default()).unwrap();
    for (before, after) in layer.pixels().chunks(4).zip(bled.pixels().chunks(4)) {
        assert_eq!(before[3], after[3]);
        assert!(before[3] == 0 || before == after, "what shows is untouched");
    }
    for (x, y) in [(9, 20), (2, 20), (30, 20), (20, 37), (5, 5)] {
        assert_eq!(pixel(&bled, x, y), [250, 200, 30, 0], "{x}, {y}");
    }
    // Far from everything there is nothing, not what lay hidden there.
    assert_eq!(pixel(&bled, 39, 0), [0; 4]);
    // Scaled channel by channel, the edge keeps its colour instead of going dark.
    let mean = |a: u8, b: u8| (u16::from(a) + u16::from(b)) / 2;
    let (inside, outside) = (pixel(&bled, 29, 20), pixel(&bled, 30, 20));
    assert_eq!(mean(inside[0], outside[0]), 250);
}

#[test]
fn formats_of_phones_and_cameras_are_refused_with_a_way_out() {
    let dng = b"II\x2A\0\x08\0\0\0\x02\0\xFE\0\x04\0\x01\0\0\0\0\0\0\0\x12\xC6\x01\0\x04\0\0\0\x01\x04\0\0\0\0\0\0";
    let tiff = b"II\x2A\0\x08\0\0\0\x01\0\xFE\0\x04\0\x01\0\0\0\0\0\0\0\0\0\0\0";
    for (bytes, name, way) in [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".as_slice(),
            "a HEIC image",
            "Most Compatible",
        ),
        (
            b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf",
            "a HEIF image",
            "JPEG",
        ),
        (
            b"\0\0\0\x1Cftypavif\0\0\0\0avifmif1miaf",
            "an AVIF image",
            "PNG",
        ),
        (
            b"\xFF\x0A\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A",
            "a JPEG XL image",
            "PNG",
        ),
        (
            b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
            "an MP4, QuickTime or AVI video",
            "still picture",
        ),
        (dng, "a raw photo (DNG)", "export a JPEG"),
        (
            b"II\x2A\0\x10\0\0\0CR\x02\0",
            "a camera's raw photo",
            "export a JPEG",
        ),
        (
            b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
            "a camera's raw photo",
            "export a JPEG",
        ),
        (tiff, "a TIFF image", "convert it"),
    ] {
        assert_eq!(foreign_format(bytes), Some(name));
        let sentence = header(bytes, &Limits::default()).unwrap_err().to_string();
        assert!(
            sentence.contains(name) && sentence.contains(way),
            "{sentence}"
        );
    }
}

#[test]
fn what_became_of_a_file_on_its_way_is_named_and_so_is_the_way_out() {
    let (png, jpeg) = (png(&gradient(9, 9)), jpeg(&gradient(9, 9)));
    // As strings read a file: each byte that is no UTF-8 replaced, or each byte one letter.
    let replaced = |file: &[u8]| String::from_utf8_lossy(file).into_owned().into_bytes();
    let letters = |file: &[u8]| {
        file.iter()
            .map(|byte| char::from(*byte))
            .collect::<String>()
    };
    let latin = |file: &[u8]| letters(file).into_bytes();
    let line_ends = |from: &str, to: &str| {
        let text = letters(&png).replace(from, to);
        text.chars().map(|letter| letter as u8).collect::<Vec<u8>>()
    };
    let long_comment = format!("<?xml version='1.0'?><!--{}--><svg/>", "-".repeat(3_000));
    let cases: [(&[u8], &str, &str); 22] = [
        (&replaced(&png), "as if they were text", "as bytes"),
        (&replaced(&jpeg), "as if they were text", "as bytes"),
        (&latin(&png), "as if they were text", "as bytes"),
        (&latin(&jpeg), "as if they were text", "as bytes"),
        (&line_ends("\r\n", "\n"), "as if they were text", "as bytes"),
        (&line_ends("\n", "\r\n"), "as if they were text", "as bytes"),
        (
            &[b"\xEF\xBB\xBF", &png[..]].concat(),
            "byte order mark",
            "alone",
        ),
        (&[b"\r\n\r\n", &jpeg[..]].concat(), "blank space", "alone"),
        (
            b"<head><title>Sign in</title>",
            "an HTML page",
            "its own address",
        ),
        (b"<!-- cached --><html>", "an HTML page", "its own address"),
        (
            b"<?xml version='1.0'?><html xmlns='x'>",
            "an HTML page",
            "its own address",
        ),
        (
            b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code>",
            "an XML document",
            "instead of an image",
        ),
        (long_comment.as_bytes(), "an SVG drawing", "convert it"),
        (
            b"\0\0\x02\0\0\0\0\0\0\0\0\0\x40\0\x40\0\x18\0",
            "a TGA image",
            "convert it",
        ),
        (
            b"\0\0\x0A\0\0\0\0\0\0\0\0\0\x40\0\x40\0\x18\0",
            "a TGA image",
            "convert it",
        ),
        (b"\x0A\x05\x01\x08\0\0\0\0", "a PCX image", "convert it"),
        (
            b"\0\0\x01\0moov\0\0\0\x6Cmvhd",
            "QuickTime",
            "still picture",
        ),
        (
            b"\0\0\0\x08wide\0\0\x01\0mdat",
            "QuickTime",
            "still picture",
        ),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI video", "still picture"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "a WAV sound", "convert it"),
        (b"\x1F\x8B\x08\0\0\0\0\0", "gzip", "unpack it"),
        (b"PK\x03\x04\x14\0\0\0", "a ZIP archive", "unpack it"),
    ];
    for (bytes, name, way) in cases {
        let error = header(bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "image_format_unsupported", "{error}");
        let sentence = error.to_string();
        assert!(
            sentence.contains(name) && sentence.contains(way),
            "{sentence}"
        );
    }
    for text in ["the free picture", "a wide one is here", "\u{fffd}NG"] {
        assert_eq!(foreign_format(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn no_size_is_told_as_nothing() {
    let limits = Limits {
        max_bytes: 30_000,
        max_pixels: 1_200,
        ..Limits::default()
    };
    let sentence = header(&png(&gradient(41, 40)), &limits)
        .unwrap_err()
        .to_string();
    assert!(sentence.contains("1200 pixels in all"), "{sentence}");
    let sentence = header(&[0; 40_000], &limits).unwrap_err().to_string();
    assert!(sentence.contains("30000 bytes,"), "{sentence}");
    for limit in [1, 999, 49_999, 999_999, 1_000_000, 50_000_000] {
        let limits = Limits {
            max_pixels: limit,
            max_bytes: limit,
            ..Limits::default()
        };
        for given in [png(&gradient(2, 2)), vec![0; 2]] {
            if let Err(error) = header(&given, &limits) {
                assert!(!error.to_string().contains("0.0"), "{error}");
            }
        }
    }
}
