//! Files that the tests are made of: encoded here where an encoder can, spliced where it cannot.

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, Frame};

use crate::{Limits, Normalised, RgbaImage, decode_rgba, encode_png, normalise};

pub(super) const SECRET: &[u8] = b"SECRET-4711";

/// A file under `testdata/`.
pub(super) fn file(path: &str) -> Bytes {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    std::fs::read(root.join(path)).unwrap().into()
}

/// Every pixel differs from its neighbours, and so do all four corners.
pub(super) fn gradient(width: u32, height: u32) -> RgbaImage {
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            [
                (x * 7 % 256) as u8,
                (y * 11 % 256) as u8,
                ((x + y) * 3) as u8,
                255,
            ]
        })
        .collect();
    RgbaImage::new(width, height, pixels).unwrap()
}

/// One colour all over.
pub(super) fn flat(width: u32, height: u32, colour: [u8; 4]) -> RgbaImage {
    let pixels = colour.repeat((width * height) as usize);
    RgbaImage::new(width, height, pixels).unwrap()
}

pub(super) fn pixel(image: &RgbaImage, x: u32, y: u32) -> [u8; 4] {
    let at = ((y * image.width() + x) * 4) as usize;
    image.pixels()[at..at + 4].try_into().unwrap()
}

/// The largest difference of any channel of any pixel.
pub(super) fn worst(a: &RgbaImage, b: &RgbaImage) -> u8 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let pairs = a.pixels().iter().zip(b.pixels());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

pub(super) fn normal(bytes: impl Into<Bytes>) -> Normalised {
    normalise(&bytes.into(), &Limits::default()).unwrap()
}

/// What is seen of a file, after normalising it.
pub(super) fn seen(bytes: impl Into<Bytes>) -> RgbaImage {
    let normal = normal(bytes);
    let image = decode_rgba(&normal.bytes, &Limits::default()).unwrap();
    assert_eq!(
        (normal.width, normal.height),
        (image.width(), image.height())
    );
    image
}

pub(super) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

pub(super) fn png(image: &RgbaImage) -> Vec<u8> {
    encode_png(image)
}

/// A PNG of raw samples.
pub(super) fn raw_png(
    (width, height): (u32, u32),
    colour: png::ColorType,
    depth: png::BitDepth,
    palette: Option<(&[u8], &[u8])>,
    samples: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some((palette, transparency)) = palette {
        encoder.set_palette(palette);
        encoder.set_trns(transparency);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

/// A PNG chunk with its checksum.
pub(super) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(body) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    let mut chunk = (body.len() as u32).to_be_bytes().to_vec();
    chunk.extend_from_slice(kind);
    chunk.extend_from_slice(body);
    chunk.extend_from_slice(&(!crc).to_be_bytes());
    chunk
}

/// The PNG with a chunk put right behind its IHDR.
pub(super) fn with_chunk(png: &[u8], kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    spliced(png, 33, &chunk(kind, body))
}

pub(super) fn spliced(file: &[u8], at: usize, inserted: &[u8]) -> Vec<u8> {
    [&file[..at], inserted, &file[at..]].concat()
}

/// An iCCP chunk's body around a profile.
pub(super) fn iccp(profile: &[u8]) -> Vec<u8> {
    [b"test\0\0".as_slice(), &zlib(profile)].concat()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = fdeflate::Compressor::new(Vec::new()).unwrap();
    compressor.write_data(bytes).unwrap();
    compressor.finish().unwrap()
}

pub(super) fn jpeg(image: &RgbaImage) -> Vec<u8> {
    let rgb: Vec<u8> = image
        .pixels()
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|[red, green, blue, _]| [*red, *green, *blue])
        .collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 95)
        .encode(&rgb, image.width(), image.height(), ExtendedColorType::Rgb8)
        .unwrap();
    file
}

/// The JPEG with a segment put right behind its start marker.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    let segment = [&[0xFF, marker], length.as_slice(), body].concat();
    spliced(jpeg, 2, &segment)
}

pub(super) fn webp(image: &RgbaImage) -> Vec<u8> {
    let mut file = Vec::new();
    WebPEncoder::new_lossless(&mut file)
        .encode(
            image.pixels(),
            image.width(),
            image.height(),
            ExtendedColorType::Rgba8,
        )
        .unwrap();
    file
}

/// A RIFF chunk with its padding.
pub(super) fn riff_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = kind.to_vec();
    chunk.extend_from_slice(&(body.len() as u32).to_le_bytes());
    chunk.extend_from_slice(body);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// An extended WebP around the chunk of a simple one, with more chunks behind it.
pub(super) fn extended_webp(
    simple: &[u8],
    size: (u32, u32),
    flags: u8,
    more: &[Vec<u8>],
) -> Vec<u8> {
    let mut vp8x = vec![flags, 0, 0, 0];
    vp8x.extend_from_slice(&(size.0 - 1).to_le_bytes()[..3]);
    vp8x.extend_from_slice(&(size.1 - 1).to_le_bytes()[..3]);
    let body = [
        b"WEBP".to_vec(),
        riff_chunk(b"VP8X", &vp8x),
        simple[12..].to_vec(),
        more.concat(),
    ]
    .concat();
    riff_chunk(b"RIFF", &body)
}

pub(super) fn gif(frames: &[RgbaImage]) -> Vec<u8> {
    let mut file = Vec::new();
    let frames = frames.iter().map(|image| {
        let pixels = image.pixels().to_vec();
        Frame::new(image::RgbaImage::from_raw(image.width(), image.height(), pixels).unwrap())
    });
    GifEncoder::new(&mut file).encode_frames(frames).unwrap();
    file
}

/// A TIFF block with the orientation tag alone, in either byte order.
pub(super) fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let mut block = Cursor::new(Vec::new());
    let mut put = |value: u32, bytes: usize| {
        use std::io::Write as _;
        let field = if big_endian {
            value.to_be_bytes()[4 - bytes..].to_vec()
        } else {
            value.to_le_bytes()[..bytes].to_vec()
        };
        block.write_all(&field).unwrap();
    };
    put(if big_endian { 0x4D4D } else { 0x4949 }, 2);
    for (value, bytes) in [(42, 2), (8, 4), (1, 2), (0x0112, 2), (3, 2), (1, 4)] {
        put(value, bytes);
    }
    put(u32::from(orientation), 2);
    put(0, 2);
    put(0, 4);
    block.into_inner()
}

/// The body of a JPEG's Exif segment.
pub(super) fn exif_segment(orientation: u16, big_endian: bool) -> Vec<u8> {
    [b"Exif\0\0".as_slice(), &exif(orientation, big_endian)].concat()
}
