//! Files made to hurt. What each single one is told by the decoder is tested beside the decoder;
//! here they go through the whole service.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageFormat, RgbaImage};

use crate::support::{picture, png_bytes};

/// A file and what it is answered.
pub(super) struct Picture {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) status: u16,
    pub(super) code: &'static str,
}

fn file(name: &'static str, bytes: Vec<u8>, code: &'static str) -> Picture {
    let status = match code {
        "image_unrecognised" | "image_format_unsupported" | "image_variant_unsupported" => 415,
        "image_too_many_bytes" => 413,
        _ => 422,
    };
    Picture {
        name,
        bytes,
        status,
        code,
    }
}

pub(super) fn all() -> Vec<Picture> {
    let mut all = no_pictures();
    all.extend(pngs());
    all.extend(jpegs());
    all.extend(gifs_and_webps());
    all
}

fn no_pictures() -> Vec<Picture> {
    let unknown = "image_unrecognised";
    let foreign = "image_format_unsupported";
    vec![
        file("nothing", Vec::new(), "image_empty"),
        file("one byte", vec![0x89], unknown),
        file("noise", vec![0x5A; 5_000], unknown),
        file("zeros", vec![0; 1 << 20], unknown),
        file("a program", b"\x7FELF\x02\x01\x01".repeat(50), unknown),
        file("a script", b"<?php system($_GET['c']); ?>".to_vec(), unknown),
        file("a page", b"<!doctype html><script>1</script>".to_vec(), foreign),
        file(
            "HEIC named .jpg",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(),
            foreign,
        ),
        file(
            "AVIF",
            b"\0\0\0\x18ftypavif\0\0\0\0mif1avif".to_vec(),
            foreign,
        ),
        file(
            "SVG with an entity bomb",
            b"<?xml version=\"1.0\"?><!DOCTYPE s [<!ENTITY a \"aaaa\">]><svg xmlns=\"http://www.w3.org/2000/svg\">&a;</svg>".to_vec(),
            foreign,
        ),
        file("PDF", b"%PDF-1.7\n1 0 obj".to_vec(), foreign),
        file("more than the limit", vec![0; 20_971_521], "image_too_many_bytes"),
    ]
}

/// A PNG's chunk with its checksum.
fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(body) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], kind, body, &(!crc).to_be_bytes()].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = fdeflate::Compressor::new(Vec::new()).unwrap();
    compressor.write_data(bytes).unwrap();
    compressor.finish().unwrap()
}

/// A PNG that declares a size and holds `rows` of compressed data.
fn declared(width: u32, height: u32, rows: &[u8]) -> Vec<u8> {
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&size[..], &[8, 6, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", rows),
        chunk(b"IEND", b""),
    ]
    .concat()
}

fn pngs() -> Vec<Picture> {
    let (large, corrupt, cut) = ("image_too_large", "image_corrupt", "image_truncated");
    let whole = png_bytes(&picture(40, 30));
    let some = zlib(&[0; 100]);
    let flipped = {
        let mut bytes = whole.clone();
        let data = bytes.windows(4).position(|kind| kind == b"IDAT").unwrap();
        bytes[data + 20] ^= 1;
        bytes
    };
    let with = |at: usize, more: &[u8]| [&whole[..at], more, &whole[at..]].concat();
    vec![
        file("PNG's magic alone", whole[..8].to_vec(), cut),
        file("half a PNG", whole[..whole.len() / 2].to_vec(), cut),
        file(
            // Of what follows, sum and end, nothing shows: without that alone a PNG is taken.
            "PNG without the last byte of its data",
            whole[..whole.len() - 17].to_vec(),
            cut,
        ),
        file("60,000 x 60,000", declared(60_000, 60_000, &some), large),
        file("4 billion wide", declared(u32::MAX, u32::MAX, &some), large),
        file("one very long row", declared(20_000, 1, &some), large),
        file("51 megapixels", declared(7_200, 7_200, &some), large),
        file("no pixel", declared(0, 5, &some), "image_too_small"),
        file("fewer rows than declared", declared(40, 30, &some), corrupt),
        file("a flipped bit", flipped, corrupt),
        file(
            "no data",
            [&whole[..33], &chunk(b"IEND", b"")[..]].concat(),
            corrupt,
        ),
        file("two headers", with(33, &whole[8..33]), corrupt),
        file(
            "an unknown critical chunk",
            with(33, &chunk(b"QuAD", b"")),
            corrupt,
        ),
        file(
            "data before the header",
            [&whole[..8], &whole[33..]].concat(),
            corrupt,
        ),
        file(
            "a chunk longer than the file",
            with(33, &[0x7F, 0xFF, 0xFF, 0xFF, b't', b'E', b'X', b't']),
            cut,
        ),
    ]
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let opaque = DynamicImage::from(picture(40, 30)).into_rgb8();
    let mut bytes = Cursor::new(Vec::new());
    if format == ImageFormat::Jpeg {
        opaque
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90))
            .unwrap();
    } else {
        opaque.write_to(&mut bytes, format).unwrap();
    }
    bytes.into_inner()
}

