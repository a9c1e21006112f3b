//! Files of a few bytes that ask for much work or memory, each beside one of the kind that an honest writer makes. What is
//! bounded is counted in blocks, tables and pixels, so no test looks at a clock.

use super::samples::*;
use crate::{Header, ImageError, Limits, decode_rgba, header, normalise};

/// One scan: components, first and last coefficient, high and low bit.
type Script = (&'static [u8], u8, u8, u8, u8);

/// A JPEG of mid grey with these scans, each over `data`. Every mean is nothing and every other scan is one run of empty
/// blocks: a bit, and fourteen for its length.
fn scripted(
    side: u16,
    components: u8,
    scans: &[Script],
    data: impl Fn(&Script) -> Vec<u8>,
) -> Vec<u8> {
    let mut frame = vec![8, 0, 0, 0, 0, components];
    frame[1..3].copy_from_slice(&side.to_be_bytes());
    frame[3..5].copy_from_slice(&side.to_be_bytes());
    for id in 1..=components {
        frame.extend_from_slice(&[id, 0x11, 0]);
    }
    let mut file = b"\xFF\xD8".to_vec();
    file.extend(segment(0xDB, &[&[0][..], &[1; 64]].concat()));
    file.extend(segment(0xC2, &frame));
    for (class, symbol) in [(0x00, 0x00), (0x10, 0xE0)] {
        let mut table = vec![class, 1];
        table.resize(17, 0);
        table.push(symbol);
        file.extend(segment(0xC4, &table));
    }
    for scan in scans {
        let (parts, first, last, high, low) = *scan;
        let mut head = vec![parts.len() as u8];
        parts
            .iter()
            .for_each(|id| head.extend_from_slice(&[*id, 0]));
        head.extend_from_slice(&[first, last, high << 4 | low]);
        file.extend(segment(0xDA, &head));
        file.extend(data(scan));
    }
    file.extend_from_slice(b"\xFF\xD9");
    file
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker], length.as_slice(), body].concat()
}

/// The data of one scan of 64 × 64 pixels of one component.
fn of_64_blocks(scan: &Script) -> Vec<u8> {
    match scan.1 {
        0 => vec![0; 8],
        _ => vec![0x00, 0x01],
    }
}

/// So many scans: every coefficient on its own but for its last bit, then the last bits, then those again.
fn bit_by_bit(count: usize) -> Vec<Script> {
    let first = (0..64).map(|k| (&[1][..], k, k, 0, 1));
    let last = (0..64).map(|k| (&[1][..], k, k, 1, 0));
    first.chain(last.cycle()).take(count).collect()
}

fn refusal(file: &[u8]) -> ImageError {
    let limits = Limits::default();
    let refused = normalise(&file.to_vec().into(), &limits).unwrap_err();
    assert_eq!(
        header(file, &limits),
        Err(refused.clone()),
        "before its turn comes"
    );
    assert_eq!(decode_rgba(file, &limits), Err(refused.clone()));
    refused
}

#[test]
fn as_many_scans_are_taken_as_browsers_take_and_more_are_refused_by_name() {
    for count in [1, 64, 65, 100] {
        let file = scripted(64, 1, &bit_by_bit(count), of_64_blocks);
        assert_eq!(seen(file), flat(64, 64, [128, 128, 128, 255]), "{count}");
    }
    for count in [101, 500, 501, 10_000] {
        let error = refusal(&scripted(64, 1, &bit_by_bit(count), of_64_blocks));
        assert_eq!(error.code(), "image_too_complex", "{count}");
        let sentence = error.to_string();
        assert!(
            sentence.contains("100 scans") && sentence.contains("save it"),
            "{sentence}"
        );
    }
    // Plain scans, again and again: each would be a whole picture.
    let plain = jpeg(&gradient(16, 16));
    let at = plain
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let scan = &plain[at..plain.len() - 2];
    let again = |times: usize| [&plain[..at], &scan.repeat(times), &[0xFF, 0xD9]].concat();
    assert_eq!(seen(again(100)), seen(plain.clone()));
    assert_eq!(refusal(&again(101)).code(), "image_too_complex");
}

