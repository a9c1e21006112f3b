//! Bodies of requests that are compressed for the wire (`Content-Encoding`). gzip and deflate are
//! inflated while they come in, so every bound on a body counts what comes out; what cannot be
//! inflated is refused by name. The label alone decides nothing: a body that carries one and is as it
//! should be is taken as it is, as an app's library may set the header and forget the work.
//!
//! Parts of resumable uploads are not inflated: their offsets count bytes of the file.

use std::io;
use std::pin::Pin;

use async_compression::tokio::bufread::{DeflateDecoder, GzipDecoder, ZlibDecoder};
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::http::answer::error::ApiError;
use crate::http::receive::damage::Damaged;

/// What is understood, as `Accept-Encoding` lists it (RFC 9110, 12.5.3).
pub(in crate::http) const ACCEPTED: &str = "gzip, deflate";
/// Labels under which a body really is something else than it should be. The registered codings
/// (RFC 9110, 8.4.1, and IANA's list) and those that clients use besides.
const COMPRESSED: [&str; 17] = [
    "br",
    "zstd",
    "compress",
    "x-compress",
    "dcb",
    "dcz",
    "exi",
    "pack200-gzip",
    "aes128gcm",
    "bzip2",
    "x-bzip2",
    "lz4",
    "lzma",
    "xz",
    "snappy",
    "x-snappy-framed",
    "zip",
];
/// How many layers of compression are taken off.
const MAX_CODINGS: usize = 2;

/// Bytes that are inflated at once.
const CHUNK: usize = 64 << 10;

/// A coding that is inflated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

/// Inflates the body of a request on its way to the handler.
pub(in crate::http) async fn inflate(request: Request, next: Next) -> Result<Response, ApiError> {
    let codings = codings(request.headers())?;
    if codings.is_empty() {
        return Ok(next.run(request).await);
    }
    let (mut parts, mut body) = request.into_parts();
    parts.headers.remove(CONTENT_ENCODING);
    // The length on the wire says nothing of what comes out.
    parts.headers.remove(CONTENT_LENGTH);
    for coding in codings.into_iter().rev() {
        body = inflated(body, coding);
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Refuses every coding, for bodies of which each byte has a number.
pub(in crate::http) async fn refuse(request: Request, next: Next) -> Result<Response, ApiError> {
    match codings(request.headers())?.first() {
        None => Ok(next.run(request).await),
        Some(coding) => Err(ApiError::ContentEncodingUnsupported {
            coding: match coding {
                Coding::Gzip => "gzip".to_owned(),
                Coding::Deflate => "deflate".to_owned(),
            },
            accepted: "",
        }),
    }
}

/// The codings of a body, in the order in which they were applied. Labels that say nothing of it
/// (`identity`, `utf-8`, `base64` and whatever else buckets and libraries write there) are left out.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, ApiError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for label in value.split(',').map(str::trim) {
            match label {
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" | "x-deflate" => codings.push(Coding::Deflate),
                label if COMPRESSED.contains(&label) => return Err(unsupported(label)),
                _ => {}
            }
        }
    }
    if codings.len() > MAX_CODINGS {
        return Err(unsupported("gzip more than twice"));
    }
    Ok(codings)
}

fn unsupported(coding: &str) -> ApiError {
    ApiError::ContentEncodingUnsupported {
        coding: coding.to_owned(),
        accepted: ACCEPTED,
    }
}

/// The body without `coding`. Nothing is read before the handler reads, under its own limits.
fn inflated(body: Body, coding: Coding) -> Body {
    let chunks = body.into_data_stream().map_err(io::Error::other);
    let whole = futures_util::stream::once(async move {
        let mut reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(StreamReader::new(chunks));
        let begins = reader.fill_buf().await?;
        let plain: Pin<Box<dyn AsyncRead + Send>> = match coding {
            Coding::Gzip if begins.first() == Some(&0x1f) => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Coding::Deflate if is_zlib(begins) => Box::pin(ZlibDecoder::new(reader)),
            Coding::Deflate if !is_plain(begins) => Box::pin(DeflateDecoder::new(reader)),
            Coding::Gzip | Coding::Deflate => Box::pin(reader),
        };
        Ok::<_, io::Error>(ReaderStream::with_capacity(plain, CHUNK))
    });
    let whole = whole.try_flatten().map(|chunk| chunk.map_err(cause));
    Body::from_stream(whole)
}

