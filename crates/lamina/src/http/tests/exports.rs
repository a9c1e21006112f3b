//! Exports: the layers as one file, to their owner and by link; what is refused, and what the file is called.

use super::*;
use crate::exports::{self, Format};

/// A layer of the tests' jobs: clear but for the three by four pixels of its box.
pub(super) fn layer_file() -> Bytes {
    let mut picture = image::RgbaImage::new(640, 480);
    for (x, y) in (1..4).flat_map(|x| (2..6).map(move |y| (x, y))) {
        picture.put_pixel(x, y, image::Rgba([200, 40, 10, 255]));
    }
    let mut file = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner().into()
}

/// A completed job whose layers are pictures.
pub(super) async fn completed(server: &TestServer) -> JobId {
    let id = server.created().await;
    server.complete(id).await;
    for order in 0..2 {
        let key = BlobKey::Layer(id, order, MediaType::Png);
        server.blobs.put(&key, layer_file()).await.unwrap();
    }
    id
}

async fn with(server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(Body::empty()).unwrap()).await
}

/// The links of a job's exports, as path and query.
async fn links(server: &TestServer, id: JobId) -> Vec<(String, String)> {
    let list = server.get(&format!("/api/jobs/{id}/layers")).await.json();
    let exports = list["exports"].as_array().unwrap().iter();
    exports
        .map(|export| {
            let url = export["url"].as_str().unwrap();
            let path = url.strip_prefix("http://lamina.test").unwrap();
            (
                export["format"].as_str().unwrap().to_owned(),
                path.to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_format_is_given_to_the_owner_and_by_its_link() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let links = links(&server, id).await;
    assert_eq!(links.len(), Format::ALL.len());
    for (word, link) in links {
        let answer = server.get(&format!("/api/jobs/{id}/export/{word}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}");
        let begins: &[u8] = match &*word {
            "psd" => b"8BPS\0\x01",
            "svg" => b"<?xml",
            "tiff" => b"II*\0",
            "gif" => b"GIF89a",
            _ => b"PK\x03\x04",
        };
        assert!(answer.body.starts_with(begins), "{word}");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string()
        );
        let name = format!("attachment; filename=\"layers.{word}\"");
        assert_eq!(answer.header("content-disposition"), name);
        let opened = with(&server, "GET", &link, &[("origin", "https://app.example")]).await;
        assert!(opened.body == answer.body, "{word}");
        assert_eq!(opened.header("access-control-allow-origin"), "*");
        assert_eq!(opened.header("etag"), answer.header("etag"));
    }
}

#[tokio::test]
async fn an_export_says_all_about_its_file() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let answer = server.get(&format!("/api/jobs/{id}/export/psd")).await;
    let names = [
        "content-type",
        "cache-control",
        "accept-ranges",
        "content-security-policy",
    ];
    let shown: Vec<String> = names
        .iter()
        .map(|name| format!("{name}: {}", answer.header(name)))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    content-type: image/vnd.adobe.photoshop
    cache-control: private, max-age=3600
    accept-ranges: bytes
    content-security-policy: default-src 'none'; sandbox
    ");
}

#[tokio::test]
async fn a_zip_holds_the_layers_own_bytes() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let answer = server.get(&format!("/api/jobs/{id}/export/zip")).await;
    let file = layer_file();
    // The layer without a visible pixel has no file.
    let found = answer
        .body
        .windows(file.len())
        .filter(|part| *part == file)
        .count();
    assert_eq!(found, 1);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("layers/01-text.png") && text.contains("\"Grand\\nOpening\""));
}

#[tokio::test]
async fn layers_as_webp_and_larger_than_a_picture_that_comes_in_are_exported_too() {
    let server = TestServer::with(|state| {
        state.images.max_bytes = 10;
        state.images.max_pixels = 10;
    });
    let id = server.created().await;
    server
        .complete_with(id, |layer| layer.media_type = MediaType::WebP)
        .await;
    let picture = image::load_from_memory(&layer_file()).unwrap();
    let mut file = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut file, image::ImageFormat::WebP)
        .unwrap();
    let file = Bytes::from(file.into_inner());
    for order in 0..2 {
        let key = BlobKey::Layer(id, order, MediaType::WebP);
        server.blobs.put(&key, file.clone()).await.unwrap();
    }
    for word in exports::words() {
        let answer = server.get(&format!("/api/jobs/{id}/export/{word}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{word}");
    }
    // In a ZIP it is PNG, of its box alone.
    let zip = server.get(&format!("/api/jobs/{id}/export/zip")).await;
    let text = String::from_utf8_lossy(&zip.body).into_owned();
    assert!(
        text.contains("01-text.png") && text.contains("\"width\": 3,"),
        "{text}"
    );
}

