//! Bodies that are compressed for the wire, or say so.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Without zlib's frame, as .NET's DeflateStream writes it.
fn bare_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// In chunks of one byte, as a bad line gives them.
fn slowly(bytes: Vec<u8>) -> Body {
    let chunks = bytes
        .into_iter()
        .map(|byte| Ok::<_, std::convert::Infallible>(vec![byte]));
    Body::from_stream(futures_util::stream::iter(chunks))
}

/// Path, type and body of a request, and the status of its answer.
type Way = (&'static str, (&'static str, &'static str), Vec<u8>, u16);

async fn send(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Answer {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn a_compressed_body_is_taken_on_every_way_in() {
    let server = TestServer::with(|state| state.limits.memory_bytes = 64);
    let json = ("content-type", "application/json");
    let picture = png(30, 20);
    let form = [
        &b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"[..],
        &picture,
        b"\r\n--b--\r\n",
    ]
    .concat();
    let form_type = ("content-type", "multipart/form-data; boundary=b");
    let png_type = ("content-type", "image/png");
    let ways: [Way; 4] = [
        ("/api/jobs", json, base64_body(&picture).into_bytes(), 202),
        ("/api/upload", png_type, picture.clone(), 201),
        ("/api/upload", form_type, form, 201),
        ("/api/uploads", json, b"{}".to_vec(), 201),
    ];
    for (path, kind, plain, status) in ways {
        for (coding, body) in [
            ("gzip", gzip(&plain)),
            ("X-GZIP", gzip(&plain)),
            ("deflate", deflate(&plain)),
            ("deflate", bare_deflate(&plain)),
            ("gzip, gzip", gzip(&gzip(&plain))),
            ("gzip, identity", gzip(&plain)),
            // Two members are one body (RFC 1952, 2.2).
            ("gzip", [gzip(&plain[..1]), gzip(&plain[1..])].concat()),
        ] {
            for body in [Body::from(body.clone()), slowly(body)] {
                let headers = [kind, ("content-encoding", coding)];
                let answer = send(&server, "POST", path, &headers, body).await;
                assert_eq!(
                    answer.status.as_u16(),
                    status,
                    "{path} {coding} {:?}",
                    answer.body
                );
            }
        }
    }
}

#[tokio::test]
async fn a_tickets_body_may_be_compressed_and_counts_as_what_comes_out() {
    let server = TestServer::new();
    let picture = png(30, 20);
    let wish = format!(r#"{{"bytes":{}.0}}"#, picture.len());
    let json = [("content-type", "application/json")];
    let ticket = send(&server, "POST", "/api/uploads", &json, wish.into())
        .await
        .json();
    let link = ticket["url"]
        .as_str()
        .unwrap()
        .strip_prefix("http://lamina.test")
        .unwrap();
    let headers = [("content-encoding", "gzip")];
    let put = send(&server, "PUT", link, &headers, gzip(&picture).into()).await;
    assert_eq!(put.status, StatusCode::NO_CONTENT, "{:?}", put.body);
    let body = format!(r#"{{"upload_id":{}}}"#, ticket["upload_id"]);
    assert_eq!(server.post_json(body).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_comes_out_is_bounded_like_what_comes_in() {
    let server = TestServer::with(|state| state.limits.json_bytes = 1 << 20);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    let answer = send(&server, "POST", "/api/jobs", &headers, bomb.clone().into()).await;
    assert_eq!(answer.code(), (413, "body_too_large".into()));
    let answer = send(
        &server,
        "POST",
        "/api/upload",
        &headers[1..],
        bomb.clone().into(),
    )
    .await;
    assert_eq!(answer.code(), (413, "image_too_many_bytes".into()));
    let nested = gzip(&bomb);
    let headers = [headers[0], ("content-encoding", "gzip, gzip")];
    let answer = send(&server, "POST", "/api/jobs", &headers, nested.into()).await;
    assert_eq!(answer.code(), (413, "body_too_large".into()));
}

#[tokio::test]
async fn a_label_without_the_work_is_no_hindrance() {
    let server = TestServer::new();
    for label in [
        "gzip",
        "deflate",
        "identity",
        "",
        "UTF-8",
        "base64",
        "none",
        "aws-chunked",
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", label),
        ];
        let body = base64_body(&png(9, 9));
        let answer = send(&server, "POST", "/api/jobs", &headers, body.into()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{label}");
        let upload = send(
            &server,
            "POST",
            "/api/upload",
            &headers[1..],
            png(9, 9).into(),
        )
        .await;
        assert_eq!(upload.status, StatusCode::CREATED, "{label}");
    }
}

#[tokio::test]
async fn what_cannot_be_inflated_is_refused_by_name() {
    let server = TestServer::new();
    for (path, label) in [
        ("/api/jobs", "br"),
        ("/api/jobs", "zstd"),
        ("/api/upload", "BR"),
        ("/api/upload", "compress"),
        ("/api/uploads", "gzip, zstd"),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", label),
        ];
        let answer = send(&server, "POST", path, &headers, "{}".into()).await;
        assert_eq!(
            answer.code(),
            (415, "content_encoding_unsupported".into()),
            "{label}"
        );
        assert_eq!(answer.header("accept-encoding"), "gzip, deflate");
        let detail = answer.json()["detail"].as_str().unwrap().to_lowercase();
        let named = label.rsplit(' ').next().unwrap().to_lowercase();
        assert!(detail.contains(&format!("({named})")), "{detail}");
    }
    let tus = [
        ("tus-resumable", "1.0.0"),
        ("upload-length", "5"),
        ("content-type", "application/offset+octet-stream"),
        ("content-encoding", "gzip"),
    ];
    let answer = send(
        &server,
        "POST",
        "/api/uploads/tus",
        &tus,
        gzip(b"hello").into(),
    )
    .await;
    assert_eq!(answer.code(), (415, "content_encoding_unsupported".into()));
    assert_eq!(answer.header("accept-encoding"), "identity");
}

#[tokio::test]
async fn damaged_and_undeclared_compression_is_told_as_what_it_is() {
    let server = TestServer::new();
    let json = ("content-type", "application/json");
    let whole = gzip(base64_body(&png(9, 9)).as_bytes());
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 6;
    wrong_sum[sum] ^= 0xff;
    for body in [
        whole[..whole.len() / 2].to_vec(),
        wrong_sum,
        vec![0x1f, 0x8b],
        b"\x1f\x8bno".to_vec(),
    ] {
        let headers = [json, ("content-encoding", "gzip")];
        let answer = send(&server, "POST", "/api/jobs", &headers, body.into()).await;
        assert_eq!(answer.code(), (400, "content_encoding_invalid".into()));
    }
    let answer = send(&server, "POST", "/api/jobs", &[json], whole.into()).await;
    assert_eq!(answer.code(), (400, "invalid_json".into()));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("gzip") && detail.contains("Content-Encoding"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_compressed_picture_that_is_not_declared_so_is_named() {
    let server = TestServer::new();
    let answer = send(&server, "POST", "/api/upload", &[], gzip(&png(9, 9)).into()).await;
    assert_eq!(answer.code(), (415, "image_format_unsupported".into()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("gzip"));
}

#[tokio::test]
async fn a_create_with_a_byte_order_mark_is_taken_and_utf_16_is_named() {
    let server = TestServer::new();
    let body = base64_body(&png(9, 9));
    let marked = [b"\xef\xbb\xbf", body.as_bytes()].concat();
    assert_eq!(server.post_json(marked).await.status, StatusCode::ACCEPTED);
    for little in [true, false] {
        let units = format!("\u{feff}{body}");
        let bytes = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        let answer = server
            .post_json(units.encode_utf16().flat_map(bytes).collect::<Vec<u8>>())
            .await;
        assert_eq!(answer.code(), (400, "invalid_json".into()));
        assert!(answer.json()["detail"].as_str().unwrap().contains("UTF-16"));
    }
}
