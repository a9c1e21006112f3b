//! What a file is, by its first bytes.
//!
//! Never by its name or by what somebody declared. Formats that are not accepted are
//! recognised as well, so that the refusal can name them. Only the first four kilobytes are looked
//! at, and a TIFF's first directory.

use super::error::{ACCEPTED, ImageError};
use super::media_type::MediaType;

/// The accepted format whose magic bytes these are, if any.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<MediaType> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(MediaType::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(MediaType::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(MediaType::WebP)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some(MediaType::Gif)
    } else {
        None
    }
}

/// The name, with its article, of a known format that is not accepted.
#[must_use]
pub fn foreign_format(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\x00\x00\x00\x0CJXL \r\n\x87\n", JPEG_XL),
        (b"\xFF\x0A", JPEG_XL),
        (b"\x00\x00\x00\x0CjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"\xFF\x4F\xFF\x51", "a JPEG 2000 image"),
        (b"II\x2B\x00", "a BigTIFF image"),
        (b"MM\x00\x2B", "a BigTIFF image"),
        (b"FUJIFILMCCD-RAW", RAW),
        (b"IIRO", RAW),
        (b"IIU\x00", RAW),
        (b"%PDF-", "a PDF document"),
        (b"%!PS", "a PostScript file"),
        (b"\xC5\xD0\xD3\xC6", "a PostScript file"),
        (b"II\xBC\x01", "a JPEG XR image"),
        (b"\x00\x00\x00\x0CJXS \r\n\x87\n", "a JPEG XS image"),
        (b"BPG\xFB", "a BPG image"),
        (b"FLIF", "a FLIF image"),
        (b"icns", "an Apple icon (ICNS)"),
        (b"\xD7\xCD\xC6\x9A", "a Windows metafile"),
        (b"P5\n", "a Netpbm image"),
        (b"P6\n", "a Netpbm image"),
        (b"\xABKTX ", "a KTX texture"),
        (b"\x1A\x45\xDF\xA3", MATROSKA),
        (b"OggS", "an Ogg file"),
        (b"Rar!\x1A\x07", RAR),
        (b"7z\xBC\xAF\x27\x1C", SEVEN_ZIP),
        (b"8BPS", "a Photoshop (PSD) file"),
        (b"\x00\x00\x01\x00", "an ICO icon"),
        // A cursor counts its pictures where a TGA image says that it has no palette.
        (b"\x00\x00\x02\x00\x00\x00\x00", "a TGA image"),
        (b"\x00\x00\x0A\x00\x00\x00\x00", "a TGA image"),
        (b"\x00\x00\x02\x00", "a CUR cursor"),
        (b"\x0A\x05\x01", "a PCX image"),
        (b"\x89PNG\n", AS_TEXT),
        (b"\x89PNG\r\r\n", AS_TEXT),
        (b"\x89PNG\r\n\x1A\r\n", AS_TEXT),
        (b"\xEF\xBF\xBDPNG", AS_TEXT),
        (b"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", AS_TEXT),
        (b"\xC2\x89PNG", AS_TEXT),
        (b"\xC3\xBF\xC3\x98\xC3\xBF", AS_TEXT),
        (b"DDS ", "a DDS texture"),
        (b"qoif", "a QOI image"),
        (b"farbfeld", "a farbfeld image"),
        (b"\x76\x2F\x31\x01", "an OpenEXR image"),
        (b"#?RADIANCE", "a Radiance HDR image"),
        (b"gimp xcf", "a GIMP (XCF) file"),
        (b"\x8AMNG\r\n\x1A\n", "an MNG animation"),
        (b"\x8BJNG\r\n\x1A\n", "a JNG image"),
        (b"PK\x03\x04", ZIP),
    ];
    if let Some(found) = iso_media(bytes) {
        return Some(found);
    }
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(name);
    }
    if bytes.starts_with(b"\x1F\x8B") {
        return Some(GZIP);
    }
    match (bytes.get(..4), bytes.get(8..12)) {
        (Some(b"RIFF"), Some(b"AVI ")) => return Some(FILM),
        (Some(b"RIFF"), Some(b"WAVE")) => return Some("a WAV sound"),
        _ => {}
    }
    // "BM" alone is two letters of many texts; the header size behind it makes it a bitmap.
    if bytes.starts_with(b"BM") && matches!(bytes.get(14..18), Some([12..=124, 0, 0, 0])) {
        return Some("a BMP image");
    }
    tiff(bytes)
        .or_else(|| markup(bytes))
        .or_else(|| base64(bytes))
        .or_else(|| behind_blank(bytes))
}

const HEIC: &str = "a HEIC image";
const HEIF: &str = "a HEIF image";
const AVIF: &str = "an AVIF image";
const JPEG_XL: &str = "a JPEG XL image";
const DNG: &str = "a raw photo (DNG)";
const RAW: &str = "a camera's raw photo";
const FILM: &str = "an MP4, QuickTime or AVI video";
const MATROSKA: &str = "a Matroska or WebM video";
const RAR: &str = "a RAR archive";
const SEVEN_ZIP: &str = "a 7z archive";
const PAGE: &str = "an HTML page";
const XML: &str = "an XML document";
const GZIP: &str = "a file compressed with gzip";
const ZIP: &str = "a ZIP archive (perhaps an OpenRaster or office file)";
/// What is left of a picture whose bytes were read into a string, or sent as one: what is no UTF-8 became a sign of
/// replacement or two bytes, or its line ends were changed, as its signature is made to show.
const AS_TEXT: &str = "an image whose bytes were changed on their way, as if they were text";
const BEHIND_BLANK: &str = "an image with a byte order mark or blank space before it";
const BASE64: &str = "an image as base64 text";

