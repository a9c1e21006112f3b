//! Bounds on what is kept, as the worker meets them: when a picture has been fetched, and before it is
//! paid for.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use lamina::access::StorageCaps;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::support::{TestApp, Way, emulator, files, picture, png_bytes};

/// A host that says when its picture is asked for, and gives it away when it is told to.
struct Host {
    url: String,
    asked: Arc<Notify>,
    go: Arc<Notify>,
}

impl Host {
    async fn start() -> Self {
        let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, told) = (Arc::clone(&asked), Arc::clone(&go));
        let answer = move || async move {
            tell.notify_one();
            told.notified().await;
            png_bytes(&picture(64, 48))
        };
        let router = Router::new().route("/a.png", get(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a.png", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, go }
    }
}

/// A job whose owner is bound to so many bytes while its picture is fetched.
async fn bounded_meanwhile(app: &TestApp, owner_bytes: u64) -> Value {
    let host = Host::start().await;
    let id = app.create(&json!({ "image_url": host.url })).await;
    host.asked.notified().await;
    app.store.bound_storage(StorageCaps {
        owner_bytes: Some(owner_bytes),
        ..StorageCaps::default()
    });
    host.go.notify_one();
    app.finished(&id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetched_picture_without_room_ends_its_job_and_is_not_kept() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let job = bounded_meanwhile(&app, 1).await;
    assert_eq!(job["error_code"], "storage_quota_exceeded", "{job}");
    let kept = files(&app.folder.path().join("blobs/jobs"));
    assert!(kept.is_empty(), "{kept:?}");
    assert_eq!(app.store.storage_usage(0).await.unwrap().total(), 0);
    assert_eq!(emulator.submissions_count(), 0);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_layers_would_have_no_room_is_not_paid_for() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    // Room for the picture, and not for what would be made of it.
    let job = bounded_meanwhile(&app, 1 << 20).await;
    assert_eq!(job["error_code"], "storage_quota_exceeded", "{job}");
    assert!(app.store.storage_usage(0).await.unwrap().total() > 0);
    assert_eq!(emulator.submissions_count(), 0);
    assert_eq!(emulator.uploads().len(), 0);
    app.stop().await;
    emulator.stop().await;
}
