//! Uploads, in both forms, and jobs that are made of them.

use super::*;

const BOUNDARY: &str = "----a-boundary";

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        body.extend(
            format!(
                "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; \
                 filename=\"x.png\"\r\ncontent-type: text/html\r\n\r\n"
            )
            .bytes(),
        );
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

async fn upload_form(server: &TestServer, parts: &[(&str, &[u8])]) -> Answer {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = request("POST", "/api/upload").header("content-type", kind);
    server.send(request.body(form(parts).into()).unwrap()).await
}

async fn upload_raw(server: &TestServer, kind: Option<&str>, file: Vec<u8>) -> Answer {
    let mut request = request("POST", "/api/upload");
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    server.send(request.body(file.into()).unwrap()).await
}

fn spool_is_empty(server: &TestServer) -> bool {
    let spool = server.folder.path().join("spool");
    std::fs::read_dir(spool).unwrap().next().is_none()
}

#[tokio::test]
async fn a_form_with_a_file_is_stored_and_its_link_opens() {
    let server = TestServer::with(|state| state.limits.memory_bytes = 64);
    let file = png(30, 20);
    let answer = upload_form(&server, &[("note", b"hello"), ("file", &file)]).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let mut shown = answer.calm();
    shown = shown.replace(&file.len().to_string(), "<bytes>");
    insta::assert_snapshot!(shown, @r#"
    {
      "bytes": <bytes>,
      "content_type": "image/png",
      "expires_at": "2026-11-23T14:11:57.000Z",
      "height": 20,
      "upload_id": "<id>",
      "url": "http://lamina.test/files/uploads/<id>/image.png?exp=1795443117&sig=<sig>",
      "width": 30
    }
    "#);
    let url = answer.json()["url"].as_str().unwrap().to_owned();
    let opened = server
        .get(url.strip_prefix("http://lamina.test").unwrap())
        .await;
    assert_eq!(opened.status, StatusCode::OK);
    assert_eq!(opened.body, file);
    assert!(spool_is_empty(&server));
}

#[tokio::test]
async fn a_raw_picture_is_known_by_its_bytes_whatever_its_header_says() {
    let server = TestServer::new();
    for kind in [
        None,
        Some("image/png"),
        Some("image/jpeg"),
        Some("application/octet-stream"),
    ] {
        let answer = upload_raw(&server, kind, png(4, 4)).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.json()["content_type"], "image/png");
    }
}

#[tokio::test]
async fn a_phones_file_is_known_by_its_bytes_whatever_its_name_says() {
    let server = TestServer::new();
    let send = async |name: &str, file: &[u8]| {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; \
             filename=\"{name}\"\r\ncontent-type: image/heic\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), file, tail.as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = request("POST", "/api/upload").header("content-type", kind);
        server.send(request.body(body.into()).unwrap()).await
    };
    let answer = send("IMG_0001.HEIC", &png(4, 4)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["content_type"], "image/png");
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and so on";
    for name in ["IMG_0001.HEIC", "IMG_0001.jpg"] {
        let answer = send(name, heic).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(answer.json()["code"], "image_format_unsupported");
    }
}

