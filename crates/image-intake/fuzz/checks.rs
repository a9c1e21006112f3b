//! What must hold of any bytes that come as a picture, or as base64 of one. Compiled for tests,
//! which run it over the seeds kept in `crates/lamina/fuzz`, and for the fuzz targets, which look for bytes
//! that break it. It judges by short readers of its own, never by the code that it checks.

use bytes::Bytes;

use super::{
    ImageError, LayerMeasures, Limits, MediaType, decode_base64, decode_layer, decode_rgba,
    foreign_format, header, inspect_layer, inspect_stack, normalise, normalised_already,
};

const LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    max_side: 16_384,
    max_pixels: 1 << 17,
    min_side: 1,
};

/// Any file: no panic, and what is accepted is bare, stays as it is and decodes the same.
pub fn picture(file: &[u8]) {
    examined(file);
    let mut hostile = file.to_vec();
    with_right_checksums(&mut hostile);
    if hostile != file {
        examined(&hostile);
    }
}

/// Any file that says it is a JPEG: the walk of its blocks, libjpeg-turbo, colours and what is stored.
pub fn jpeg(file: &[u8]) {
    picture(&begun_with(b"\xFF\xD8\xFF", file));
}

/// Any file that says it is a PNG, and the same with its compressed data taken as the rows themselves, since what is changed
/// in a compressed stream seldom means anything.
pub fn png(file: &[u8]) {
    let file = begun_with(SIGNATURE, file);
    picture(&file);
    picture(&with_plain_rows(&file));
}

/// Any file that says it is a WebP.
pub fn webp(file: &[u8]) {
    let mut file = begun_with(b"RIFF", file);
    if let Some(kind) = file.get_mut(8..12) {
        kind.copy_from_slice(b"WEBP");
    }
    picture(&file);
    // A length of all that does not fit would stop most of what grows or shrinks.
    if let Some(length) = file.len().checked_sub(8)
        && let Ok(length) = u32::try_from(length)
    {
        file[4..8].copy_from_slice(&length.to_le_bytes());
        picture(&file);
    }
}

/// Any file that says it is a GIF.
pub fn gif(file: &[u8]) {
    picture(&begun_with(b"GIF89a", file));
}

/// The file with these first bytes, so that no change to them is wasted on telling what it is.
fn begun_with(magic: &[u8], file: &[u8]) -> Vec<u8> {
    let rest = file.get(magic.len()..).unwrap_or_default();
    [magic, rest].concat()
}

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Puts the bytes of all IDAT chunks, over and over to 16 kB, as rows into stored blocks of one.
fn with_plain_rows(file: &[u8]) -> Vec<u8> {
    const ROWS: usize = 16 * 1024;
    let (mut before, mut rows, mut behind) = (SIGNATURE.to_vec(), Vec::new(), Vec::new());
    let mut rest = &file[SIGNATURE.len()..];
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(chunk) = rest.get(..length + 12) else {
            break;
        };
        match &tail[..4] {
            b"IDAT" => rows.extend_from_slice(&tail[4..4 + length]),
            _ if rows.is_empty() => before.extend_from_slice(chunk),
            _ => behind.extend_from_slice(chunk),
        }
        rest = &rest[length + 12..];
    }
    let rows: Vec<u8> = rows.iter().copied().cycle().take(ROWS).collect();
    let data = fdeflate::compress_to_vec(&rows);
    let length = u32::try_from(data.len())
        .expect("it is short")
        .to_be_bytes();
    [&before[..], &length, b"IDAT", &data, &[0; 4], &behind].concat()
}

