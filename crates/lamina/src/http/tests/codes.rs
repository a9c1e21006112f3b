//! Every code that is documented is really answered, with its documented status.

use std::collections::BTreeMap;
use std::convert::Infallible;

use image_intake::ImageError;
use uuid::Uuid;

use super::*;
use crate::blobs::{BucketSettings, BucketStyle};
use crate::store::{ExpiryStore as _, JobStore as _};

/// What was seen, by code.
#[derive(Default)]
struct Seen(BTreeMap<String, u16>);

impl Seen {
    fn add(&mut self, answer: &Answer) {
        let (status, code) = answer.code();
        if let Some(before) = self.0.insert(code.clone(), status) {
            assert_eq!(before, status, "{code}");
        }
    }
}

fn unending() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>())
}

fn broken_off() -> Body {
    let error = std::io::Error::other("reset by peer");
    Body::from_stream(futures_util::stream::iter([
        Ok(Bytes::from("{")),
        Err(error),
    ]))
}

async fn post(app: &TestServer, path: &str, kind: &str, body: Body) -> Answer {
    let request = request("POST", path).header("content-type", kind);
    app.send(request.body(body).unwrap()).await
}

async fn of_requests(seen: &mut Seen) {
    let app = TestServer::with(|state| {
        state.limits.json_bytes = 200_000;
        state.limits.json_total = Duration::from_millis(30);
        state.limits.upload_idle = Duration::from_millis(30);
    });
    let json = "application/json";
    let url = r#"{"image_url":"https://example.com/a.png"}"#;
    seen.add(&post(&app, "/api/jobs", json, "{".into()).await);
    seen.add(&post(&app, "/api/jobs", json, broken_off()).await);
    seen.add(&post(&app, "/api/jobs", json, unending()).await);
    seen.add(&post(&app, "/api/upload", "image/png", unending()).await);
    seen.add(&post(&app, "/api/jobs", json, "x".repeat(200_001).into()).await);
    seen.add(&post(&app, "/api/jobs", "text/plain", url.into()).await);
    seen.add(&post(&app, "/api/jobs", json, "{}".into()).await);
    seen.add(&post(&app, "/api/upload", "multipart/form-data", Body::empty()).await);
    for (encoding, body) in [("br", "{}"), ("gzip", "\x1f\u{b}")] {
        let request = request("POST", "/api/jobs").header("content-type", json);
        let request = request.header("content-encoding", encoding);
        seen.add(&app.send(request.body(body.into()).unwrap()).await);
    }
    seen.add(&app.post_with_key("", url).await);
    app.post_with_key("k", url).await;
    seen.add(&app.post_with_key("k", "{}").await);
    seen.add(&app.get("/api/jobs?limit=no").await);
    let no_host = Request::builder().uri("/api/jobs/x").body(Body::empty());
    seen.add(&app.send(no_host.unwrap()).await);
    for (name, value) in [("host", "evil.test"), ("origin", "https://evil.test")] {
        let mut asked = request("POST", "/api/upload").body(Body::empty()).unwrap();
        asked.headers_mut().insert(name, value.parse().unwrap());
        seen.add(&app.send(asked).await);
    }
    let twice = request("GET", "/api/jobs").header("authorization", "Bearer a");
    let twice = twice.header("authorization", "Bearer b");
    seen.add(&app.send(twice.body(Body::empty()).unwrap()).await);
    let upload = format!(r#"{{"upload_id":"{}"}}"#, Uuid::nil());
    seen.add(&app.post_json(upload).await);
    let fal = r#"{"image_url":"https://example.com/a.png","engine":"fal"}"#;
    seen.add(&app.post_json(fal).await);
    seen.add(&app.get("/nothing").await);
    seen.add(&app.get("/api/jobs/nothing").await);
    seen.add(&app.get("/api/webhooks/deliveries/nothing").await);
    seen.add(&app.delete("/api/jobs").await);
}

async fn of_jobs(seen: &mut Seen) {
    let app = TestServer::new();
    let id = app.created().await;
    let layers = format!("/api/jobs/{id}/layers");
    seen.add(&app.get(&layers).await);
    app.fail(FailureCode::EngineFailed).await;
    seen.add(&app.get(&layers).await);
    app.delete(&format!("/api/jobs/{id}")).await;
    seen.add(&app.get(&layers).await);
    let id = app.created().await;
    app.clock.advance(DAY);
    app.store.job_expire(app.clock.now(), 9).await.unwrap();
    seen.add(&app.get(&format!("/api/jobs/{id}")).await);
}

async fn of_uploads(seen: &mut Seen) {
    let app = TestServer::new();
    let ticket = post(&app, "/api/uploads", "application/json", "{}".into()).await;
    let ticket = ticket.json();
    seen.add(&app.get("/api/uploads/none").await);
    let used = format!(r#"{{"upload_id":{}}}"#, ticket["upload_id"]);
    seen.add(&app.post_json(used).await);
    let link = ticket["url"].as_str().unwrap().to_owned();
    let put = || request("PUT", link.strip_prefix("http://lamina.test").unwrap());
    app.send(put().body("x".into()).unwrap()).await;
    seen.add(&app.send(put().body("x".into()).unwrap()).await);
    super::tus::codes(&mut |answer| seen.add(answer)).await;
}

async fn of_links(seen: &mut Seen) {
    let app = TestServer::new();
    let key = BlobKey::Layer(app.row().await, 0, MediaType::Png);
    let link = app.link(&key);
    seen.add(&app.get("/files/a/b/c").await);
    seen.add(&app.get(&link).await);
    app.blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let range = request("GET", &link).header("range", "bytes=9-");
    seen.add(&app.send(range.body(Body::empty()).unwrap()).await);
    app.clock.advance(DAY);
    seen.add(&app.get(&link).await);
}

/// A bucket that refuses its key, as far as one answer goes.
async fn of_a_bucket(seen: &mut Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let refuses = || async { (StatusCode::FORBIDDEN, "<Code>AccessDenied</Code>") };
    let routes = axum::Router::new().fallback(refuses);
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    let settings = BucketSettings {
        name: "pictures".into(),
        prefix: String::new(),
        endpoint: endpoint.parse().unwrap(),
        public_endpoint: None,
        region: "auto".into(),
        style: BucketStyle::Path,
        access_key_id: "id".into(),
        secret_access_key: "key".into(),
    };
    let app = TestServer::with(|state| state.blobs = Blobs::bucket(&settings).unwrap());
    let refused = post(&app, "/api/upload", "image/png", png(8, 8).into()).await;
    assert!(!refused.headers.contains_key("retry-after"));
    seen.add(&refused);
    server.abort();
}

async fn of_pictures(seen: &mut Seen) {
    let app = TestServer::with(|state| {
        state.images.max_bytes = 4000;
        state.images.max_side = 60;
        state.images.min_side = 2;
    });
    let mut cut = png(8, 8);
    cut.truncate(60);
    let mut corrupt = png(8, 8);
    corrupt[45] ^= 0xFF;
    let jpeg_arithmetic = [
        &[0xFF, 0xD8, 0xFF, 0xC9, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0][..],
        &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0, 0xFF, 0xD9],
    ]
    .concat();
    let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0];
    let jpeg_of_scans = [
        &[0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0][..],
        &scan.repeat(101),
        &[0xFF, 0xD9],
    ]
    .concat();
    let files = [
        Vec::new(),
        b"hello".to_vec(),
        jpeg_of_scans,
        b"%PDF-1.7".to_vec(),
        jpeg_arithmetic,
        vec![0; 4001],
        png(61, 2),
        png(1, 9),
        cut,
        corrupt,
    ];
    for file in files {
        seen.add(&post(&app, "/api/upload", "image/png", file.into()).await);
    }
    seen.add(&app.post_json(r#"{"image_base64":"!"}"#).await);
}

async fn of_the_server(seen: &mut Seen) {
    let guarded = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key")]));
    seen.add(&guarded.get("/api/jobs").await);

    super::admin::codes(&mut |answer| seen.add(answer)).await;
    super::quotas::codes(&mut |answer| seen.add(answer)).await;
    super::wire::codes(&mut |answer| seen.add(answer)).await;
    super::limits::codes(&mut |answer| seen.add(answer)).await;
    super::events::codes(&mut |answer| seen.add(answer)).await;
    seen.add(&busy_answer().await);

    seen.add(&full_answer().await);
    seen.add(&damaged_answer().await);
    let app = TestServer::new();
    app.draining.cancel();
    seen.add(&app.get("/readyz").await);
    app.store.close().await;
    seen.add(&app.get("/api/jobs").await);

    async fn panics() {
        panic!("for the test");
    }
    let app = TestServer {
        router: layered(
            Router::new().route("/", get(panics)),
            RequestObserver::default(),
        ),
        ..TestServer::new()
    };
    seen.add(&app.get("/").await);
}

async fn of_exports(seen: &mut Seen) {
    let app = TestServer::new();
    let id = app.created().await;
    // Two layers of 268 megapixels make more than a PSD's 2 GB.
    app.complete_with(id, |layer| {
        let (width, height) = (16_384, 16_384);
        (layer.width, layer.height) = (width, height);
        layer.bbox = Some(BoundingBox {
            x: 0,
            y: 0,
            width,
            height,
        });
    })
    .await;
    for format in ["xcf", "psd"] {
        let answer = app.get(&format!("/api/jobs/{id}/export/{format}")).await;
        seen.add(&answer);
    }
    let large = app.created().await;
    let long = |layer: &mut Layer| (layer.width, layer.height) = (16_384, 3000);
    app.complete_with(large, long).await;
    let link = app.link(&BlobKey::Layer(large, 0, MediaType::Png));
    seen.add(&app.get(&format!("{link}&format=webp")).await);
}

/// Every way in for a picture, below the floor of the disk; what erases and reads works.
async fn full_answer() -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().to_owned();
    let app = TestServer::with(move |state| {
        state.space = Space::over(vec![given], Floor::Bytes(u64::MAX / 2));
    });
    let answers = [
        app.post_json(base64_body(&png(2, 2))).await,
        app.post_json(r#"{"image_url":"https://example.com/a.png"}"#)
            .await,
        post(&app, "/api/upload", "image/png", png(2, 2).into()).await,
        post(&app, "/api/uploads", "application/json", "{}".into()).await,
    ];
    for answer in &answers {
        assert_eq!(answer.code(), (507, "storage_full".into()));
        assert_eq!(answer.header("retry-after"), "15");
    }
    let tus = request("POST", "/api/uploads/tus")
        .header("tus-resumable", "1.0.0")
        .header("upload-length", "9");
    let tus = app.send(tus.body(Body::empty()).unwrap()).await;
    assert_eq!(tus.code(), (507, "storage_full".into()));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.json()["checks"]["space"], "failed");
    let id = app.row().await;
    assert!(matches!(
        app.store.job_delete(&OwnerId::named("app"), id, T0).await,
        Ok(crate::store::Deletion::Done(_))
    ));
    let [answer, ..] = answers;
    answer
}

/// The answer of a server whose database was overwritten under it.
async fn damaged_answer() -> Answer {
    let app = TestServer::new();
    app.row().await;
    assert!(app.store.journal_empty().await.unwrap());
    let path = app.folder.path().join("lamina.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // All but the first page, which names the tables.
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let answer = app.get("/api/jobs").await;
    assert_eq!(answer.code(), (500, "database_damaged".into()));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.json()["checks"]["database"], "failed");
    answer
}

/// The answer of a server whose pool has one thread and no queue, while that thread is held.
async fn busy_answer() -> Answer {
    let pool = Pool::new(PoolSize {
        threads: 1,
        megapixels: 1,
        queue: 0,
    });
    let given = pool.clone();
    let app = TestServer::with(move |state| state.pool = given);
    let (entered, has_entered) = tokio::sync::oneshot::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    let held = pool.run(1, move || {
        entered.send(()).unwrap();
        may_leave.recv().unwrap();
    });
    let asked = async {
        has_entered.await.unwrap();
        let answer = app.post_json(base64_body(&large_png())).await;
        leave.send(()).unwrap();
        answer
    };
    let (held, answer) = tokio::join!(held, asked);
    held.unwrap();
    assert_eq!(answer.header("retry-after"), "3");
    answer
}

#[tokio::test]
async fn every_documented_code_is_answered_with_its_status() {
    let mut seen = Seen::default();
    of_requests(&mut seen).await;
    of_jobs(&mut seen).await;
    of_links(&mut seen).await;
    of_uploads(&mut seen).await;
    of_pictures(&mut seen).await;
    of_a_bucket(&mut seen).await;
    of_the_server(&mut seen).await;
    of_exports(&mut seen).await;
    super::hooks::codes(&mut |answer| seen.add(answer)).await;
    let documented: BTreeMap<String, u16> = ApiError::codes()
        .into_iter()
        .map(|(code, status)| (code.to_owned(), status))
        .collect();
    assert_eq!(seen.0, documented);
}

#[test]
fn every_code_of_a_picture_is_one_of_the_edge() {
    let known = |code: &str| ApiError::codes().contains_key(code);
    for code in ImageError::CODES {
        assert_eq!(known(code), code != "image_internal", "{code}");
    }
}

#[test]
fn every_code_and_every_route_is_in_the_documentation() {
    let errors = include_str!("../../../../../docs/errors.md");
    for (code, status) in ApiError::codes() {
        let row = format!("| `{code}` | {status} |");
        assert!(errors.contains(&row), "{code}");
    }
    for code in FailureCode::ALL {
        assert!(
            errors.contains(&format!("| `{}` |", code.as_str())),
            "{code:?}"
        );
    }
    let page = include_str!("../../../../../docs/api.md");
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    for (path, item) in doc["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let heading = format!("{} {path}", method.to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
    }
}