/// Whether bytes begin as RFC 1950 has it; no picture and no JSON does.
fn is_zlib(bytes: &[u8]) -> bool {
    match *bytes {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u32::from(method) * 256 + u32::from(flags)) % 31 == 0
        }
        [method] => method & 0x0f == 8,
        [] => false,
    }
}

/// Whether a body called deflate is none at all. What is neither plain nor zlib's is bare deflate (RFC 1951), which .NET and
/// others send under that name: it has no mark of its own, but its first bits are no JSON's, no form's and no picture's.
fn is_plain(bytes: &[u8]) -> bool {
    const PLAIN: [&[u8]; 9] = [
        b"{",
        b"[",
        b"\"",
        b"\r\n",
        b"--",
        b"\xEF\xBB",
        b"\x89P",
        b"\xFF\xD8",
        b"RI",
    ];
    // A block of the third kind does not exist (3.2.3).
    let is_block = |byte: &u8| byte >> 1 & 3 != 3;
    let begins = |plain: &&[u8]| bytes.iter().zip(*plain).all(|(one, other)| one == other);
    let text = bytes.trim_ascii_start();
    PLAIN.iter().any(begins) || text.starts_with(b"{") || !bytes.first().is_some_and(is_block)
}

/// What broke: the body on its way, whose own error is kept, or the data in it.
fn cause(error: io::Error) -> Box<dyn std::error::Error + Send + Sync> {
    if error.kind() == io::ErrorKind::Other
        && error.get_ref().is_some_and(|e| e.is::<axum::Error>())
    {
        return error
            .into_inner()
            .unwrap_or_else(|| "the body broke off".into());
    }
    Box::new(Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::HeaderValue;

    use super::*;

    fn labelled(values: &[&'static str]) -> HeaderMap {
        let pairs = values.iter().map(|value| HeaderValue::from_static(value));
        pairs.map(|value| (CONTENT_ENCODING, value)).collect()
    }

    #[test]
    fn labels_that_say_nothing_are_left_out() {
        for values in [
            &[][..],
            &[""],
            &["identity"],
            &["UTF-8"],
            &["base64"],
            &["none"],
            &["aws-chunked"],
            &["identity, utf-8"],
        ] {
            assert_eq!(codings(&labelled(values)).unwrap(), [], "{values:?}");
        }
        assert_eq!(
            codings(&labelled(&["aws-chunked, GZIP", "deflate"])).unwrap(),
            [Coding::Gzip, Coding::Deflate]
        );
    }

    #[test]
    fn a_coding_that_cannot_be_taken_off_is_refused_by_name() {
        for (values, named) in [
            (&["br"][..], "br"),
            (&["gzip, zstd"], "zstd"),
            (&["gzip", "gzip", "gzip"], "gzip more than twice"),
        ] {
            match codings(&labelled(values)) {
                Err(ApiError::ContentEncodingUnsupported { coding, .. }) => {
                    assert_eq!(coding, named);
                }
                other => panic!("{values:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn no_picture_and_no_json_looks_like_zlib() {
        for begins in [
            &b"{\""[..],
            b"\x89PNG",
            b"\xff\xd8\xff",
            b"RIFF",
            b"GIF8",
            b"--",
            b"[1",
            b" {",
        ] {
            assert!(!is_zlib(begins), "{begins:?}");
        }
        assert!(is_zlib(&[0x78, 0x9c]) && is_zlib(&[0x78, 0x01]) && is_zlib(&[0x78, 0xda]));
    }

    #[tokio::test]
    async fn a_body_with_the_label_and_without_the_work_is_taken_as_it_is() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            for body in [&b""[..], b"{}", b"\x89PNG"] {
                let plain = inflated(Body::from(Bytes::from_static(body)), coding);
                assert_eq!(axum::body::to_bytes(plain, 99).await.unwrap(), body);
            }
        }
    }
}
