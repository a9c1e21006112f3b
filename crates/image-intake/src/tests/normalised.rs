//! What is kept, what is dropped, and that the pixels stay.

use super::samples::*;
use crate::{Limits, MediaType, decode_rgba, normalise, normalised_already};

#[test]
fn a_clean_file_is_kept_untouched_and_shares_its_buffer() {
    let image = gradient(20, 12);
    for file in [png(&image), jpeg(&image), webp(&image)] {
        let given = bytes::Bytes::from(file);
        let normal = normalise(&given, &Limits::default()).unwrap();
        assert!(!normal.changed);
        assert_eq!(normal.bytes.as_ptr(), given.as_ptr(), "{normal:?}");
        assert_eq!((normal.width, normal.height), (20, 12));
    }
}

#[test]
fn a_png_that_stays_is_known_by_its_rows_alone() {
    let image = gradient(20, 12);
    let plain = png(&image);
    let raw_bytes = 12 * (20 * 4 + 1);
    let already = |file: &[u8], most| {
        normalised_already(
            &bytes::Bytes::copy_from_slice(file),
            &Limits::default(),
            most,
        )
    };
    for file in [plain.clone(), with_chunk(&plain, b"tEXt", b"a\0b")] {
        let told = already(&file, raw_bytes).unwrap();
        assert_eq!(told, normal(file.clone()));
        assert_eq!(told.bytes, plain);
        assert_eq!(already(&file, raw_bytes - 1), None, "too many bytes");
    }
    assert_eq!(already(&plain[..plain.len() - 20], raw_bytes), None);
    let mut broken = plain.clone();
    let at = broken.windows(4).position(|name| name == b"IDAT").unwrap();
    broken[at + 10] ^= 0x55;
    crate::fuzzing::with_right_checksums(&mut broken);
    assert_eq!(already(&broken, raw_bytes), None);
    // Only a decoder tells of these, or they are made anew.
    let turned = with_chunk(&plain, b"eXIf", &exif(6, true));
    for other in [jpeg(&image), webp(&image), turned] {
        assert_eq!(already(&other, u64::MAX), None);
    }
}

#[test]
fn a_large_real_photo_is_kept_untouched() {
    let photo = file("images/hubble_deep_field.jpg");
    let normal = normal(photo);
    assert_eq!(
        (normal.format, normal.width, normal.height),
        (MediaType::Jpeg, 1000, 872)
    );
}

#[test]
fn every_place_for_metadata_in_a_png_is_emptied() {
    let image = gradient(9, 7);
    let plain = png(&image);
    let text = [b"Comment\0".as_slice(), SECRET].concat();
    let packed = [b"Comment\0\0".as_slice(), &zlib(SECRET)].concat();
    let unicode = [b"XML:com.adobe.xmp\0\0\0\0\0".as_slice(), SECRET].concat();
    let exif = [exif(1, true), SECRET.to_vec()].concat();
    let mut file = plain.clone();
    for (kind, body) in [
        (b"tEXt", text),
        (b"zTXt", packed.clone()),
        (b"iTXt", unicode),
        (b"eXIf", exif),
        (b"tIME", vec![7, 233, 1, 1, 1, 1, 1]),
        (b"pHYs", vec![0, 0, 1, 0, 0, 0, 1, 0, 1]),
        (b"gAMA", 45_455_u32.to_be_bytes().to_vec()),
        (b"prVt", SECRET.to_vec()),
    ] {
        file = with_chunk(&file, kind, &body);
    }
    file.extend_from_slice(SECRET);
    assert!(contains(&file, SECRET) && contains(&file, &packed));
    let normal = normal(file);
    assert!(normal.changed);
    // What remains is the very file that all of it had been put into.
    assert_eq!(normal.bytes, plain);
}

#[test]
fn every_place_for_metadata_in_a_jpeg_is_emptied() {
    let plain = jpeg(&gradient(24, 16));
    let mut file = plain.clone();
    let exif = [exif_segment(1, false), SECRET.to_vec()].concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), SECRET].concat();
    let iptc = [b"Photoshop 3.0\0".as_slice(), SECRET].concat();
    for (marker, body) in [
        (0xE1, exif),
        (0xE1, xmp),
        (0xE2, [b"MPF\0".as_slice(), SECRET].concat()),
        (0xED, iptc),
        (0xEC, SECRET.to_vec()),
        (0xEF, SECRET.to_vec()),
        (0xFE, SECRET.to_vec()),
    ] {
        file = with_segment(&file, marker, &body);
    }
    // A second image and a film often follow the first on phones.
    file.extend_from_slice(&plain);
    file.extend_from_slice(SECRET);
    assert!(contains(&file, SECRET));
    let normal = normal(file);
    assert_eq!(normal.bytes, plain);
}

#[test]
fn a_jfif_thumbnail_goes_and_the_colours_stay() {
    let plain = jpeg(&gradient(24, 16));
    assert_eq!(&plain[6..11], b"JFIF\0", "the encoder writes a JFIF header");
    let mut jfif = plain[6..18].to_vec();
    jfif.extend_from_slice(&[2, 2]);
    jfif.extend_from_slice(b"SECRET-4711x");
    let file = with_segment(&[&plain[..2], &plain[20..]].concat(), 0xE0, &jfif);
    let normal = normal(file);
    assert!(!contains(&normal.bytes, SECRET));
    assert_eq!(normal.bytes, plain);
}

