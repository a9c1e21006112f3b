//! What `Content-Encoding` says of a body, and what its bytes say. Buckets keep the header as whoever
//! put the object wrote it, so it often says nothing (`UTF-8`, `base64`, `aws-chunked`) or is untrue.
//! Nothing is inflated: no compressed body was asked for.

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Labels under which a body may be compressed.
const COMPRESSING: [&str; 15] = [
    "gzip",
    "x-gzip",
    "deflate",
    "x-deflate",
    "br",
    "zstd",
    "compress",
    "x-compress",
    "dcb",
    "dcz",
    "bzip2",
    "lz4",
    "lzma",
    "xz",
    "snappy",
];
/// How compressed data begins; no picture does.
const COMPRESSED: [&[u8]; 9] = [
    b"\x1f\x8b",         // gzip
    b"\x1f\x9d",         // compress
    b"\x28\xb5\x2f\xfd", // zstd
    b"\x04\x22\x4d\x18", // lz4
    b"\xfd7zXZ\0",       // xz
    b"BZh",              // bzip2
    b"\x78\x01",         // zlib, which deflate means, at each of its levels
    b"\x78\x9c",
    b"\x78\xda",
];

/// The label of a body that may be compressed, as far as headers can tell. It is one of a fixed list,
/// so it may stand in a sentence.
pub(super) fn compressing_label(headers: &HeaderMap) -> Option<&'static str> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let mut labels = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    labels.find_map(|label| {
        let mut known = COMPRESSING.into_iter();
        known.find(|known| known.eq_ignore_ascii_case(label.trim()))
    })
}

/// Whether a body begins as compressed data.
pub(super) fn is_compressed(body: &[u8]) -> bool {
    COMPRESSED.iter().any(|begins| body.starts_with(begins))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn only_labels_of_compressions_count() {
        let label = |value: &'static [u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            compressing_label(&HeaderMap::from_iter([(CONTENT_ENCODING, value)]))
        };
        for nothing in [
            &b""[..],
            b"identity",
            b"UTF-8",
            b"utf8",
            b"base64",
            b"aws-chunked",
            b"none",
            b"binary",
            b"image/png",
            b"\xc3\xa9",
            b"gzip-or-not",
        ] {
            assert_eq!(label(nothing), None, "{nothing:?}");
        }
        assert_eq!(label(b"GZIP"), Some("gzip"));
        assert_eq!(label(b"aws-chunked, br"), Some("br"));
    }

    #[test]
    fn no_picture_begins_as_compressed_data_does() {
        for begins in [
            &b"\x89PNG\r\n\x1a\n"[..],
            b"\xff\xd8\xff",
            b"RIFF",
            b"GIF8",
            b"\0\0\0\x18ftyp",
            b"BM",
            b"",
        ] {
            assert!(!is_compressed(begins), "{begins:?}");
        }
    }
}
