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

/// Every answer is a whole picture, whatever its head says; the name says what is odd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_head_says_a_whole_picture_is_taken() {
    let png = png_bytes(&picture(64, 48));
    let size = format!("Content-Length: {}", png.len());
    let chunks: Vec<u8> = png
        .chunks(97)
        .flat_map(|part| {
            [
                format!("{:x};part=\"a;b\"\r\n", part.len()).as_bytes(),
                part,
                b"\r\n",
            ]
            .concat()
        })
        .collect();
    let chunked = |end: &str| {
        answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum",
            &[&chunks, end.as_bytes()].concat(),
        )
    };
    let mut answers: Vec<(String, Vec<u8>)> = Vec::new();
    for (index, coding) in [
        "identity",
        "none",
        "utf-8",
        "UTF8",
        "x-gzip",
        "gzip, gzip",
        "deflate",
        "br",
        "zstd",
        "",
        ",",
        "aws-chunked",
        "aws-chunked,gzip",
        "image/png",
        "binary",
        "8bit",
        "b\u{e9}b\u{e9}",
    ]
    .iter()
    .enumerate()
    {
        let head = format!("HTTP/1.1 200 OK\r\n{size}\r\nContent-Encoding: {coding}");
        answers.push((format!("/coding-{index}"), answer(&head, &png)));
    }
    for (index, kind) in [
        "text/plain",
        "application/octet-stream",
        "image/jpg",
        "image/*",
        "multipart/form-data; boundary=x",
        "application/json",
        "binary/octet-stream",
        ";",
        "",
        "b\u{e9}b\u{e9}",
    ]
    .iter()
    .enumerate()
    {
        let head = format!("HTTP/1.1 200 OK\r\n{size}\r\nContent-Type: {kind}");
        answers.push((format!("/type-{index}"), answer(&head, &png)));
    }
    let ok = |headers: &str| answer(&format!("HTTP/1.1 200 OK\r\n{headers}"), &png);
    let range = |range: &str| {
        let head = format!("HTTP/1.1 206 Partial Content\r\n{size}\r\nContent-Range: {range}");
        answer(&head, &png)
    };
    let longer = png.len() + 1;
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n";
    for (name, bytes) in [
        ("chunks", chunked("0\r\n\r\n")),
        ("trailers", chunked("0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")),
        ("chunks-without-an-end", chunked("")),
        (
            "length-and-chunks",
            answer(
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
                &[&chunks, &b"0\r\n\r\n"[..]].concat(),
            ),
        ),
        ("transfer-identity", ok("Transfer-Encoding: identity")),
        ("length-too-long", ok(&format!("Content-Length: {longer}"))),
        ("length-twice", ok(&format!("{size}\r\n{size}"))),
        ("length-listed", ok(&format!("{size}, {}", png.len()))),
        (
            "length-short-of-the-trailer",
            ok(&format!("Content-Length: {}", png.len() - 12)),
        ),
        ("http-1.0", answer("HTTP/1.0 200 OK", &png)),
        (
            "http-1.0-kept-alive",
            answer(
                &format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n{size}"),
                &png,
            ),
        ),
        (
            "cut-while-kept-alive",
            ok("Connection: keep-alive\r\nKeep-Alive: timeout=5"),
        ),
        ("early-hints", answer(&format!("{early}{size}"), &png)),
        (
            "refresh",
            ok(&format!("Refresh: 0; url=/elsewhere\r\n{size}")),
        ),
        (
            "location-without-a-redirect",
            ok(&format!("Location: /elsewhere\r\n{size}")),
        ),
        (
            "cookies",
            ok(&format!("{size}{}", "\r\nSet-Cookie: a=b".repeat(300))),
        ),
        (
            "attachment",
            ok(&format!(
                "Content-Disposition: attachment; filename=a.heic\r\n{size}"
            )),
        ),
        (
            "more-behind",
            answer(
                &format!("HTTP/1.1 200 OK\r\n{size}"),
                &[&png, &b"HTTP/1.1 200 OK\r\n\r\n"[..]].concat(),
            ),
        ),
        (
            "203",
            answer(&format!("HTTP/1.1 203 Transformed\r\n{size}"), &png),
        ),
        (
            "part-whole",
            range(&format!("bytes 0-{}/{}", png.len() - 1, png.len())),
        ),
        (
            "part-odd",
            range(&format!("BYTES=0-{}/{}", png.len() - 1, png.len())),
        ),
        (
            "part-of-unknown-size",
            range(&format!("bytes 0-{}/*", png.len() - 1)),
        ),
        ("part-of-nonsense", range("all of it")),
    ] {
        answers.push((format!("/{name}"), bytes));
    }
    taken(answers, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_of_any_spelling_leads_to_its_picture() {
    let png = png_bytes(&picture(64, 48));
    let mut answers: Vec<(String, Vec<u8>)> = Vec::new();
    let mut moved = |name: &str, status: &str, location: &[u8]| {
        let head =
            format!("HTTP/1.1 {status}\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\nLocation: ");
        let bytes = [head.as_bytes(), location, b"\r\n\r\n"].concat();
        answers.push((format!("/from/{name}"), bytes));
    };
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        moved(&status[..3], status, b"/to/plain.png");
    }
    moved("utf-8", "302 Found", "/to/caf\u{e9}.png".as_bytes());
    moved("latin-1", "302 Found", b"/to/caf\xe9.png");
    moved("space", "302 Found", b" /to/a picture.png ");
    moved(
        "fragment",
        "302 Found",
        "/to/plain.png#\u{fc}ber".as_bytes(),
    );
    moved("relative", "302 Found", b"../to/plain.png");
    moved("query", "302 Found", "?size=gro\u{df}&a=b c".as_bytes());
    moved("backslash", "302 Found", b"\\to\\plain.png");
    moved(
        "presigned",
        "302 Found",
        b"/to/plain.png?X-Amz-Signature=a%2Fb+c%2Bd%20e&k='~'",
    );
    moved("scheme", "302 Found", b"HTTP:/to/plain.png");
    for path in [
        "/to/plain.png",
        "/to/caf%C3%A9.png",
        "/to/caf%E9.png",
        "/to/a%20picture.png",
        "/from/query?size=gro%C3%9F&a=b%20c",
        "/to/plain.png?X-Amz-Signature=a%2Fb+c%2Bd%20e&k=%27~%27",
        // Addresses as apps hand them over.
        "/given?sig=a+b%2Bc%20d&name=%E5%9B%BE",
        "/given%20twice.png?a=%25",
    ] {
        answers.push((path.to_owned(), answer("HTTP/1.1 200 OK", &png)));
    }
    let given = [
        "/given?sig=a+b%2Bc%20d&name=\u{56fe}",
        "/given twice.png?a=%25",
        "/to/caf\u{e9}.png#fragment",
    ];
    taken(answers, &given).await;
}

