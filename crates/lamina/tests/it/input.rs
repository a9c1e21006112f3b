//! URLs that lead nowhere good, and the command line, with the real binary where it matters.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Process, Setup, TestApp, Way, picture, png_bytes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_leads_nowhere_good_fails_its_job_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let whole = png_bytes(&picture(200, 200));
    let half = whole[..whole.len() / 2].to_vec();
    let routes = Router::new()
        .route(
            "/page",
            get(|| async { "<!doctype html><title>no picture</title>" }),
        )
        .route("/half.png", get(move || async move { half }))
        .route("/noise", get(|| async { vec![7u8; 500] }))
        .route("/nothing", get(|| async { StatusCode::NOT_FOUND }))
        .route(
            "/inside",
            get(|| async { (StatusCode::FOUND, [("location", "http://10.0.0.1/x.png")]) }),
        )
        .route(
            "/heic.jpg",
            get(|| async { b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec() }),
        );
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    let app = TestApp::start(Way::Local, None).await;
    for (url, code) in [
        (format!("{base}/page"), "image_format_unsupported"),
        (format!("{base}/noise"), "image_unrecognised"),
        (format!("{base}/half.png"), "image_truncated"),
        (format!("{base}/heic.jpg"), "image_format_unsupported"),
        (format!("{base}/nothing"), "fetch_status"),
        (format!("{base}/inside"), "fetch_address_refused"),
        (
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "fetch_address_refused",
        ),
        (
            "http://[::ffff:10.0.0.1]/".to_owned(),
            "fetch_address_refused",
        ),
        (
            "https://me:secret@127.0.0.1/".to_owned(),
            "fetch_credentials_refused",
        ),
    ] {
        let id = app.create(&json!({ "image_url": url })).await;
        let job = app.finished(&id).await;
        assert_eq!(job["error_code"], code, "{url}: {job}");
        assert!(!job["error"].as_str().unwrap().contains("secret"));
    }
    app.stop().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_listed_sources_are_opened_and_a_redirect_leads_to_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let file = png_bytes(&picture(64, 48));
    let open = move || {
        let file = file.clone();
        async move { file }
    };
    let routes = Router::new()
        .route("/listed/a.png", get(open.clone()))
        .route("/other/a.png", get(open))
        .route(
            "/listed/away.png",
            get(|| async { (StatusCode::FOUND, [("location", "/other/a.png")]) }),
        );
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    let setup = Setup::new(Way::Local).with("FETCH_ALLOW_PREFIXES", &format!("{base}/listed/"));
    let app = TestApp::start_with(setup, None).await;
    for (path, code) in [
        ("/listed/a.png", json!(null)),
        ("/other/a.png", json!("fetch_source_refused")),
        ("/listed/../other/a.png", json!("fetch_source_refused")),
        ("/listed/away.png", json!("fetch_source_refused")),
    ] {
        let id = app
            .create(&json!({ "image_url": format!("{base}{path}") }))
            .await;
        let job = app.finished(&id).await;
        assert_eq!(job["error_code"], code, "{path}: {job}");
    }
    app.stop().await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_default_no_url_on_this_machine_is_opened() {
    let setup = Setup::new(Way::Local)
        .with("FETCH_ALLOW_NETS", "")
        .with("FETCH_ALLOW_HTTP", "false");
    let app = TestApp::start_with(setup, None).await;
    for (url, code) in [
        ("http://127.0.0.1/x.png", "fetch_scheme_refused"),
        ("https://127.0.0.1/x.png", "fetch_address_refused"),
    ] {
        let id = app.create(&json!({ "image_url": url })).await;
        assert_eq!(app.finished(&id).await["error_code"], code);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn split_writes_layers_and_a_manifest_or_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("in.png"), folder.path().join("out"));
    std::fs::write(&image, png_bytes(&picture(120, 90))).unwrap();
    let arguments = [
        "split",
        image.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
        "--layers",
        "3",
    ];
    let (status, said) = Process::command(&arguments, &[]).ended().await;
    assert!(status.success(), "{said}");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(
        (&manifest["width"], &manifest["height"], &manifest["engine"]),
        (&json!(120), &json!(90), &json!("local"))
    );
    for (order, layer) in manifest["layers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(layer["file"], format!("layer_{order}.png"));
        assert!(out.join(layer["file"].as_str().unwrap()).exists());
    }

    std::fs::write(&image, "no picture").unwrap();
    let (status, said) = Process::command(&arguments, &[]).ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("image_unrecognised"), "{said}");
    let (status, said) = Process::command(&["split", "nowhere.png", "--engine", "fal"], &[])
        .ended()
        .await;
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("FAL_API_KEY"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let (status, said) = Process::command(&["check"], &[("DATABASE_PATH", database.as_str())])
        .ended()
        .await;
    assert!(status.success(), "{said}");
    let bad = [
        ("DATABASE_PATH", database.as_str()),
        ("STORAGE_URL", "file:/proc/nowhere"),
    ];
    let (status, said) = Process::command(&["check"], &bad).ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let (status, _) = Process::command(&["migrate"], &[("DATABASE_PATH", database.as_str())])
        .ended()
        .await;
    assert!(status.success());
}
