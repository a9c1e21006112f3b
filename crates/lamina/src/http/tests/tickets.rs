//! Tickets: one picture, sent without a key, looked at when it is used.

use serde_json::json;

use super::*;
use crate::jobs::UploadId;
use crate::store::UploadStore as _;

async fn ticket(server: &TestServer, body: &Value) -> Value {
    let answer = ask(server, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

async fn ask(server: &TestServer, body: &Value) -> Answer {
    let request = request("POST", "/api/uploads").header("content-type", "application/json");
    server
        .send(request.body(body.to_string().into()).unwrap())
        .await
}

fn path_of(ticket: &Value) -> &str {
    let url = ticket["url"].as_str().unwrap();
    url.strip_prefix("http://lamina.test").unwrap()
}

async fn put(server: &TestServer, ticket: &Value, body: impl Into<Body>) -> Answer {
    let request = request("PUT", path_of(ticket));
    server.send(request.body(body.into()).unwrap()).await
}

async fn used(server: &TestServer, ticket: &Value) -> Answer {
    let body = json!({ "upload_id": ticket["upload_id"] });
    server.post_json(body.to_string()).await
}

async fn state(server: &TestServer, ticket: &Value) -> Value {
    let id = ticket["upload_id"].as_str().unwrap();
    server.get(&format!("/api/uploads/{id}")).await.json()
}

fn arrived(server: &TestServer) -> usize {
    let folder = server.folder.path().join("incoming");
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn a_ticket_takes_one_picture_that_is_checked_when_a_job_uses_it() {
    let server = TestServer::new();
    let terms = json!({"content_type": "image/png", "bytes": png(40, 30).len()});
    let given = ticket(&server, &terms).await;
    assert_eq!(given["headers"]["content-type"], "image/png");
    assert_eq!(given["method"], "PUT");
    assert_eq!(given["max_bytes"], terms["bytes"]);
    assert_eq!(given["expires_at"], "2026-11-22T15:11:57.000Z");
    assert_eq!(state(&server, &given).await["status"], "pending");
    assert_eq!(
        used(&server, &given).await.code(),
        (409, "upload_pending".into())
    );

    let sent = put(&server, &given, png(40, 30)).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "{:?}", sent.body);
    let there = state(&server, &given).await;
    assert_eq!(there["status"], "received");
    assert_eq!(there["received_bytes"], terms["bytes"]);
    assert!(server.blobs.owners().await.unwrap().uploads.is_empty());

    for _ in 0..2 {
        assert_eq!(used(&server, &given).await.status, StatusCode::ACCEPTED);
    }
    let checked = state(&server, &given).await;
    assert_eq!(checked["status"], "checked");
    assert_eq!(checked["upload"]["width"], 40);
    assert_eq!(checked["expires_at"], "2026-11-23T14:11:57.000Z");
    assert_eq!(arrived(&server), 0, "the unchecked bytes are gone");
    assert_eq!(server.jobs_with_bytes().await.len(), 2);
    let link = checked["upload"]["url"].as_str().unwrap();
    let link = link.strip_prefix("http://lamina.test").unwrap();
    assert_eq!(server.get(link).await.body, png(40, 30));
}

#[tokio::test]
async fn a_second_body_is_never_taken_neither_before_nor_after_the_check() {
    let server = TestServer::new();
    let given = ticket(&server, &json!({})).await;
    put(&server, &given, png(8, 8)).await;
    let twice = (409, "upload_already_received".to_owned());
    assert_eq!(put(&server, &given, png(9, 9)).await.code(), twice);
    assert_eq!(used(&server, &given).await.status, StatusCode::ACCEPTED);
    assert_eq!(put(&server, &given, png(9, 9)).await.code(), twice);
    assert_eq!(state(&server, &given).await["upload"]["width"], 8);
    assert_eq!(arrived(&server), 0);
}

#[tokio::test]
async fn a_picture_that_cannot_be_used_is_refused_when_it_is_used() {
    let server = TestServer::with(|state| state.images.max_side = 60);
    let mut cut = png(20, 20);
    cut.truncate(200);
    for (body, status, code) in [
        (
            b"%PDF-1.7 and so on".to_vec(),
            415,
            "image_format_unsupported",
        ),
        (b"just some words".to_vec(), 415, "image_unrecognised"),
        (cut, 422, "image_truncated"),
        (png(61, 2), 422, "image_too_large"),
    ] {
        let given = ticket(&server, &json!({})).await;
        assert_eq!(
            put(&server, &given, body).await.status,
            StatusCode::NO_CONTENT
        );
        let refused = used(&server, &given).await;
        assert_eq!(refused.code(), (status, code.into()));
        assert_eq!(refused.json()["errors"][0]["pointer"], "/upload_id");
        assert_eq!(used(&server, &given).await.code(), (status, code.into()));
    }
    assert!(server.blobs.owners().await.unwrap().uploads.is_empty());
    assert!(server.jobs_with_bytes().await.is_empty());
}

#[tokio::test]
async fn a_body_is_taken_whole_within_its_bounds_or_not_at_all() {
    let server = TestServer::with(|state| state.images.max_bytes = 5000);
    let too_many = (413, "image_too_many_bytes".to_owned());
    assert_eq!(ask(&server, &json!({"bytes": 5001})).await.code(), too_many);
    let exact = ticket(&server, &json!({"bytes": 100})).await;
    assert_eq!(put(&server, &exact, vec![0; 101]).await.code(), too_many);
    let streamed = futures_util::stream::iter(
        (0..200).map(|_| Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 100]))),
    );
    let open = ticket(&server, &json!({})).await;
    let endless = put(&server, &open, Body::from_stream(streamed)).await;
    assert_eq!(endless.code(), too_many);
    for (short, code) in [
        (put(&server, &exact, vec![0; 99]).await, "body_incomplete"),
        (put(&server, &open, Vec::new()).await, "image_empty"),
    ] {
        assert_eq!(short.code().1, code);
    }
    assert_eq!(arrived(&server), 0, "nothing of them is left");
    // And the links still take their one body.
    for given in [exact, open] {
        let sent = put(&server, &given, vec![0; 100]).await;
        assert_eq!(sent.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn a_body_that_hangs_gives_way_to_the_one_that_comes_after_it() {
    let server = TestServer::new();
    let given = ticket(&server, &json!({})).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(
        "half",
    ))])
    .chain(futures_util::stream::poll_fn(move |_| {
        if let Some(begun) = begun.take() {
            let _ = begun.send(());
        }
        std::task::Poll::Pending
    }));
    use futures_util::StreamExt as _;
    let (first, second) = tokio::join!(put(&server, &given, Body::from_stream(first)), async {
        has_begun.await.unwrap();
        put(&server, &given, png(8, 8)).await
    });
    assert_eq!(first.code(), (409, "upload_taken_over".into()));
    assert_eq!(second.status, StatusCode::NO_CONTENT);
    assert_eq!(used(&server, &given).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_ticket_is_its_owners_and_its_link_is_for_one_thing() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "a"), ("web", "b")]));
    let as_owner = |key: &'static str, method: &str, path: &str| {
        request(method, path)
            .header("authorization", key)
            .header("content-type", "application/json")
    };
    let asked = as_owner("Bearer a", "POST", "/api/uploads").body("{}".into());
    let given = server.send(asked.unwrap()).await.json();
    let sent = put(&server, &given, png(8, 8)).await;
    assert_eq!(sent.status, StatusCode::NO_CONTENT, "no key is asked for");
    let state = format!("/api/uploads/{}", given["upload_id"].as_str().unwrap());
    let body = json!({ "upload_id": given["upload_id"] }).to_string();
    for (key, status, code) in [("Bearer b", 404, "upload_missing"), ("Bearer a", 200, "")] {
        let answer = server
            .send(as_owner(key, "GET", &state).body(Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.json()["code"].as_str().unwrap_or_default(), code);
    }
    for (key, status) in [("Bearer b", 422), ("Bearer a", 202)] {
        let create = as_owner(key, "POST", "/api/jobs").body(body.clone().into());
        let answer = server.send(create.unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{key}");
    }
    // The link writes and does nothing else, and no other link writes.
    assert_eq!(server.get(path_of(&given)).await.code().1, "link_invalid");
    let reading = server.link(&BlobKey::Incoming(UploadId::new(T0)));
    let put = request("PUT", &reading).body(Body::from("x")).unwrap();
    assert_eq!(server.send(put).await.code().1, "link_invalid");
}

#[tokio::test]
async fn a_ticket_ends_with_its_time() {
    let server = TestServer::new();
    let given = ticket(&server, &json!({})).await;
    let filled = ticket(&server, &json!({})).await;
    put(&server, &filled, png(8, 8)).await;
    server.clock.advance(Duration::from_secs(3600));
    let late = put(&server, &given, png(8, 8)).await;
    assert_eq!(late.code(), (410, "link_expired".into()));
    for ticket in [given, filled] {
        let answer = used(&server, &ticket).await;
        assert_eq!(answer.code(), (422, "upload_not_found".into()));
        assert_eq!(state(&server, &ticket).await["code"], "upload_missing");
    }
}

#[tokio::test]
async fn a_link_whose_upload_was_forgotten_says_so() {
    let server = TestServer::new();
    let given = ticket(&server, &json!({})).await;
    let id = given["upload_id"].as_str().unwrap().parse().unwrap();
    server.store.incoming_forget(id).await.unwrap();
    let sent = put(&server, &given, png(8, 8)).await;
    assert_eq!(sent.code(), (410, "file_gone".into()));
    assert_eq!(arrived(&server), 0);
}

#[tokio::test]
async fn two_jobs_of_one_unchecked_upload_at_once_are_both_made() {
    let server = TestServer::new();
    let given = ticket(&server, &json!({})).await;
    put(&server, &given, png(300, 300)).await;
    let jobs = futures_util::future::join_all((0..6).map(|_| used(&server, &given))).await;
    for job in jobs {
        assert_eq!(job.status, StatusCode::ACCEPTED, "{:?}", job.body);
    }
    assert_eq!(server.jobs_with_bytes().await.len(), 6);
    assert_eq!(arrived(&server), 0);
    assert_eq!(server.blobs.owners().await.unwrap().uploads.len(), 1);
}