fn examined(file: &[u8]) {
    let _ = foreign_format(file);
    let header = header(file, &LIMITS);
    let layer = inspect_layer(file, &LIMITS);
    // What is told of a layer without its pixels is what its pixels tell.
    assert_eq!(
        layer,
        decode_layer(file, &LIMITS).map(|(measures, _)| measures)
    );
    beside_others(file, &layer);
    let direct = decode_rgba(file, &LIMITS);
    let given = Bytes::copy_from_slice(file);
    // What is told without pixels is what the decoders tell.
    let already = normalised_already(&given, &LIMITS, u64::MAX);
    match normalise(&given, &LIMITS) {
        Ok(once) => {
            assert!(already.is_none_or(|already| already == once));
            assert!(header.is_ok());
            assert_eq!(once.changed, once.bytes != given);
            assert_bare(once.format, &once.bytes);
            let twice = normalise(&once.bytes, &LIMITS).expect("what is stored is accepted");
            assert!(!twice.changed, "normalising twice changed something");
            let kept = decode_rgba(&once.bytes, &LIMITS).expect("what is stored decodes");
            assert_eq!((kept.width(), kept.height()), (once.width, once.height));
            assert_eq!(Ok(kept), direct);
        }
        Err(error) => {
            assert!(layer.is_err() && direct.is_err() && already.is_none());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// What is told of a layer in a stack, twice here, is what is told of it alone.
fn beside_others(file: &[u8], alone: &Result<LayerMeasures, ImageError>) {
    let Ok(picture) = decode_rgba(file, &LIMITS) else {
        return;
    };
    if let Some((measures, _)) = inspect_stack(&picture, &[file, file], &LIMITS, u64::MAX) {
        assert!(measures.iter().all(|one| Ok(one) == alone.as_ref()));
    }
}

/// PNG's checksums would stop nearly every mutation at the door; a hostile file has right ones.
pub(crate) fn with_right_checksums(file: &mut [u8]) {
    if !file.starts_with(SIGNATURE) {
        return;
    }
    let mut at = 8;
    while let Some(length) = file.get(at..).and_then(|rest| rest.first_chunk()) {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(sum) = file.get(at + 4..).and_then(|rest| rest.get(..length + 4)) else {
            return;
        };
        let sum = crc(sum).to_be_bytes();
        let Some(place) = file.get_mut(at + 8 + length..at + 12 + length) else {
            return;
        };
        place.copy_from_slice(&sum);
        at += 12 + length;
    }
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

/// The file holds what shows its picture and no room for anything else: no unknown part, none
/// that is longer than it has to be, nothing behind the end.
fn assert_bare(format: MediaType, file: &[u8]) {
    match format {
        MediaType::Png => assert_bare_png(&file[8..]),
        MediaType::Jpeg => assert_bare_jpeg(file),
        MediaType::WebP => assert_bare_webp(file),
        MediaType::Gif => panic!("a GIF was stored"),
    }
}

fn assert_bare_png(mut rest: &[u8]) {
    let mut seen = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let kind = String::from_utf8_lossy(&tail[..4]).into_owned();
        let most = match &*kind {
            "IHDR" => 13,
            "sRGB" => 1,
            "PLTE" => 768,
            "tRNS" => 256,
            "IEND" => 0,
            "IDAT" => usize::MAX,
            _ => panic!("a {kind} chunk was stored"),
        };
        assert!(
            length <= most,
            "a {kind} chunk of {length} bytes was stored"
        );
        assert!(kind == "IDAT" || !seen.contains(&kind), "two {kind} chunks");
        seen.push(kind);
        rest = &tail[4 + length + 4..];
    }
    assert!(rest.is_empty() && seen.last().is_some_and(|kind| kind == "IEND"));
}

fn assert_bare_jpeg(file: &[u8]) {
    let mut at = 2;
    loop {
        assert_eq!(file[at], 0xFF, "bytes between two segments were stored");
        let marker = file[at + 1];
        if marker == 0xD9 {
            return assert_eq!(at + 2, file.len(), "bytes behind the end were stored");
        }
        let length = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        let body = &file[at + 4..at + 2 + length];
        match marker {
            0xC0..=0xC2 | 0xC4 | 0xDA | 0xDB | 0xDD => {}
            0xE0 => assert!(body.starts_with(b"JFIF\0") && body.len() == 14),
            0xEE => assert!(body.starts_with(b"Adobe") && body.len() == 12),
            _ => panic!("a segment {marker:02x} was stored"),
        }
        at += 2 + length;
        if marker == 0xDA {
            while file[at] != 0xFF || matches!(file[at + 1], 0 | 0xD0..=0xD7 | 0xFF) {
                at += 1;
            }
        }
    }
}

fn assert_bare_webp(file: &[u8]) {
    let (mut rest, mut seen) = (&file[12..], Vec::new());
    while let Some((kind, tail)) = rest.split_first_chunk::<4>() {
        let (length, tail) = tail.split_first_chunk().expect("a chunk has a length");
        let length = u32::from_le_bytes(*length) as usize;
        match kind {
            b"VP8X" => {
                assert_eq!(length, 10, "a VP8X chunk of {length} bytes was stored");
                assert_eq!(tail[0] & !0x10, 0, "flags of what was left out were stored");
            }
            // Alpha of its own belongs to a lossy picture; beside a lossless one nothing reads it.
            b"VP8L" => assert!(!seen.contains(b"ALPH"), "an ALPH chunk was stored in vain"),
            b"VP8 " | b"ALPH" => {}
            _ => panic!("a {} chunk was stored", String::from_utf8_lossy(kind)),
        }
        assert!(!seen.contains(kind), "two chunks of one kind were stored");
        seen.push(*kind);
        rest = &tail[(length + (length & 1)).min(tail.len())..];
    }
    assert!(rest.is_empty());
}

/// Two bytes of choices, then text to read, or bytes to be spelled in one of many ways.
///
/// Text gives what a slow reader of its own finds in it, or nothing; bytes come back whatever
/// their spelling. Neither gives more than the limit.
pub fn base64(input: &[u8]) {
    let Some(([choice, limit], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    if choice & 1 == 0 {
        return read(&String::from_utf8_lossy(rest), u64::from(*limit) * 4);
    }
    if !rest.is_empty() {
        let (text, length) = (spelled(rest, *choice, *limit), rest.len() as u64);
        assert_eq!(decode_base64(&text, length), Ok(rest.to_vec()), "{text}");
        let max_bytes = length - 1;
        let refused = Err(ImageError::TooManyBytes { max_bytes });
        assert_eq!(decode_base64(&text, max_bytes), refused, "{text}");
    }
}

fn read(text: &str, max: u64) {
    let plain = plainly(text);
    let size = plain.as_ref().map(|bytes| bytes.len() as u64);
    match decode_base64(text, max) {
        Ok(bytes) => {
            assert!(bytes.len() as u64 <= max);
            assert_eq!(Some(bytes), plain, "{text:?}");
        }
        Err(ImageError::TooManyBytes { .. }) => assert!(size.is_none_or(|size| size > max)),
        Err(_) => assert!(size.is_none_or(|size| size == 0), "{text:?} was refused"),
    }
}

/// Base64 letter by letter: escapes resolved, white space dropped, both alphabets, padding that is
/// missing but never too much of it, no bits left over.
fn plainly(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let payload = if text.to_ascii_lowercase().starts_with("data:") {
        let (head, payload) = text.split_once(',')?;
        let last = head.split(';').next_back()?.trim();
        last.eq_ignore_ascii_case("base64").then_some(payload)?
    } else {
        text
    };
    let (mut bits, mut held, mut padding, mut bytes) = (0_u32, 0, 0, Vec::new());
    let mut letters = payload.bytes();
    while let Some(letter) = letters.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (letter, escaped) = match letter {
            b'%' => (
                (digit(letters.next())? * 16 + digit(letters.next())?) as u8,
                true,
            ),
            letter => (letter, false),
        };
        let value = match letter {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0C => continue,
            b'=' => {
                padding += 1;
                continue;
            }
            _ if padding > 0 => return None,
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            // Nobody escapes the letters that the second alphabet has so as not to be escaped.
            b'-' if !escaped => 62,
            b'_' if !escaped => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // Six bits over are a letter too many; fewer belong to padding, two for each.
    (bits == 0 && held < 6 && padding <= held / 2).then_some(bytes)
}

fn spelled(bytes: &[u8], choice: u8, limit: u8) -> String {
    let alphabet: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    if choice & 2 > 0 {
        text.push_str(" \n");
    }
    if choice & 4 > 0 {
        text.push_str("data:image/png;name=a;base64,");
    }
    let mut put = |letter: char, at: usize| {
        match letter {
            '+' if choice & 8 > 0 => text.push('-'),
            '/' if choice & 8 > 0 => text.push('_'),
            '+' | '/' | '=' if choice & 16 > 0 => {
                text.push_str(&format!("%{:02x}", letter as u32));
            }
            letter => text.push(letter),
        }
        if choice & 32 > 0 && at.is_multiple_of(1 + usize::from(limit)) {
            text.push_str("\r\n");
        }
    };
    let mut at = 0;
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let letter = alphabet[(word >> (18 - 6 * place) & 63) as usize];
            put(char::from(letter), at);
            at += 1;
        }
        if choice & 64 == 0 {
            (three.len()..3).for_each(|_| put('=', at));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    fn seeds(target: &str, check: fn(&[u8])) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lamina/fuzz/seeds/");
        let files = std::fs::read_dir(format!("{folder}{target}")).unwrap();
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            check(&std::fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 2, "{target} has {count} seeds");
    }

    #[test]
    fn the_seeds_of_the_picture_target_hold() {
        seeds("pictures", super::picture);
    }

    #[test]
    fn the_seeds_of_the_decoders_targets_hold() {
        seeds("jpeg", super::jpeg);
        seeds("png", super::png);
        seeds("webp", super::webp);
        seeds("gif", super::gif);
    }

    #[test]
    fn the_seeds_of_the_base64_target_hold() {
        seeds("base64", super::base64);
    }
}
