//! Pictures on servers that say odd things of them: the bytes decide.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{TestApp, Way, picture, png_bytes};

/// Answers each path with these bytes and ends the connection. HEAD is refused, as a presigned link
/// of a bucket refuses it.
async fn serve(answers: Vec<(&'static str, Vec<u8>)>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                request.push(byte);
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let mut words = request.split(' ');
            let (method, path) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let found = answers.iter().find(|(known, _)| *known == path);
            let answer = match found {
                Some((_, answer)) if method == "GET" => answer.clone(),
                _ => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (base, task)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("{head}\r\n\r\n").as_bytes(), body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_says_of_a_picture_does_not_matter_where_the_bytes_are_one() {
    let png = png_bytes(&picture(64, 48));
    let len = png.len();
    let ok = |headers: &str| answer(&format!("HTTP/1.1 200 OK\r\n{headers}"), &png);
    let sized = |headers: &str| ok(&format!("{headers}\r\nContent-Length: {len}"));
    let answers = vec![
        (
            "/utf-8",
            sized("Content-Type: image/png\r\nContent-Encoding: UTF-8"),
        ),
        ("/base64", sized("Content-Encoding: base64")),
        ("/aws-chunked", sized("Content-Encoding: aws-chunked")),
        ("/empty", sized("Content-Encoding:")),
        ("/gzip-and-plain", sized("Content-Encoding: gzip")),
        ("/br-and-plain", sized("Content-Encoding: br")),
        ("/as-html", sized("Content-Type: text/html; charset=utf-8")),
        ("/as-nothing", ok("Connection: close")),
        (
            "/octets",
            sized("Content-Type: application/octet-stream\r\nContent-Disposition: attachment"),
        ),
        ("/heic", sized("Content-Type: image/heic")),
        ("/too-long", ok(&format!("Content-Length: {}", len + 7))),
        ("/1.0", answer("HTTP/1.0 200 OK", &png)),
        (
            "/203",
            answer(&format!("HTTP/1.1 203 Fine\r\nContent-Length: {len}"), &png),
        ),
        (
            "/206",
            answer(
                &format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {len}"),
                &png,
            ),
        ),
        (
            "/moved",
            answer(
                "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /caf\u{e9}.png",
                b"",
            ),
        ),
        ("/caf%C3%A9.png", sized("Content-Type: image/png")),
    ];
    let paths: Vec<&str> = answers.iter().map(|(path, _)| *path).collect();
    let (base, server) = serve(answers).await;
    let app = TestApp::start(Way::Local, None).await;
    for path in paths {
        let id = app
            .create(&json!({ "image_url": format!("{base}{path}") }))
            .await;
        let job = app.finished(&id).await;
        assert_eq!(job["status"], "completed", "{path} {job}");
    }
    app.stop().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_not_there_as_a_whole_or_compressed_is_refused_as_what_it_is() {
    let png = png_bytes(&picture(64, 48));
    let len = png.len();
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &png].concat();
    let answers = vec![
        (
            "/gzip",
            answer(
                &format!(
                    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}",
                    gzip.len()
                ),
                &gzip,
            ),
        ),
        // Brotli has no first bytes of its own; what it is not is a picture.
        (
            "/br",
            answer(
                "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9",
                b"\x0b\x02\x80hello\x03",
            ),
        ),
        (
            "/part",
            answer(
                &format!(
                    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/{len}\r\nContent-Length: 10"
                ),
                &png[..10],
            ),
        ),
    ];
    let (base, server) = serve(answers).await;
    let app = TestApp::start(Way::Local, None).await;
    for (path, code, word) in [
        ("/gzip", "fetch_encoded", "gzip"),
        ("/br", "fetch_encoded", "br"),
        ("/part", "fetch_status", "206"),
    ] {
        let id = app
            .create(&json!({ "image_url": format!("{base}{path}") }))
            .await;
        let job = app.finished(&id).await;
        assert_eq!(job["error_code"], code, "{path} {job}");
        let sentence = job["error"].as_str().unwrap();
        assert!(sentence.contains(word), "{sentence}");
        // It begins with the address, as it was.
        assert!(
            sentence.starts_with(&format!("{base}{path} ")),
            "{sentence}"
        );
    }
    app.stop().await;
    server.abort();
}
