//! Paths with a slash too many.

use super::*;

#[tokio::test]
async fn a_slash_too_many_changes_nothing() {
    let server = TestServer::new();
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    for path in ["//api/jobs", "/api/jobs/", "/api//jobs", "///api//jobs//"] {
        let request = request("POST", path).header("content-type", "application/json");
        let answer = server.send(request.body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{path}");
        let location = answer.header("location").to_owned();
        assert_eq!(
            server.get(&format!("/{location}/")).await.status,
            200,
            "{location}"
        );
    }
    let key = BlobKey::Layer(server.row().await, 0, MediaType::Png);
    server
        .blobs
        .put(&key, Bytes::from_static(b"x"))
        .await
        .unwrap();
    assert_eq!(
        server.get(&format!("/{}", server.link(&key))).await.status,
        200
    );
    assert_eq!(server.get("//").await.status, 200);
    assert_eq!(
        server.get("//nothing/").await.code(),
        (404, "route_not_found".into())
    );
    assert_eq!(server.get("/healthz/").await.status, 200);
}

#[tokio::test]
async fn a_resumable_upload_begins_at_an_address_that_ends_in_a_slash() {
    let server = TestServer::new();
    let begun = request("POST", "/api/uploads/tus/")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "5");
    let begun = server.send(begun.body(Body::empty()).unwrap()).await;
    assert_eq!(begun.status, StatusCode::CREATED);
    let asked = request("OPTIONS", "/api/uploads/tus/").body(Body::empty());
    assert_eq!(
        server.send(asked.unwrap()).await.header("tus-version"),
        "1.0.0"
    );
    let part = request("PATCH", &format!("/{}/", begun.header("location")))
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", "0")
        .header("content-type", "application/offset+octet-stream");
    let part = server.send(part.body("hello".into()).unwrap()).await;
    assert_eq!(
        (part.status.as_u16(), part.header("upload-offset")),
        (204, "5")
    );
}

#[tokio::test]
async fn a_slash_too_many_opens_no_door() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key")]));
    for path in [
        "//api/jobs",
        "/api/jobs/",
        "//api/admin/keys",
        "/api/admin//stats/",
    ] {
        assert_eq!(server.get(path).await.code().0, 401, "{path}");
    }
}

#[tokio::test]
async fn an_address_in_a_header_keeps_the_path_of_public_url() {
    for (public, wanted) in [
        (None, "/api/jobs/"),
        (Some("https://layers.example.com"), "/api/jobs/"),
        (Some("https://layers.example.com/app"), "/app/api/jobs/"),
        (Some("https://layers.example.com/a/b/"), "/a/b/api/jobs/"),
    ] {
        let server =
            TestServer::with(|state| state.public_url = public.map(|url| url.parse().unwrap()));
        let created = server
            .post_with_key("k", r#"{"image_url":"https://example.com/a.png"}"#)
            .await;
        let location = created.header("location").to_owned();
        assert!(location.starts_with(wanted), "{public:?} {location}");
        let again = server
            .post_with_key("k", r#"{"image_url":"https://example.com/a.png"}"#)
            .await;
        assert_eq!(again.header("location"), location, "a repeated create");
    }
}
