//! Erasing a request: the key of ADMIN scope and no other, and what the answer counts.

use fal_queue::{Client, Config, Erased, Error};
use serde_json::json;

use crate::config;
use crate::server::{Server, reply};

const ADMIN: &str = "admin-1:asecret-0123456789";

fn administrator(server: &Server) -> Client {
    let admin_key = Some(ADMIN.into());
    Client::new(Config {
        admin_key,
        ..config(&server.url)
    })
    .unwrap()
}

#[tokio::test]
async fn erasing_uses_the_admin_key_and_counts_what_went() {
    let results = json!({"cdn_delete_results": [
        {"link": "https://v3.fal.media/files/a.png", "exception": null},
        {"link": "https://v3.fal.media/files/b.png", "exception": "no"},
    ]});
    let server = Server::start([
        reply(200, results),
        reply(404, json!({"detail": "Request not found"})),
        reply(200, json!({})),
    ])
    .await;
    let client = administrator(&server);
    let erased = client.erase("r-1").await.unwrap();
    assert_eq!(erased, Some(Erased { files: 1, kept: 1 }));
    assert_eq!(client.erase("r-1").await.unwrap(), None);
    assert_eq!(client.erase("r-1").await.unwrap(), Some(Erased::default()));
    for seen in server.seen() {
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("DELETE", "/v1/models/requests/r-1/payloads")
        );
        assert_eq!(seen.header("authorization"), Some(&*format!("Key {ADMIN}")));
    }
}

#[tokio::test]
async fn a_key_that_is_no_admins_is_told_apart_and_never_repeated() {
    let server = Server::start([reply(403, json!({"detail": format!("no admin: {ADMIN}")}))]).await;
    let error = administrator(&server).erase("r").await.unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("asecret"), "{error}");
    assert!(!format!("{:?}", administrator(&server)).contains("asecret"));
}

#[tokio::test]
async fn without_an_admin_key_or_with_a_strange_id_nothing_is_sent() {
    let server = Server::start([]).await;
    let plain = Client::new(config(&server.url)).unwrap();
    assert!(matches!(plain.erase("r").await, Err(Error::Invalid(_))));
    for id in ["", "..", "a/b", "a?b"] {
        let refused = administrator(&server).erase(id).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{id}");
    }
    assert!(server.seen().is_empty());
}