#[test]
fn every_place_for_metadata_in_a_webp_is_emptied() {
    let image = gradient(9, 7);
    let simple = webp(&image);
    let more = [
        riff_chunk(b"EXIF", &[exif(1, false), SECRET.to_vec()].concat()),
        riff_chunk(b"XMP ", SECRET),
        riff_chunk(b"prvt", SECRET),
    ];
    let mut file = extended_webp(&simple, (9, 7), 0x1C, &more);
    file.extend_from_slice(SECRET);
    let normal = normal(file);
    assert_eq!(normal.bytes, extended_webp(&simple, (9, 7), 0x10, &[]));
    assert_eq!(seen(normal.bytes), image);
}

#[test]
fn a_lossy_webp_with_alpha_loses_exif_xmp_and_an_srgb_profile_without_being_encoded_anew() {
    let given = file("formats/lossy_alpha.webp");
    assert!(contains(&given, SECRET) && contains(&given, b"ICCP"));
    let normal = normal(given);
    assert_eq!(normal.format, MediaType::WebP);
    assert!(normal.changed);
    for trace in [SECRET, b"ICCP", b"EXIF", b"XMP "] {
        assert!(!contains(&normal.bytes, trace));
    }
    let image = seen(normal.bytes);
    // As libwebp decodes the file, give or take what its own upsampling differs by.
    let cells = [
        (4, 4, [221, 30, 33, 255]),
        (24, 4, [30, 179, 61, 255]),
        (4, 12, [40, 60, 199, 128]),
        (24, 12, [250, 250, 250, 0]),
    ];
    for (x, y, expected) in cells {
        let found = pixel(&image, x, y);
        let close = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 3);
        assert!(close, "{x},{y}: {found:?} is not {expected:?}");
    }
}

#[test]
fn of_an_animation_the_first_frame_is_kept_as_png() {
    let (red, blue) = (
        flat(16, 8, [200, 40, 40, 255]),
        flat(16, 8, [40, 40, 200, 255]),
    );
    let gif = gif(&[red.clone(), blue]);
    for file in [gif, file("formats/animated.webp").to_vec()] {
        let normal = normal(file);
        assert_eq!(normal.format, MediaType::Png);
        assert_eq!(seen(normal.bytes), red);
    }
}

#[test]
fn of_an_apng_the_default_image_is_kept_without_the_animation() {
    let (red, blue) = (
        flat(8, 8, [200, 40, 40, 255]),
        flat(8, 8, [40, 40, 200, 255]),
    );
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 8, 8);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(red.pixels()).unwrap();
    writer.write_image_data(blue.pixels()).unwrap();
    writer.finish().unwrap();
    assert!(contains(&file, b"fdAT"));
    let normal = normal(file);
    for trace in [b"acTL", b"fcTL", b"fdAT"] {
        assert!(!contains(&normal.bytes, trace));
    }
    assert_eq!(seen(normal.bytes), red);
}

#[test]
fn a_gif_frame_smaller_than_its_canvas_stands_where_it_belongs() {
    // 4×4 canvas, two colours, one 2×2 frame of the second colour at (1, 2), comment before it.
    let mut file = b"GIF89a\x04\0\x04\0\x80\0\0".to_vec();
    file.extend_from_slice(&[10, 20, 30, 200, 100, 50]);
    file.extend_from_slice(&[&[0x21, 0xFE, 11], SECRET, &[0]].concat());
    file.extend_from_slice(&[0x2C, 1, 0, 2, 0, 2, 0, 2, 0, 0, 2]);
    // Codes of three bits: clear (4) and 1 1 1; then, the table having grown, of four: 1, end (5).
    file.extend_from_slice(&[3, 0b0100_1100, 0b0001_0010, 0b0101, 0, 0x3B]);
    let image = seen(file);
    for y in 0..4 {
        for x in 0..4 {
            let inside = (1..3).contains(&x) && (2..4).contains(&y);
            let expected = if inside { [200, 100, 50, 255] } else { [0; 4] };
            assert_eq!(pixel(&image, x, y), expected, "{x},{y}");
        }
    }
}

#[test]
fn normalising_the_result_again_changes_nothing() {
    let image = gradient(24, 16);
    let files = [
        with_segment(&jpeg(&image), 0xE1, &exif_segment(6, false)),
        with_chunk(&png(&image), b"eXIf", &exif(3, true)),
        gif(&[image]),
        file("formats/cmyk.jpg").to_vec(),
        file("formats/lossy_alpha.webp").to_vec(),
        file("formats/animated.webp").to_vec(),
    ];
    for file in files {
        let once = normal(file);
        assert!(once.changed);
        let twice = normal(once.bytes.clone());
        assert!(!twice.changed);
        assert_eq!(twice.bytes, once.bytes);
        assert_eq!((twice.width, twice.height), (once.width, once.height));
    }
}

#[test]
fn the_stored_bytes_and_decode_rgba_agree_on_a_file_that_was_not_normalised() {
    let file = with_segment(&jpeg(&gradient(24, 16)), 0xE1, &exif_segment(6, false));
    let direct = decode_rgba(&file, &Limits::default()).unwrap();
    assert_eq!(direct, seen(file));
}