#[tokio::test]
async fn a_part_is_the_same_as_of_the_whole_and_what_a_client_has_is_not_sent() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let path = format!("/api/jobs/{id}/export/ora");
    let whole = server.get(&path).await;
    let tag = whole.header("etag").to_owned();
    let headers = [("range", "bytes=100-299"), ("if-range", &*tag)];
    let part = with(&server, "GET", &path, &headers).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.body == whole.body[100..300]);
    let all = whole.body.len();
    assert_eq!(part.header("content-range"), format!("bytes 100-299/{all}"));
    let outside = with(&server, "GET", &path, &[("range", "bytes=99999999-")]).await;
    assert_eq!(outside.code(), (416, "range_not_satisfiable".into()));
    let known = with(&server, "GET", &path, &[("if-none-match", &tag)]).await;
    assert_eq!(
        (known.status, known.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    let head = with(&server, "HEAD", &path, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), "", "it is not known yet");
    for name in ["etag", "content-type", "content-disposition"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_name_that_is_given_names_the_file_safely() {
    let server = TestServer::new();
    let id = completed(&server).await;
    for (given, expected) in [
        ("My%20card", "attachment; filename=\"My-card.svg\""),
        (
            "..%2F..%2Fetc%2Fpasswd%00%0D%0AX-Evil%3A%201",
            "attachment; filename=\"etc-passwd-X-Evil-1.svg\"",
        ),
        (
            "%E2%80%AEgpj.exe%22",
            "attachment; filename=\"gpj-exe.svg\"",
        ),
        ("%F0%9F%8E%89", "attachment; filename=\"layers.svg\""),
        (
            "%C3%9Cber",
            "attachment; filename=\"_ber.svg\"; filename*=UTF-8''%C3%9Cber.svg",
        ),
    ] {
        let path = format!("/api/jobs/{id}/export/svg?name={given}");
        let answer = server.get(&path).await;
        assert_eq!(answer.header("content-disposition"), expected, "{given}");
        assert_eq!(answer.header("x-evil"), "");
    }
    let (_, link) = links(&server, id).await.remove(0);
    let named = server.get(&format!("{link}&name=My%20card")).await;
    assert_eq!(
        named.header("content-disposition"),
        "attachment; filename=\"My-card.psd\""
    );
    let long = "x".repeat(300);
    let answer = server
        .get(&format!("/api/jobs/{id}/export/svg?name={long}"))
        .await;
    let name = format!("attachment; filename=\"{}.svg\"", "x".repeat(80));
    assert_eq!(answer.header("content-disposition"), name);
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_with_a_way_out() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "a"), ("web", "b")]));
    let send = async |method: &str, path: &str, key: &str| {
        with(
            &server,
            method,
            path,
            &[("authorization", &format!("Bearer {key}"))],
        )
        .await
    };
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let request = request("POST", "/api/jobs")
        .header("authorization", "Bearer a")
        .header("content-type", "application/json");
    let created = server
        .send(request.body(Body::from(body)).unwrap())
        .await
        .json();
    let id = created["job_id"].as_str().unwrap().to_owned();
    let path = format!("/api/jobs/{id}/export");
    let early = send("GET", &format!("{path}/psd"), "a").await;
    assert_eq!(early.code(), (409, "job_not_completed".into()));
    assert_eq!(early.header("retry-after"), "1");
    server.complete(id.parse().unwrap()).await;
    let unknown = send("GET", &format!("{path}/xcf"), "a").await;
    assert_eq!(unknown.code(), (404, "export_format_unknown".into()));
    let sentence = unknown.json()["detail"].as_str().unwrap().to_owned();
    for word in exports::words() {
        assert!(sentence.contains(word), "{sentence}");
    }
    let other = send("GET", &format!("{path}/psd"), "b").await;
    assert_eq!(other.code(), (404, "job_not_found".into()));
    let query = send("GET", &format!("{path}/psd?name=a&name=b&size=1"), "a").await;
    assert_eq!(query.code(), (422, "invalid_query".into()));
    assert_eq!(query.json()["errors"].as_array().unwrap().len(), 2);
    let deleted = send("DELETE", &format!("/api/jobs/{id}"), "a").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let gone = send("GET", &format!("{path}/psd"), "a").await;
    assert_eq!(gone.code(), (410, "job_deleted".into()));
}

#[tokio::test]
async fn a_failed_job_has_no_export() {
    let server = TestServer::new();
    let id = server.created().await;
    server.fail(FailureCode::EngineFailed).await;
    let answer = server.get(&format!("/api/jobs/{id}/export/psd")).await;
    assert_eq!(answer.code(), (409, "job_failed".into()));
}

#[tokio::test]
async fn a_link_ends_with_its_time_its_job_and_any_letter_of_it_changed() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let (_, link) = links(&server, id).await.remove(0);
    let changed = server.get(&link.replace("layers.psd", "layers.ora")).await;
    assert_eq!(changed.code(), (403, "link_invalid".into()));
    let unsigned = server.get(link.split('?').next().unwrap()).await;
    assert_eq!(unsigned.code(), (403, "link_invalid".into()));
    assert_eq!(server.get(&link).await.status, StatusCode::OK);
    server.delete(&format!("/api/jobs/{id}")).await;
    assert_eq!(server.get(&link).await.code(), (410, "file_gone".into()));
    server.clock.advance(DAY);
    assert_eq!(server.get(&link).await.code(), (410, "link_expired".into()));
}

#[tokio::test]
async fn layers_that_are_not_what_their_row_says_are_a_defect_and_leave_nothing_behind() {
    let server = TestServer::new();
    let id = server.created().await;
    // The layers' files are no pictures.
    server.complete(id).await;
    let path = format!("/api/jobs/{id}/export");
    // A place is free again after each.
    for _ in 0..20 {
        let answer = server.get(&format!("{path}/psd")).await;
        assert_eq!(answer.code(), (500, "internal_error".into()));
    }
    let key = BlobKey::Layer(id, 1, MediaType::Png);
    server.blobs.put(&key, layer_file()).await.unwrap();
    assert_eq!(
        server.get(&format!("{path}/psd")).await.status,
        StatusCode::OK
    );
}

#[test]
fn the_formats_of_the_description_are_those_there_are() {
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let route = &doc["paths"]["/api/jobs/{id}/export/{format}"]["get"];
    let mut parameters = route["parameters"].as_array().unwrap().iter();
    let format = parameters.find(|parameter| parameter["name"] == "format");
    // The page finds the formats there.
    let listed: Vec<&str> = format.unwrap()["schema"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(listed, exports::words());
}
