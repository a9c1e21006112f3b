//! What a file is, by its first bytes.
//!
//! Never by its name or by what somebody declared. Formats that lamina does not take are
//! recognised as well, so that the refusal can name them. Only the first kilobyte is looked at.

use super::error::{ACCEPTED, ImageError};
use super::format::Format;

/// The accepted format whose magic bytes these are, if any.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(Format::Jpeg)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::WebP)
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some(Format::Gif)
    } else {
        None
    }
}

/// The name, with its article, of a known format that lamina does not accept.
#[must_use]
pub fn foreign_format(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 19] = [
        (b"\x00\x00\x00\x0CJXL \r\n\x87\n", "a JPEG XL image"),
        (b"\xFF\x0A", "a JPEG XL image"),
        (b"\x00\x00\x00\x0CjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"\xFF\x4F\xFF\x51", "a JPEG 2000 image"),
        (b"II\x2A\x00", "a TIFF image"),
        (b"MM\x00\x2A", "a TIFF image"),
        (b"II\x2B\x00", "a BigTIFF image"),
        (b"MM\x00\x2B", "a BigTIFF image"),
        (b"%PDF-", "a PDF document"),
        (b"8BPS", "a Photoshop (PSD) file"),
        (b"\x00\x00\x01\x00", "an ICO icon"),
        (b"\x00\x00\x02\x00", "a CUR cursor"),
        (b"DDS ", "a DDS texture"),
        (b"qoif", "a QOI image"),
        (b"farbfeld", "a farbfeld image"),
        (b"\x76\x2F\x31\x01", "an OpenEXR image"),
        (b"#?RADIANCE", "a Radiance HDR image"),
        (b"gimp xcf", "a GIMP (XCF) file"),
        (
            b"PK\x03\x04",
            "a ZIP archive (perhaps an OpenRaster or office file)",
        ),
    ];
    if let Some((_, name)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(name);
    }
    if bytes.starts_with(b"\x1F\x8B") {
        return Some("a file compressed with gzip");
    }
    // "BM" alone is two letters of many texts; the header size behind it makes it a bitmap.
    if bytes.starts_with(b"BM") && matches!(bytes.get(14..18), Some([12..=124, 0, 0, 0])) {
        return Some("a BMP image");
    }
    iso_media(bytes).or_else(|| markup(bytes))
}

/// The error for bytes that [`sniff`] did not recognise.
pub(super) fn refusal(bytes: &[u8]) -> ImageError {
    match foreign_format(bytes) {
        Some(found) => ImageError::FormatUnsupported {
            found,
            accepted: ACCEPTED,
        },
        None => ImageError::Unrecognised,
    }
}

/// HEIC, AVIF and video share the `ftyp` box of ISO/IEC 14496-12; its brands tell them apart.
fn iso_media(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
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
        Some("an AVIF image")
    } else if has(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
    ]) {
        Some("a HEIC image")
    } else {
        Some("an MP4 or QuickTime video")
    }
}

/// Text that people send by mistake: an SVG, or the page that shows the image.
fn markup(bytes: &[u8]) -> Option<&'static str> {
    let head = &bytes[..bytes.len().min(1024)];
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let head = head.trim_ascii_start().to_ascii_lowercase();
    let contains = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    if head.starts_with(b"<svg") || (head.starts_with(b"<?xml") && contains(b"<svg")) {
        Some("an SVG drawing")
    } else if head.starts_with(b"<!doctype html") || head.starts_with(b"<html") {
        Some("an HTML page")
    } else if head.starts_with(b"<!doctype svg") || (head.starts_with(b"<!--") && contains(b"<svg"))
    {
        Some("an SVG drawing")
    } else {
        None
    }
}