#[tokio::test]
async fn a_job_can_be_made_of_an_upload_more_than_once() {
    let server = TestServer::new();
    let file = png(8, 8);
    let upload = upload_raw(&server, None, file.clone()).await.json();
    let body = serde_json::json!({"upload_id": upload["upload_id"]}).to_string();
    for _ in 0..2 {
        let answer = server.post_json(body.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let id = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
        let stored = server.blobs.get(&BlobKey::Source(id, MediaType::Png)).await;
        assert_eq!(stored.unwrap(), file);
    }
}

#[tokio::test]
async fn an_upload_that_is_unknown_or_expired_makes_no_job() {
    let server = TestServer::new();
    let upload = upload_raw(&server, None, png(8, 8)).await.json();
    let body = serde_json::json!({"upload_id": upload["upload_id"]}).to_string();
    server.clock.advance(DAY);
    let answer = server.post_json(body).await;
    assert_eq!(answer.code(), (422, "upload_not_found".into()));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/upload_id");
}

#[tokio::test]
async fn a_form_without_a_file_or_with_two_is_refused() {
    let server = TestServer::new();
    for parts in [
        vec![("picture", &b"x"[..])],
        vec![("file", b"x"), ("file", b"y")],
    ] {
        let answer = upload_form(&server, &parts).await;
        assert_eq!(answer.code(), (422, "invalid_fields".into()));
        assert_eq!(answer.json()["errors"][0]["pointer"], "/file");
    }
}

#[tokio::test]
async fn a_broken_form_is_told_from_a_cut_one() {
    let server = TestServer::new();
    let send = async |kind: &str, body: Vec<u8>| {
        let request = request("POST", "/api/upload").header("content-type", kind);
        server.send(request.body(body.into()).unwrap()).await.code()
    };
    let good = form(&[("file", &png(4, 4))]);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let no_boundary = send("multipart/form-data", good.clone()).await;
    assert_eq!(no_boundary, (400, "invalid_multipart".into()));
    let cut = send(&kind, good[..good.len() / 2].to_vec()).await;
    assert_eq!(cut, (400, "invalid_multipart".into()));
}

#[tokio::test]
async fn a_picture_above_the_limit_is_refused_in_both_forms_and_leaves_nothing() {
    let server = TestServer::with(|state| {
        state.images.max_bytes = 500;
        state.limits.memory_bytes = 64;
    });
    let file = png(40, 40);
    assert!(file.len() > 500 && file.len() < 60_000);
    let raw = upload_raw(&server, None, file.clone()).await;
    let form = upload_form(&server, &[("file", &file)]).await;
    for answer in [raw, form] {
        assert_eq!(answer.code(), (413, "image_too_many_bytes".into()));
        assert_eq!(answer.header("connection"), "close");
    }
    assert!(server.blobs.owners().await.unwrap().uploads.is_empty());
    assert!(spool_is_empty(&server));
}

#[tokio::test]
async fn an_empty_upload_and_one_that_is_no_picture_are_refused() {
    let server = TestServer::new();
    assert_eq!(
        upload_raw(&server, None, Vec::new()).await.code(),
        (422, "image_empty".into())
    );
    let page = b"<!doctype html><title>x</title>".to_vec();
    let answer = upload_raw(&server, Some("image/png"), page).await;
    assert_eq!(answer.code(), (415, "image_format_unsupported".into()));
}

/// A form of one part with this disposition, and what stands around it.
async fn upload_disposed(server: &TestServer, disposition: &[u8], more: &str) -> Answer {
    let mut body = format!("{more}--{BOUNDARY}\r\nContent-Disposition: ").into_bytes();
    body.extend(disposition);
    body.extend(b"\r\n\r\n");
    body.extend(png(9, 9));
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    let kind = format!("Multipart/Form-Data; charset=utf-8; Boundary=\"{BOUNDARY}\"");
    let request = request("POST", "/api/upload").header("content-type", kind);
    server.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_part_named_file_is_found_however_its_library_writes_it() {
    let server = TestServer::new();
    for disposition in [
        &b"form-data; name=\"file\""[..],
        b"form-data; name=file",
        b"form-data;name=\"file\";filename=\"\"",
        b"form-data; filename=\"a.png\"; name=\"file\"",
        b"form-data; name=\"file\"; filename*=UTF-8''caf%C3%A9.png",
        b"form-data; name=\"file\"; filename=\"x.png\"; filename*=utf-8''x.png",
        "form-data; name=\"file\"; filename=\"caf\u{e9} \u{2603}.png\"".as_bytes(),
        b"form-data; name=\"file\"; filename=\"caf\xe9.png\"",
        b"form-data; name=\"file\"; filename=\"a\\\"b;c.png\"",
        b"form-data; name=\"file\"; filename=\"C:\\pictures\\a.png\"",
    ] {
        let answer = upload_disposed(&server, disposition, "").await;
        let shown = String::from_utf8_lossy(disposition);
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{shown} {:?}",
            answer.body
        );
    }
    let before =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nhello\r\n");
    let answer = upload_disposed(&server, b"form-data; name=\"file\"", &before).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_boundary_is_found_with_and_without_its_quotes() {
    let server = TestServer::new();
    let sent = async |kind: &str, boundary: &str, line_end: &str| {
        let lines = [
            &format!("--{boundary}"),
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"",
            "",
            "",
        ];
        let mut body = lines.join(line_end).into_bytes();
        body.extend(png(9, 9));
        body.extend(format!("{line_end}--{boundary}--{line_end}").bytes());
        let request = request("POST", "/api/upload").header("content-type", kind);
        server.send(request.body(body.into()).unwrap()).await
    };
    for (parameter, boundary) in [
        ("boundary=----=_Part_1_23.45", "----=_Part_1_23.45"),
        ("boundary=a/b=c", "a/b=c"),
        ("charset=utf-8; Boundary=a:b", "a:b"),
        ("boundary=\"a b:c\"", "a b:c"),
        ("boundary = x@y ; charset=utf-8", "x@y"),
    ] {
        let answer = sent(
            &format!("multipart/form-data; {parameter}"),
            boundary,
            "\r\n",
        )
        .await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{parameter} {:?}",
            answer.body
        );
    }
    for (kind, line_end, said) in [
        ("multipart/form-data; boundary=", "\r\n", "has no boundary"),
        (
            "multipart/form-data; boundary=\"\"",
            "\r\n",
            "has no boundary",
        ),
        (
            "multipart/form-data; boundary=other",
            "\r\n",
            "no line of it is",
        ),
        (
            "multipart/form-data; boundary=b",
            "\n",
            "lines end in CR LF",
        ),
        ("multipart/mixed; boundary=b=c", "\r\n", "Content-Type"),
    ] {
        let answer = sent(kind, "b", line_end).await;
        assert_eq!(answer.code(), (400, "invalid_multipart".into()), "{kind}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said), "{kind}: {detail}");
    }
}

#[tokio::test]
async fn a_form_without_the_part_or_the_boundary_is_told_what_is_missing() {
    let server = TestServer::new();
    let detail = |answer: Answer| {
        let code = answer.code().1;
        (code, answer.json()["detail"].as_str().unwrap().to_owned())
    };
    let (code, said) = detail(upload_form(&server, &[("image", b"x"), ("note", b"y")]).await);
    assert_eq!(code, "invalid_fields");
    assert!(
        said.contains("\"file\"") && said.contains("got image, note"),
        "{said}"
    );
    let (code, said) = detail(upload_raw(&server, Some("multipart/form-data"), form(&[])).await);
    assert_eq!(code, "invalid_multipart");
    assert!(
        said.contains("boundary") && said.contains("HTTP library"),
        "{said}"
    );
}