/// Every address of the server, and the ones given, is a whole picture.
async fn taken(answers: Vec<(String, Vec<u8>)>, given: &[&str]) {
    let answers: Vec<(&'static str, Vec<u8>)> = answers
        .into_iter()
        .map(|(path, bytes)| (&*path.leak(), bytes))
        .collect();
    let paths: Vec<String> = answers
        .iter()
        .map(|(path, _)| *path)
        .chain(given.iter().copied())
        .map(str::to_owned)
        .collect();
    let (base, server) = serve(answers).await;
    let app = TestApp::start(Way::Local, None).await;
    let mut jobs = Vec::new();
    for path in paths {
        let url = json!({ "image_url": format!("{base}{path}") });
        jobs.push((app.create(&url).await, path));
    }
    for (id, path) in jobs {
        let job = app.finished(&id).await;
        assert_eq!(job["status"], "completed", "{path} {job}");
        let layer = &job["layers"][0];
        assert_eq!(
            (&layer["width"], &layer["height"]),
            (&json!(64), &json!(48)),
            "{path}"
        );
    }
    app.stop().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_hold_no_picture_are_told_apart() {
    let png = png_bytes(&picture(64, 48));
    let half = &png[..png.len() / 2];
    let size = format!("Content-Length: {}", half.len());
    let answers = vec![
        ("/none", answer("HTTP/1.1 204 No Content", b"")),
        (
            "/empty",
            answer("HTTP/1.1 200 OK\r\nContent-Length: 0", b""),
        ),
        (
            "/choices",
            answer(
                "HTTP/1.1 300 Multiple Choices\r\nContent-Length: 0\r\nLocation: /empty",
                b"",
            ),
        ),
        (
            "/later-part",
            answer(
                &format!("HTTP/1.1 206 Partial\r\n{size}\r\nContent-Range: bytes 5-99/500"),
                half,
            ),
        ),
        (
            "/first-part",
            answer(
                &format!(
                    "HTTP/1.1 206 Partial\r\n{size}\r\nContent-Range: bytes 0-{}/*",
                    half.len() - 1
                ),
                half,
            ),
        ),
        (
            "/short",
            answer(&format!("HTTP/1.1 200 OK\r\n{size}"), &png),
        ),
        (
            "/cookie-wall",
            answer(
                "HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nLocation: /cookie-wall",
                b"",
            ),
        ),
        (
            "/refresh",
            answer(
                "HTTP/1.1 200 OK\r\nRefresh: 0; url=/a.png",
                b"<!doctype html><title>wait</title>",
            ),
        ),
        (
            "/kept",
            answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 5", b"<Err>"),
        ),
    ];
    let (base, server) = serve(answers).await;
    let app = TestApp::start(Way::Local, None).await;
    for (path, code, word) in [
        ("/none", "fetch_status", "204"),
        ("/empty", "image_empty", "0 bytes"),
        ("/choices", "fetch_status", "300"),
        ("/later-part", "fetch_status", "206"),
        ("/first-part", "fetch_status", "206"),
        ("/short", "image_truncated", "cut"),
        ("/cookie-wall", "fetch_redirect_loop", "circle"),
        ("/refresh", "image_format_unsupported", "HTML page"),
        ("/kept", "fetch_status", "403"),
    ] {
        let id = app
            .create(&json!({ "image_url": format!("{base}{path}") }))
            .await;
        let job = app.finished(&id).await;
        assert_eq!(job["error_code"], code, "{path} {job}");
        let sentence = job["error"].as_str().unwrap();
        assert!(sentence.contains(word), "{path}: {sentence}");
    }
    app.stop().await;
    server.abort();
}