/// libjpeg's own script for one component, three and more (`jpeg_simple_progression`).
fn usual(components: u8) -> Vec<Script> {
    const ALL: [&[u8]; 5] = [&[], &[1], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4]];
    const ONE: [&[u8]; 4] = [&[1], &[2], &[3], &[4]];
    let all = ALL[usize::from(components)];
    let one = || ONE[..usize::from(components)].iter();
    let mut scans = vec![(all, 0, 0, 0, 1)];
    scans.extend(one().map(|id| (*id, 1, 5, 0, 2)));
    scans.extend(one().map(|id| (*id, 6, 63, 0, 2)));
    scans.extend(one().map(|id| (*id, 1, 63, 2, 1)));
    scans.push((all, 0, 0, 1, 0));
    scans.extend(one().map(|id| (*id, 1, 63, 1, 0)));
    scans
}

/// Limits that memory is no part of.
const ROOMY: Limits = Limits {
    max_bytes: 20 << 20,
    max_side: 16_384,
    max_pixels: 250_000_000,
    min_side: 1,
};

/// The header of a picture of the largest default size, with enough data for a bit a block.
fn largest(components: u8, scans: &[Script]) -> Result<Header, ImageError> {
    let bits = vec![0x55; 884 * 884 * usize::from(components) / 8 + 1];
    let file = scripted(7_071, components, scans, |scan| match scan.1 {
        0 => bits.clone(),
        _ => vec![0x00, 0x01],
    });
    header(&file, &ROOMY)
}

#[test]
fn the_largest_photos_of_every_encoder_are_no_trouble() {
    for components in [1, 3, 4] {
        let header = largest(components, &usual(components)).unwrap();
        assert_eq!((header.width, header.height), (7_071, 7_071));
    }
}

#[test]
fn a_few_bytes_that_go_over_a_large_picture_again_and_again_are_refused() {
    // 884 × 884 blocks, forty times and once more.
    let again = |count: usize| {
        let mut scans: Vec<Script> = vec![(&[1], 0, 0, 0, 0), (&[1], 1, 63, 0, 13)];
        scans.extend((0..13).rev().map(|low| (&[1][..], 1, 63, low + 1, low)));
        scans.extend((0..).map(|_| (&[1][..], 1, 63, 1, 0)).take(count - 15));
        scans
    };
    assert!(largest(1, &again(40)).is_ok());
    let error = largest(1, &again(41)).unwrap_err();
    assert_eq!(error.code(), "image_too_complex");
    assert!(error.to_string().contains("more often"), "{error}");
    // That it is too large, if it is, is said first.
    let file = scripted(65_500, 1, &again(90), of_64_blocks);
    assert_eq!(refusal(&file).code(), "image_too_large");
    // And what has too little data even for its means is cut.
    let file = scripted(4_000, 1, &again(15), of_64_blocks);
    assert_eq!(refusal(&file).code(), "image_truncated");
}

#[test]
fn restart_intervals_of_any_length_are_taken() {
    let script: [Script; 2] = [(&[1], 0, 0, 0, 0), (&[1], 1, 63, 0, 0)];
    let plain = scripted(64, 1, &script, of_64_blocks);
    let frame = plain
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC2])
        .unwrap();
    for interval in [64_u16, 65, 4_096, 65_535] {
        let file = spliced(&plain, frame, &segment(0xDD, &interval.to_be_bytes()));
        assert_eq!(seen(file), flat(64, 64, [128, 128, 128, 255]), "{interval}");
    }
}

#[test]
fn segments_that_only_fill_memory_are_refused_and_those_that_are_left_out_are_not() {
    let plain = jpeg(&gradient(16, 16));
    let table = [&[0x03][..], &[0; 16]].concat();
    let kept = [
        ("intervals", segment(0xDD, &[0, 0])),
        ("Huffman tables", segment(0xC4, &table)),
        ("many in one segment", segment(0xC4, &table.repeat(1_000))),
        (
            "quantisation tables",
            segment(0xDB, &[&[3][..], &[1; 64]].concat()),
        ),
    ];
    for (name, one) in kept {
        let count = if one.len() > 1_000 { 100 } else { 100_000 };
        let file = spliced(&plain, 2, &one.repeat(count));
        assert_eq!(refusal(&file).code(), "image_too_complex", "{name}");
        // Behind the picture too, and a few of them are nothing.
        let file = spliced(&plain, plain.len() - 2, &one.repeat(count));
        assert_eq!(refusal(&file).code(), "image_too_complex", "{name}");
        assert_eq!(
            seen(spliced(&plain, 2, &one.repeat(4))),
            seen(plain.clone()),
            "{name}"
        );
    }
    for (name, one) in [
        ("comments", segment(0xFE, b"")),
        (
            "Exif that says nothing",
            segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
        ),
        (
            "pieces of a profile",
            segment(0xE2, b"ICC_PROFILE\0\x01\x01x"),
        ),
        ("Adobe's mark", segment(0xEE, b"Adobe\0\x64\0\0\0\0\x01")),
    ] {
        let file = spliced(&plain, 2, &one.repeat(100_000));
        assert_eq!(seen(file), seen(plain.clone()), "{name}");
    }
}

