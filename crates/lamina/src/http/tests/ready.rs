//! Reads that are answered before the router: the same answers as the routes give, and only where they do.

use axum::http::{HeaderName, Uri};
use axum::response::Response;

use super::*;
use crate::access::{KeyDigest, LimitRules, Rule};

struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Asked {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Asked {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
    }
}

impl TestServer {
    fn at_once(&self, asked: &Asked) -> Option<Response> {
        let at_once = self.at_once.as_ref()?;
        at_once(&asked.method, &asked.uri, &asked.headers)
    }

    async fn by_route(&self, asked: &Asked) -> Response {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.uri.clone();
        *request.headers_mut() = asked.headers.clone();
        self.router.clone().oneshot(request).await.unwrap()
    }
}

/// Status, headers and body, but for what each answer has of its own.
async fn all_of(response: Response) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, Bytes) {
    let (parts, body) = response.into_parts();
    let mut headers: Vec<_> = parts
        .headers
        .into_iter()
        .map(|(name, value)| (name.unwrap(), value))
        .filter(|(name, _)| !["x-request-id", "ratelimit"].contains(&name.as_str()))
        .collect();
    headers.sort_by_key(|(name, _)| name.to_string());
    (
        parts.status,
        headers,
        body.collect().await.unwrap().to_bytes(),
    )
}

fn with_rate(rate: &str) -> TestServer {
    let rate = Rule::At(rate.parse().unwrap());
    TestServer::with(|state| {
        state.keys = ApiKeys::by(KeyRules {
            configured: vec![(OwnerId::named("app"), KeyDigest::of("key-a"))],
            limits: LimitRules {
                rate,
                ..LimitRules::default()
            },
            ..KeyRules::default()
        });
    })
}

/// A completed job of the server with a key, read once.
async fn finished(server: &TestServer) -> String {
    let create = request("POST", "/api/jobs")
        .header("authorization", "Bearer key-a")
        .header("content-type", "application/json");
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let created = server.send(create.body(body.into()).unwrap()).await.json();
    let id: JobId = created["job_id"].as_str().unwrap().parse().unwrap();
    server.complete(id).await;
    format!("/api/jobs/{id}")
}

#[tokio::test]
async fn a_ready_answer_is_the_routes_own() {
    let server = TestServer::new();
    let id = server.created().await;
    server.complete(id).await;
    for path in [format!("/api/jobs/{id}"), format!("/api/jobs/{id}/layers")] {
        let plain = asked("GET", &path, &[]);
        assert!(server.at_once(&plain).is_none(), "nobody has read it yet");
        let first = server.by_route(&plain).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let cases: [Vec<(&str, &str)>; 5] = [
            Vec::new(),
            vec![("if-none-match", tag.as_str())],
            vec![("if-none-match", "\"another\"")],
            vec![("x-request-id", "mine-1")],
            vec![("accept", "*/*"), ("user-agent", "an app")],
        ];
        for headers in cases {
            let asked = asked("GET", &path, &headers);
            let ready = server.at_once(&asked).expect("it is ready");
            let id = ready.headers()["x-request-id"].to_str().unwrap().to_owned();
            assert_eq!(
                headers.contains(&("x-request-id", "mine-1")),
                id == "mine-1"
            );
            let route = server.by_route(&asked).await;
            assert_eq!(all_of(ready).await, all_of(route).await, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn what_is_unusual_is_left_to_the_routes() {
    let server = TestServer::new();
    let id = server.created().await;
    let path = format!("/api/jobs/{id}");
    server.get(&path).await;
    assert!(
        server.at_once(&asked("GET", &path, &[])).is_none(),
        "it is not finished"
    );
    server.complete(id).await;
    server.get(&path).await;
    assert!(server.at_once(&asked("GET", &path, &[])).is_some());
    let query = format!("{path}?a=1");
    let upper = path.to_uppercase();
    for asked in [
        asked("HEAD", &path, &[]),
        asked("DELETE", &path, &[]),
        asked("GET", &query, &[]),
        asked("GET", &format!("{path}/"), &[]),
        asked("GET", &format!("/{path}"), &[]),
        asked("GET", &upper, &[]),
        asked("GET", &path, &[("origin", "https://page.example")]),
        asked("GET", &path, &[("content-encoding", "gzip")]),
        asked("GET", &path, &[("accept", "a/b"), ("accept", "c/d")]),
        asked("GET", &format!("/api/jobs/{}", JobId::new(T0)), &[]),
        asked("GET", "/api/jobs/", &[]),
        asked("GET", "/api/jobs/x", &[]),
    ] {
        assert!(
            server.at_once(&asked).is_none(),
            "{} {}",
            asked.method,
            asked.uri
        );
    }
    let mut strange = asked("GET", &path, &[]);
    strange
        .headers
        .insert("host", HeaderValue::from_static("rebound.example"));
    assert!(server.at_once(&strange).is_none());
    server.clock.advance(DAY);
    assert!(
        server.at_once(&asked("GET", &path, &[])).is_none(),
        "its time is over"
    );
}

#[tokio::test]
async fn a_job_that_was_deleted_is_not_answered_from_memory() {
    let server = TestServer::new();
    let id = server.created().await;
    server.complete(id).await;
    let path = format!("/api/jobs/{id}");
    server.get(&path).await;
    assert!(server.at_once(&asked("GET", &path, &[])).is_some());
    server.delete(&path).await;
    assert!(server.at_once(&asked("GET", &path, &[])).is_none());
}

#[tokio::test]
async fn pages_of_other_origins_go_by_the_routes() {
    let server = TestServer::with(|state| state.cors = CorsOrigins::Any);
    assert!(server.at_once.is_none());
}

#[tokio::test]
async fn a_ready_answer_is_its_owners_and_counted() {
    let server = with_rate("20/h");
    let path = finished(&server).await;
    let plain = asked("GET", &path, &[("authorization", "Bearer key-a")]);
    let left = |response: &Response| -> u32 {
        let text = response.headers()["ratelimit"].to_str().unwrap();
        let after = text.split("r=").nth(1).unwrap();
        after.split(';').next().unwrap().parse().unwrap()
    };
    let before = left(&server.by_route(&plain).await);
    let ready = server.at_once(&plain).expect("it is ready");
    assert_eq!(left(&ready), before - 1);
    let route = server.by_route(&plain).await;
    assert_eq!(left(&route), before - 2);
    assert_eq!(all_of(ready).await, all_of(route).await);
    assert!(
        server.at_once(&asked("GET", &path, &[])).is_none(),
        "no key"
    );
    let wrong = asked("GET", &path, &[("authorization", "Bearer key-b")]);
    assert!(server.at_once(&wrong).is_none());
    let text = server.metrics.text();
    let line = r#"lamina_http_requests_total{route="/api/jobs/{id}",method="GET",status="200"} 3"#;
    assert!(text.contains(line), "{text}");
}

#[tokio::test]
async fn a_read_too_many_is_refused_by_the_routes() {
    let server = with_rate("4/h");
    let path = finished(&server).await;
    let plain = asked("GET", &path, &[("authorization", "Bearer key-a")]);
    assert_eq!(server.by_route(&plain).await.status(), StatusCode::OK);
    for _ in 0..2 {
        assert!(server.at_once(&plain).is_some());
    }
    assert!(server.at_once(&plain).is_none());
    let refused = server.by_route(&plain).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
}