/// What to do about a format that is not accepted. An app's user cannot convert a phone's photo; the app's developer can
/// have the phone do it.
fn advice(found: &'static str) -> &'static str {
    match found {
        HEIC | HEIF => {
            "have the phone convert it (on iOS the photo picker does so when asked for a \
             compatible representation or for JPEG; in the settings it is Camera > Formats > Most \
             Compatible), or save it as JPEG, and send that"
        }
        AVIF | JPEG_XL => "save it as PNG, or as JPEG where nothing is transparent, and send that",
        DNG | RAW => "send the JPEG that was taken with it, or develop it and export a JPEG",
        AS_TEXT => {
            "read the file as bytes and send those, without making a string of them on the way"
        }
        BEHIND_BLANK => "send the image alone; a script that hands it on may write the rest",
        PAGE | XML => {
            "a server may answer so instead of an image; send the image itself, or its own address"
        }
        GZIP | ZIP | RAR | SEVEN_ZIP => "unpack it and send the image that is in it",
        BASE64 => {
            "send the bytes that the text stands for, or give the text to a job as image_base64"
        }
        FILM | MATROSKA => "of a Live Photo or a film send the still picture",
        _ => "convert it and send it again",
    }
}

/// The error for bytes that [`sniff`] did not recognise.
pub(super) fn refusal(bytes: &[u8]) -> ImageError {
    match foreign_format(bytes) {
        Some(found) => ImageError::FormatUnsupported {
            found,
            advice: advice(found),
            accepted: ACCEPTED,
        },
        None => ImageError::Unrecognised,
    }
}

/// HEIC, AVIF and video share the `ftyp` box of ISO/IEC 14496-12; its brands tell them apart. Older films of QuickTime have
/// none and begin with another box.
fn iso_media(bytes: &[u8]) -> Option<&'static str> {
    match bytes.get(4..8)? {
        b"ftyp" => {}
        // The size before it is no letter, as it would be in a text.
        b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot" if bytes[0] == 0 => {
            return Some(FILM);
        }
        _ => return None,
    }
    let size = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let end = size.clamp(12, 256).min(bytes.len());
    let brands = bytes.get(8..end)?;
    let has = |names: &[&[u8; 4]]| {
        brands
            .chunks_exact(4)
            .any(|brand| names.iter().any(|name| name.as_slice() == brand))
    };
    if has(&[b"avif", b"avis"]) {
        Some(AVIF)
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs",
    ]) {
        Some(HEIC)
    } else if has(&[b"mif1", b"mif2", b"msf1", b"miaf", b"jpeg", b"unif"]) {
        Some(HEIF)
    } else if has(&[b"crx "]) {
        Some(RAW)
    } else {
        Some(FILM)
    }
}

/// TIFF is also what most cameras wrap their raw data in; a tag of the first directory, or the maker's own letters behind
/// the header, tell them apart (TIFF 6.0, section 2; DNG 1.7, DNGVersion).
fn tiff(bytes: &[u8]) -> Option<&'static str> {
    const DNG_VERSION: u16 = 0xC612;
    let is_little = match bytes.get(..4)? {
        b"II\x2A\x00" => true,
        b"MM\x00\x2A" => false,
        _ => return None,
    };
    if bytes.get(8..10) == Some(b"CR") {
        return Some(RAW);
    }
    let number = |at: usize, length: usize| {
        let field = bytes.get(at..at.checked_add(length)?)?;
        let join = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        Some(if is_little {
            field.iter().rev().fold(0, join)
        } else {
            field.iter().fold(0, join)
        })
    };
    let is_dng = || {
        let directory = number(4, 4)?;
        let count = number(directory, 2)?;
        (0..count).find(|entry| number(directory + 2 + entry * 12, 2) == Some(DNG_VERSION.into()))
    };
    Some(if is_dng().is_some() {
        DNG
    } else {
        "a TIFF image"
    })
}

/// The text of a picture in the place of its bytes: a `data:` URI, or how the first bytes of a known format are spelled.
fn base64(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [&[u8]; 6] = [
        b"data:image/",
        b"/9j/",
        b"iVBORw0KGgo",
        b"UklGR",
        b"R0lGODdh",
        b"R0lGODlh",
    ];
    let text = bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    (BEGINNINGS
        .iter()
        .any(|beginning| text.starts_with(beginning)))
    .then_some(BASE64)
}

/// A picture of ours behind bytes that show nothing. What was written before it counts as part of the file, so browsers do not
/// show it either.
fn behind_blank(bytes: &[u8]) -> Option<&'static str> {
    let rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    sniff(rest.trim_ascii_start()).map(|_| BEHIND_BLANK)
}

/// Text that people send by mistake: an SVG, or the page that shows the image.
fn markup(bytes: &[u8]) -> Option<&'static str> {
    // Drawing programs write comments and definitions before the drawing.
    let head = &bytes[..bytes.len().min(4096)];
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let head = head.trim_ascii_start().to_ascii_lowercase();
    let contains = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    let may_begin_so = [&b"<?xml"[..], b"<!--"]
        .iter()
        .any(|begins| head.starts_with(begins));
    if head.starts_with(b"<svg")
        || head.starts_with(b"<!doctype svg")
        || may_begin_so && contains(b"<svg")
    {
        Some("an SVG drawing")
    } else if [
        &b"<!doctype html"[..],
        b"<html",
        b"<head",
        b"<body",
        b"<script",
        b"<meta",
    ]
    .iter()
    .any(|begins| head.starts_with(begins))
        || may_begin_so && contains(b"<html")
    {
        Some(PAGE)
    } else if head.starts_with(b"<?xml") {
        Some(XML)
    } else {
        None
    }
}
