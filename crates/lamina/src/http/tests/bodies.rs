//! Bodies that are too large, too slow or of the wrong type, as a handler meets them. How the same
//! looks on the wire is in `wire`.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::future::select_all;

use super::*;

/// A body that counts how often it was asked for more.
fn counted(chunk: &'static [u8], times: usize, asked: &Arc<AtomicUsize>) -> Body {
    let asked = Arc::clone(asked);
    Body::from_stream(futures_util::stream::iter(0..times).map(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(chunk))
    }))
}

#[tokio::test]
async fn a_body_is_not_read_beyond_its_limit() {
    let server = TestServer::with(|state| state.limits.json_bytes = 1000);
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = server.post_json(counted(&[b' '; 100], 1000, &asked)).await;
    assert_eq!(answer.code(), (413, "body_too_large".into()));
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(asked.load(Ordering::SeqCst), 11);
}

#[tokio::test]
async fn a_picture_of_20_mib_in_base64_fits_a_body() {
    let limits = RequestLimits::default();
    let fields = 2 * 4 * 4000 + 10_000;
    assert!(Limits::default().max_bytes.div_ceil(3) * 4 + fields <= limits.json_bytes);
}

#[tokio::test]
async fn only_json_is_taken_as_json() {
    let server = TestServer::new();
    let url = r#"{"image_url":"https://example.com/a.png"}"#;
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("text/json"),
    ] {
        let mut request = request("POST", "/api/jobs");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = server.send(request.body(url.into()).unwrap()).await;
        assert_eq!(
            answer.code(),
            (415, "unsupported_media_type".into()),
            "{kind:?}"
        );
    }
    let request =
        request("POST", "/api/jobs").header("content-type", "application/json; charset=UTF-8");
    assert_eq!(
        server.send(request.body(url.into()).unwrap()).await.status,
        202
    );
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_is_told_and_not_hidden() {
    let server = TestServer::with(|state| state.limits.memory_bytes = 10);
    std::fs::remove_dir(server.folder.path().join("spool")).unwrap();
    let answer = server.post_json(base64_body(&png(9, 9))).await;
    assert_eq!(answer.code(), (503, "storage_unavailable".into()));
}

#[tokio::test]
async fn more_pictures_than_places_wait_and_then_are_told_to_come_back() {
    let server = TestServer::with(|state| {
        state.limits.capacity_pictures = 1;
        state.limits.capacity_wait = Duration::from_millis(20);
    });
    let (entered, has_entered) = tokio::sync::oneshot::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    // The pool's only thread is held, so one create keeps the only place.
    let held = server.pool.run(8, move || {
        entered.send(()).unwrap();
        may_leave.recv().unwrap();
    });
    let body = base64_body(&large_png());
    let creates = async {
        has_entered.await.unwrap();
        // Either may find the place; the other is told while the pool is still held.
        let both = [(); 2].map(|()| Box::pin(server.post_json(body.clone())));
        let (told, _, mut rest) = select_all(both).await;
        leave.send(()).unwrap();
        (told, rest.remove(0).await)
    };
    let (held, (told, kept)) = tokio::join!(held, creates);
    held.unwrap();
    assert_eq!(told.code(), (503, "server_busy".into()));
    assert_eq!(told.header("retry-after"), "3");
    assert_eq!(kept.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_path_that_is_no_text_names_nothing() {
    let server = TestServer::new();
    for path in [
        "/api/jobs/%ff",
        "/api/jobs/%ff/layers",
        "/files/%ff/a/b",
        "/%ff",
    ] {
        assert_eq!(
            server.get(path).await.code(),
            (404, "route_not_found".into()),
            "{path}"
        );
    }
}
