//! Headers that may come once.

use super::*;
use crate::http::layers::repeated_headers::SINGLE;

#[tokio::test]
async fn whatever_may_come_once_is_refused_twice_wherever_it_is_sent() {
    let server = TestServer::new();
    let twice = async |method: &str, path: &str, name: &str| {
        let asked = request(method, path).header(name, "a").header(name, "b");
        server.send(asked.body(Body::empty()).unwrap()).await
    };
    assert!(SINGLE.len() >= 13);
    for name in &SINGLE {
        for (method, path) in [
            ("GET", "/api/jobs"),
            ("POST", "/api/jobs"),
            ("GET", "/files/a/b/c"),
        ] {
            let code = twice(method, path, name.as_str()).await.code();
            assert_eq!(
                code,
                (400, "header_repeated".to_owned()),
                "{name} at {path}"
            );
        }
    }
    // Lists that may be written in several lines, and what nobody reads.
    for name in ["accept", "if-none-match", "accept-encoding", "x-request-id"] {
        let answer = twice("GET", "/healthz", name).await;
        assert_eq!(answer.status, 200, "{name}");
    }
}
