//! What a stranger's web page can make a browser send to a service without keys, over real
//! sockets: by a name that the stranger's DNS points here, and across origins.

use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, Way, json_of, picture, png_base64, png_bytes};

/// How a browser comes to the service when `name` was pointed at it.
fn rebound(app: &TestApp, name: &str, http2: bool) -> (Client, String) {
    let address: SocketAddr = app.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut client = Client::builder().no_proxy().resolve(name, address);
    if http2 {
        client = client.http2_prior_knowledge();
    }
    let base = format!("http://{name}:{}", address.port());
    (client.build().unwrap(), base)
}

/// Status and code of listing the jobs under a name.
async fn listing(app: &TestApp, name: &str, http2: bool) -> (StatusCode, Value) {
    let (client, base) = rebound(app, name, http2);
    let answer = client.get(format!("{base}/api/jobs")).send().await.unwrap();
    (answer.status(), json_of(answer).await["code"].clone())
}

async fn answers_to(app: &TestApp, own: &[&str], strange: &[&str]) {
    for http2 in [false, true] {
        for name in own {
            let found = listing(app, name, http2).await;
            assert_eq!(found, (StatusCode::OK, Value::Null), "{name} {http2}");
        }
        for name in strange {
            let found = listing(app, name, http2).await;
            let refused = (StatusCode::MISDIRECTED_REQUEST, json!("host_not_allowed"));
            assert_eq!(found, refused, "{name} {http2}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_a_strangers_dns_points_here_is_not_answered() {
    let app = TestApp::start(Way::Local, None).await;
    let own = ["localhost", "LOCALHOST", "app.localhost", "localhost."];
    let strange = [
        "rebound.example",
        "localhost.example",
        "127.0.0.1.nip.example",
        "notlocalhost",
        "lamina.example",
    ];
    answers_to(&app, &own, &strange).await;
    let answer = app.get("/api/jobs").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{}", app.base);
    // An address cannot be rebound: what stands there is what the browser asked.
    for host in ["10.0.2.2:8080", "[fd00::7]", "192.0.2.1"] {
        let asked = app.get("/api/jobs").header("host", host);
        assert_eq!(
            asked.send().await.unwrap().status(),
            StatusCode::OK,
            "{host}"
        );
    }
    // Nothing of a refused page's wish is done.
    let (client, base) = rebound(&app, "rebound.example", false);
    let body = json!({ "image_base64": png_base64(&picture(32, 32)) });
    let create = client.post(format!("{base}/api/jobs")).json(&body);
    assert_eq!(create.send().await.unwrap().status(), 421);
    assert!(app.jobs().await.is_empty());
    // What tells nothing about anybody is told to everybody.
    for path in ["/healthz", "/readyz", "/openapi.json", "/"] {
        let answer = client.get(format!("{base}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_names_are_answered() {
    let setup = Setup::new(Way::Local)
        .with("PUBLIC_URL", "https://Layers.example.com/lamina")
        .with("ALLOWED_HOSTS", "lamina.local,Box.lan");
    let app = TestApp::start_with(setup, None).await;
    let own = ["layers.example.com", "lamina.local", "box.lan", "localhost"];
    let strange = ["example.com", "a.lamina.local", "rebound.example"];
    answers_to(&app, &own, &strange).await;
    app.stop().await;

    let setup = Setup::new(Way::Local).with("ALLOWED_HOSTS", "*");
    let app = TestApp::start_with(setup, None).await;
    answers_to(&app, &["anything.example"], &[]).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_keys_answers_under_any_name_to_whoever_has_one() {
    let setup = Setup::new(Way::Local).with("API_KEYS", "app:0123456789abcdef");
    let app = TestApp::start_with(setup, None).await;
    let (client, base) = rebound(&app, "rebound.example", false);
    let list = client.get(format!("{base}/api/jobs"));
    let status = async |request: RequestBuilder| request.send().await.unwrap().status();
    assert_eq!(status(list.try_clone().unwrap()).await, 401);
    assert_eq!(status(list.bearer_auth("0123456789abcdef")).await, 200);
    let upload = |key: &str| {
        let request = app.client.post(format!("{}/api/upload", app.base));
        let request = request.header("origin", "https://evil.example");
        request.bearer_auth(key).body(png_bytes(&picture(32, 32)))
    };
    assert_eq!(status(upload("wrong")).await, 401);
    assert_eq!(status(upload("0123456789abcdef")).await, 201);
    app.stop().await;
}

/// An upload as a page of `origin` can send it without the browser asking first.
fn upload_from(app: &TestApp, origin: &str, form: bool) -> RequestBuilder {
    let picture = png_bytes(&picture(32, 32));
    let request = app.client.post(format!("{}/api/upload", app.base));
    let request = request.header("origin", origin);
    if form {
        let part = reqwest::multipart::Part::bytes(picture);
        request.multipart(reqwest::multipart::Form::new().part("file", part))
    } else {
        request.header("content-type", "text/plain").body(picture)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_changes_nothing() {
    let app = TestApp::start(Way::Local, None).await;
    let uploads = app.folder.path().join("blobs/uploads");
    let port = app.base.rsplit_once(':').unwrap().1;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:1",
        &format!("http://evil.example:{port}"),
        &format!("http://127.0.0.1.evil.example:{port}"),
        "file://",
        "",
    ] {
        for form in [false, true] {
            let answer = upload_from(&app, origin, form).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin:?}");
            assert_eq!(json_of(answer).await["code"], "origin_not_allowed");
        }
        let url = format!("{}/api/jobs/{}", app.base, uuid::Uuid::nil());
        let delete = app.client.request(Method::DELETE, url);
        let answer = delete.header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin:?}");
    }
    let kept = std::fs::read_dir(&uploads).map_or(0, Iterator::count);
    assert_eq!(kept, 0, "nothing is kept of a refused upload");
    // The service's own page, and whatever is no page.
    let own = app.base.clone();
    assert_eq!(
        upload_from(&app, &own, true).send().await.unwrap().status(),
        201
    );
    // A read is answered; the browser keeps the answer from the page, because nothing allows it.
    let read = app
        .get("/api/jobs")
        .header("origin", "https://evil.example");
    let read = read.send().await.unwrap();
    assert_eq!(read.status(), StatusCode::OK);
    assert!(!read.headers().contains_key("access-control-allow-origin"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_may_read_may_also_change() {
    let setup = Setup::new(Way::Local)
        .with(
            "CORS_ORIGINS",
            "http://localhost:3000,https://app.example.com",
        )
        .with("PUBLIC_URL", "https://layers.example.com");
    let app = TestApp::start_with(setup, None).await;
    for (origin, status) in [
        ("http://localhost:3000", 201),
        ("https://app.example.com", 201),
        // A proxy may ask by another name than the browser did.
        ("https://layers.example.com", 201),
        ("http://app.example.com", 403),
        ("https://app.example.com:444", 403),
    ] {
        let answer = upload_from(&app, origin, false).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{origin}");
    }
    app.stop().await;
}
