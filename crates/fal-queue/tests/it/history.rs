//! The list of an endpoint's requests.

use fal_queue::{Class, Client, History};
use serde_json::{Value, json};

use crate::server::{Server, reply};
use crate::{KEY, client, model};

const NOON: i64 = 1_795_348_800_000;

async fn listed(client: &Client) -> History {
    client.history(&model(), NOON).await.unwrap()
}

fn item(id: &str, sent_at: &str) -> Value {
    json!({"request_id": id, "endpoint_id": "fal-ai/qwen-image-layered", "sent_at": sent_at,
        "started_at": sent_at, "ended_at": null, "status_code": null, "duration": null})
}

#[tokio::test]
async fn pages_are_followed_to_the_end_with_the_ordinary_key() {
    let mut tagged = item("b", "2026-11-22T13:00:01.5+01:00");
    tagged["tags"] = json!({"lamina-nonce": "abc"});
    let server = Server::start([
        reply(200, json!({"items": [item("a", "2026-11-22T12:00:01Z")], "next_cursor": "Mg==", "has_more": true}))
            .with("date", "Sun, 22 Nov 2026 12:00:09 GMT"),
        reply(200, json!({"items": [tagged], "next_cursor": null, "has_more": false})),
    ])
    .await;
    let history = listed(&client(&server.url)).await;
    assert!(history.complete);
    let requests: Vec<_> = history
        .requests
        .iter()
        .map(|request| (request.request_id.as_str(), request.sent_ms))
        .collect();
    assert_eq!(requests, [("a", NOON + 1000), ("b", NOON + 1500)]);
    assert_eq!(
        history.requests[1].tags,
        [("lamina-nonce".to_owned(), "abc".to_owned())]
    );
    assert!(history.server_ms.unwrap() >= NOON + 9000);
    let seen = server.seen();
    assert_eq!(
        seen[0].target,
        "/v1/models/requests/by-endpoint?endpoint_id=fal-ai%2Fqwen-image-layered\
         &start=2026-11-22T12%3A00%3A00.000Z&limit=100"
    );
    assert!(seen[1].target.ends_with("&cursor=Mg%3D%3D"));
    assert_eq!(
        seen[0].header("authorization"),
        Some(&*format!("Key {KEY}"))
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_not_complete() {
    let server = Server::start([]).await;
    let client = client(&server.url);
    let unreadable = [
        json!({"items": [{"request_id": "a"}]}),
        json!({"items": [{"request_id": "../x", "sent_at": "2026-11-22T12:00:01Z"}]}),
        json!({"items": [{"request_id": "a", "sent_at": "yesterday"}]}),
        json!({"items": ["a"]}),
        json!({"items": [], "has_more": true}),
    ];
    for page in unreadable {
        server.push(reply(200, &page));
        assert!(!listed(&client).await.complete, "{page}");
    }
    // A cursor that leads nowhere new, and a list without end.
    let circle = json!({"items": [], "next_cursor": "x", "has_more": true});
    server.push(reply(200, &circle));
    server.push(reply(200, &circle));
    assert!(!listed(&client).await.complete);
    for page in 0..10 {
        let next = format!("c{page}");
        server.push(reply(
            200,
            json!({"items": [], "next_cursor": next, "has_more": true}),
        ));
    }
    assert!(!listed(&client).await.complete);
    server.push(reply(200, json!({"items": []})));
    assert!(listed(&client).await.complete);
}

#[tokio::test]
async fn a_list_that_is_not_given_is_an_error() {
    let server = Server::start([
        reply(503, ""),
        reply(404, json!({"detail": "Not Found"})),
        reply(200, json!({"detail": "?"})),
    ])
    .await;
    let client = client(&server.url);
    for class in [Class::Retryable, Class::NotFound, Class::Permanent] {
        let error = client.history(&model(), NOON).await.unwrap_err();
        assert_eq!(error.class(), class);
    }
}
