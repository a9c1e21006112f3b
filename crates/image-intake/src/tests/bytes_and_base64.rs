//! What the first bytes say, and base64 in every spelling that apps send.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::samples::*;
use crate::{ImageError, Limits, MediaType, decode_base64, foreign_format, header, sniff};

#[test]
fn accepted_formats_are_known_by_their_first_bytes() {
    let image = gradient(3, 3);
    assert_eq!(sniff(&png(&image)), Some(MediaType::Png));
    assert_eq!(sniff(&jpeg(&image)), Some(MediaType::Jpeg));
    assert_eq!(sniff(&webp(&image)), Some(MediaType::WebP));
    assert_eq!(sniff(&gif(&[image])), Some(MediaType::Gif));
    assert_eq!(sniff(b"GIF88a"), None);
    assert_eq!(sniff(b"RIFF\x10\0\0\0WAVE"), None);
    assert_eq!(sniff(b""), None);
    for format in MediaType::ALL {
        assert_eq!(MediaType::from_extension(format.extension()), Some(format));
    }
}

#[test]
fn every_known_foreign_format_is_refused_by_its_name() {
    let mut bmp = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.resize(70, 0);
    let cases: [(&[u8], &str); 34] = [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC image"),
        (b"\0\0\0\x1Cftypavif\0\0\0\0avifmif1miaf", "an AVIF image"),
        (b"\0\0\0\x1Cftypmif1\0\0\0\0avifmif1miaf", "an AVIF image"),
        (
            b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
            "an MP4, QuickTime or AVI video",
        ),
        (
            b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
            "an MP4, QuickTime or AVI video",
        ),
        (b"II\x2A\0\x08\0\0\0", "a TIFF image"),
        (b"MM\0\x2A\0\0\0\x08", "a TIFF image"),
        (b"II\x2B\0\x08\0\0\0", "a BigTIFF image"),
        (&bmp, "a BMP image"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "an SVG drawing",
        ),
        (
            b"\xEF\xBB\xBF<?xml version='1.0'?>\n<svg/>",
            "an SVG drawing",
        ),
        (b"<!-- made by hand --> <svg/>", "an SVG drawing"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript file"),
        (b"II\xBC\x01\x20\0\0\0", "a JPEG XR image"),
        (b"BPG\xFB\0\0", "a BPG image"),
        (b"icns\0\0\x01\0ic07", "an Apple icon (ICNS)"),
        (b"P6\n2 2\n255\n", "a Netpbm image"),
        (
            b"data:image/png;base64,iVBORw0KGgo",
            "an image as base64 text",
        ),
        (b"\n/9j/4AAQSkZJRgABAQ", "an image as base64 text"),
        (b"\"iVBORw0KGgoAAAANSUhEUg\"", "an image as base64 text"),
        (b"\xFF\x0A\xFA\x1F", "a JPEG XL image"),
        (b"\0\0\0\x0CJXL \r\n\x87\n", "a JPEG XL image"),
        (b"\0\0\0\x0CjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"\0\0\x01\0\x01\0\x10\x10", "an ICO icon"),
        (b"\0\0\x02\0\x01\0\x10\x10", "a CUR cursor"),
        (b"8BPS\0\x01", "a Photoshop (PSD) file"),
        (b"gimp xcf v011", "a GIMP (XCF) file"),
        (b"qoif\0\0\0\x01", "a QOI image"),
        (b"\x76\x2F\x31\x01\x02\0\0\0", "an OpenEXR image"),
        (b"#?RADIANCE\n", "a Radiance HDR image"),
        (b"\n <!DOCTYPE HTML><html>", "an HTML page"),
        (
            b"PK\x03\x04",
            "a ZIP archive (perhaps an OpenRaster or office file)",
        ),
    ];
    for (bytes, name) in cases {
        assert_eq!(foreign_format(bytes), Some(name));
        let error = header(bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "image_format_unsupported");
        let start = format!("this is {name}; lamina accepts JPEG, PNG, WebP and GIF: ");
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(&start) && sentence.len() > start.len() + 20,
            "{sentence}"
        );
    }
    assert_eq!(foreign_format(b"BM, dear Sir"), None);
    assert_eq!(foreign_format(b"{\"error\": \"not found\"}"), None);
}

#[test]
fn base64_is_taken_in_every_spelling() {
    let bytes: Vec<u8> = (0..=255).chain([0xFB, 0xEF, 0xBE, 0xFF]).collect();
    let standard = STANDARD.encode(&bytes);
    let lines: Vec<&str> = standard
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let escaped = standard
        .replace('+', "%2B")
        .replace('/', "%2f")
        .replace('=', "%3D");
    let spellings = [
        standard.clone(),
        STANDARD_NO_PAD.encode(&bytes),
        URL_SAFE.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
        lines.join("\r\n"),
        format!("\n\t {} \n", lines.join("\n  ")),
        format!("data:image/png;base64,{standard}"),
        format!("DATA:image/svg+xml;charset=utf-8;BASE64,{standard}"),
        format!("data:;base64, {}", lines.join("\n")),
        format!("data:image/png;base64,{escaped}"),
        format!("data:image/png;base64,{}", URL_SAFE_NO_PAD.encode(&bytes)),
    ];
    for text in spellings {
        assert_eq!(decode_base64(&text, 1000).unwrap(), bytes, "{text}");
    }
}

#[test]
fn base64_that_is_none_is_refused_with_its_reason() {
    let cases = [
        ("", "image_empty"),
        ("  \n ", "image_empty"),
        ("====", "image_empty"),
        ("data:image/png;base64,", "image_empty"),
        ("data:image/png;base64", "image_base64_invalid"),
        ("data:image/png,%89PNG", "image_base64_invalid"),
        ("data:text/plain;base64x,QUJD", "image_base64_invalid"),
        ("QUI", "ok"),
        ("QUJ", "image_base64_invalid"),
        ("QUJD!", "image_base64_invalid"),
        ("QUJDR", "image_base64_invalid"),
        ("QU=JD", "image_base64_invalid"),
        ("QUJ/", "ok"),
        ("QUK", "image_base64_invalid"),
        ("QUJD%2", "image_base64_invalid"),
        ("QUJD%zz", "image_base64_invalid"),
        ("QUJDé", "image_base64_invalid"),
        ("dataé:", "image_base64_invalid"),
        ("https://example.com/a.png", "image_base64_invalid"),
    ];
    for (text, code) in cases {
        let found = decode_base64(text, 1000).map_or_else(|error| error.code(), |_| "ok");
        assert_eq!(found, code, "{text:?}");
    }
}

#[test]
fn base64_that_is_something_else_is_told_what() {
    for (text, said) in [
        (
            "https://example.com/a.png",
            "give one that everyone can open as image_url",
        ),
        ("blob:http://localhost/5a1c", "the bytes that it leads to"),
        ("file:///var/mobile/a.png", "the bytes that it leads to"),
        (
            "content://media/external/images/7",
            "the bytes that it leads to",
        ),
        ("QUJD RUYH A", "no plus signs, as if these had been lost"),
        ("ab cdQ==", "no plus signs, as if these had been lost"),
        ("ab+ dQ==", "padding is misplaced"),
        ("QUJDRUY=H", "its padding is misplaced"),
        ("QUJDR", "as if it was cut"),
        ("b'QUJD'", "a letter of neither alphabet"),
    ] {
        let sentence = decode_base64(text, 1000).unwrap_err().to_string();
        assert!(sentence.contains(said), "{text}: {sentence}");
    }
}

#[test]
fn base64_is_measured_before_it_is_decoded() {
    let exact = STANDARD.encode([7; 30]);
    assert_eq!(decode_base64(&exact, 30).unwrap().len(), 30);
    let spaced: String = exact.chars().flat_map(|letter| [letter, '\n']).collect();
    assert_eq!(decode_base64(&spaced, 30).unwrap().len(), 30);
    for over in [
        exact.clone(),
        spaced,
        format!("data:;base64,{exact}"),
        exact.replace('B', "%42"),
    ] {
        let error = decode_base64(&over, 29).unwrap_err();
        assert_eq!(error, ImageError::TooManyBytes { max_bytes: 29 });
    }
    // Too long is said of text that is not even base64, so nothing was decoded to find out.
    let error = decode_base64(&"!".repeat(1000), 29).unwrap_err();
    assert_eq!(error.code(), "image_too_many_bytes");
}

#[test]
fn every_code_is_documented_as_final() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    // Nothing of a picture changes by sending it again.
    assert!(text.contains("All are final"));
    for code in ImageError::CODES {
        let row = format!("| `{code}` |");
        assert!(
            text.lines().any(|line| line.starts_with(&row)),
            "{code} has no row"
        );
    }
}