fn jpegs() -> Vec<Picture> {
    let (variant, corrupt, cut) = (
        "image_variant_unsupported",
        "image_corrupt",
        "image_truncated",
    );
    let whole = encoded(ImageFormat::Jpeg);
    let frame = whole
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let scan = whole
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = whole.clone();
        bytes[frame + at..frame + at + with.len()].copy_from_slice(with);
        bytes
    };
    let scans = whole[scan..whole.len() - 2].repeat(1_000);
    vec![
        file("JPEG's magic alone", whole[..3].to_vec(), cut),
        file("half a JPEG", whole[..scan + 40].to_vec(), cut),
        file("65,535 x 65,535", patched(5, &[0xFF; 4]), "image_too_large"),
        file(
            "a JPEG without width",
            patched(7, &[0, 0]),
            "image_too_small",
        ),
        file(
            "a JPEG whose height comes later",
            patched(5, &[0, 0]),
            variant,
        ),
        file("arithmetic coding", patched(1, &[0xC9]), variant),
        file("lossless JPEG", patched(1, &[0xC3]), variant),
        file("12 bits", patched(4, &[12]), variant),
        file("no sampling", patched(11, &[0x05]), corrupt),
        file(
            "no frame",
            [&whole[..frame], &whole[frame + 19..]].concat(),
            corrupt,
        ),
        file("no scan", [&whole[..scan], &[0xFF, 0xD9]].concat(), corrupt),
        file(
            "a thousand scans",
            [&whole[..scan], &scans, &[0xFF, 0xD9]].concat(),
            "image_too_complex",
        ),
    ]
}

fn gifs_and_webps() -> Vec<Picture> {
    let (corrupt, cut) = ("image_corrupt", "image_truncated");
    let gif = encoded(ImageFormat::Gif);
    let webp = {
        let image: RgbaImage = picture(40, 30);
        let mut bytes = Vec::new();
        let encoder = WebPEncoder::new_lossless(&mut bytes);
        image.write_with_encoder(encoder).unwrap();
        bytes
    };
    vec![
        file("GIF's magic alone", gif[..6].to_vec(), cut),
        file("half a GIF", gif[..gif.len() / 2].to_vec(), cut),
        file(
            "a GIF without a frame",
            b"GIF89a\x04\0\x04\0\0\0\0\x3B".to_vec(),
            corrupt,
        ),
        file(
            "a GIF of 65,535 x 65,535",
            b"GIF89a\xFF\xFF\xFF\xFF\0\0\0\x2C\0\0\0\0\xFF\xFF\xFF\xFF\0\x02\0\x3B".to_vec(),
            "image_too_large",
        ),
        file(
            "a GIF with impossible codes",
            b"GIF89a\x04\0\x04\0\0\0\0\x2C\0\0\0\0\x04\0\x04\0\0\xFF\x01\x4C\0\x3B".to_vec(),
            corrupt,
        ),
        file(
            "an unknown block before the frame",
            b"GIF89a\x04\0\x04\0\0\0\0\x99\x3B".to_vec(),
            corrupt,
        ),
        file("WebP's magic alone", webp[..12].to_vec(), cut),
        file("half a WebP", webp[..webp.len() / 2].to_vec(), cut),
        file(
            "a WebP canvas alone",
            b"RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            corrupt,
        ),
    ]
}