#[test]
fn a_png_in_a_hundred_thousand_chunks_is_the_same_picture() {
    let noise: Vec<u8> = (0_u32..200 * 200 * 3)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let plain = raw_png(
        (200, 200),
        png::ColorType::Rgb,
        png::BitDepth::Eight,
        None,
        &noise,
    );
    let idat = plain.windows(4).position(|kind| kind == b"IDAT").unwrap() - 4;
    let end = plain.len() - 12;
    let data = zlib(
        &noise
            .chunks(600)
            .flat_map(|row| [&[0][..], row].concat())
            .collect::<Vec<_>>(),
    );
    assert!(data.len() > 100_000, "{}", data.len());
    let bytes: Vec<u8> = data
        .iter()
        .flat_map(|byte| chunk(b"IDAT", &[*byte]))
        .collect();
    let text = chunk(b"tEXt", b"a\0b").repeat(100_000);
    let empty = chunk(b"IDAT", b"").repeat(100_000);
    let frames = [chunk(b"fcTL", &[0; 26]), chunk(b"fdAT", &[0; 8])]
        .concat()
        .repeat(50_000);
    for (name, file) in [
        (
            "a byte in each",
            [&plain[..idat], &bytes, &plain[end..]].concat(),
        ),
        ("empty ones", spliced(&plain, idat, &empty)),
        ("empty ones behind", spliced(&plain, end, &empty)),
        ("text", spliced(&plain, 33, &text)),
        ("frames of an animation", spliced(&plain, end, &frames)),
    ] {
        assert_eq!(seen(file), seen(plain.clone()), "{name}");
    }
}

#[test]
fn animations_of_a_hundred_thousand_frames_cost_what_their_first_does() {
    let frame = b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let head = b"GIF89a\x01\0\x01\0\x80\0\0\xC8\x28\x28\0\0\0";
    let gif = |frames: usize| [&head[..], &frame.repeat(frames), &[0x3B]].concat();
    assert_eq!(seen(gif(100_000)), flat(1, 1, [200, 40, 40, 255]));

    let picture = flat(4, 4, [40, 160, 60, 255]);
    let still = webp(&picture);
    let part = [&[0; 6][..], &[3, 0, 0, 3, 0, 0, 40, 0, 0, 0], &still[12..]].concat();
    let frames = riff_chunk(b"ANMF", &part).repeat(50_000);
    let animated = |canvas: (u32, u32)| {
        let body = [riff_chunk(b"ANIM", &[0; 6]), frames.clone()].concat();
        let file = extended_webp(&still[..12], canvas, 0x12, &[body]);
        assert!(file.len() < 20 << 20, "{}", file.len());
        file
    };
    assert_eq!(seen(animated((4, 4))), picture);
    // A canvas is what its pixels weigh, however small its frames.
    let header = header(&animated((7_000, 7_000)), &ROOMY).unwrap();
    assert!(header.width == 7_000 && header.cost_megapixels >= 49);
    // Its picture may not be larger than the frame that was held against the canvas, nor lie beside it.
    let one = |frame: [u8; 12], picture: &[u8]| {
        let part = [&frame[..], &[40, 0, 0, 0], picture].concat();
        let body = [riff_chunk(b"ANIM", &[0; 6]), riff_chunk(b"ANMF", &part)].concat();
        extended_webp(&still[..12], (4, 4), 0x12, &[body])
    };
    let mut huge = still[12..].to_vec();
    huge[9..13].copy_from_slice(&0x0FFF_FFFF_u32.to_le_bytes());
    for (frame, picture, reason) in [
        (
            [0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0],
            &huge[..],
            "differ in size",
        ),
        (
            [0, 0, 0, 0, 0, 0, 1, 0, 0, 3, 0, 0],
            &still[12..],
            "differ in size",
        ),
        (
            [0, 0, 0, 0, 0, 0, 3, 1, 0, 3, 0, 0],
            &still[12..],
            "outside",
        ),
        (
            [1, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0],
            &still[12..],
            "outside",
        ),
        (
            [0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0],
            b"",
            "holds no picture",
        ),
    ] {
        let refused = refusal(&one(frame, picture));
        assert_eq!(refused.code(), "image_corrupt");
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    let refused = refusal(&animated((16_383, 16_383)));
    assert_eq!(refused.code(), "image_too_large");
}
