//! What a page of an allowed origin can read: every answer, since a browser shows it nothing of one
//! without these headers, not even its status.

use super::*;

const ORIGIN: &str = "https://app.example";

fn server() -> TestServer {
    TestServer::with(|state| {
        state.keys = ApiKeys::new([("app", "key")]);
        state.cors = CorsOrigins::List(vec![ORIGIN.parse().unwrap()]);
        state.limits.json_bytes = 1000;
        state.limits.json_total = Duration::from_millis(30);
        state.limits.upload_idle = Duration::from_millis(30);
    })
}

fn unending() -> Body {
    let pending = futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>();
    Body::from_stream(pending)
}

/// Method, path, headers and body of a request, and the status of its answer.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Body, u16);

async fn ask(
    server: &TestServer,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Answer {
    let mut request = request(method, path).header("origin", ORIGIN);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn every_answer_can_be_read_also_errors_and_what_has_no_route() {
    let server = server();
    let (key, json) = (
        ("authorization", "Bearer key"),
        ("content-type", "application/json"),
    );
    let tus = ("tus-resumable", "1.0.0");
    let id = uuid::Uuid::nil();
    let upload = format!("/api/uploads/tus/{id}");
    let job = format!("/api/jobs/{id}");
    let twice = [key, json, json];
    let asked: [Asked<'_>; 19] = [
        ("GET", "/api/jobs", &[key], Body::empty(), 200),
        ("GET", "/api/jobs", &[], Body::empty(), 401),
        ("GET", &job, &[key], Body::empty(), 404),
        ("PUT", "/api/jobs", &[key], Body::empty(), 405),
        ("POST", "/api/jobs", &[key, json], "{".into(), 400),
        ("POST", "/api/jobs", &twice, "{}".into(), 400),
        ("POST", "/api/jobs", &[key], "{}".into(), 415),
        ("POST", "/api/jobs", &[key, json], "{}".into(), 422),
        (
            "POST",
            "/api/jobs",
            &[key, json],
            "x".repeat(1001).into(),
            413,
        ),
        ("POST", "/api/jobs", &[key, json], unending(), 408),
        (
            "POST",
            "/api/jobs",
            &[key, json, ("content-encoding", "br")],
            "{}".into(),
            415,
        ),
        ("POST", "/api/upload", &[key], unending(), 408),
        ("HEAD", &upload, &[key, tus], Body::empty(), 404),
        ("HEAD", &upload, &[key], Body::empty(), 412),
        ("PUT", &upload, &[key, tus], Body::empty(), 405),
        ("GET", "/nothing/here", &[], Body::empty(), 404),
        ("GET", "//api/nothing/", &[], Body::empty(), 404),
        ("GET", "/healthz", &[], Body::empty(), 200),
        ("POST", "/openapi.json", &[], Body::empty(), 405),
    ];
    for (method, path, headers, body, status) in asked {
        let answer = ask(&server, method, path, headers, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, ORIGIN, "{method} {path} {status}");
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "retry-after",
            "location",
            "x-request-id",
            "etag",
            "www-authenticate",
            "content-range",
            "content-disposition",
        ] {
            assert!(exposed.contains(name), "{name} is not in {exposed}");
        }
    }
}

#[tokio::test]
async fn answers_about_links_can_be_read_by_every_origin() {
    let server = server();
    let key = BlobKey::Layer(JobId::new(T0), 0, MediaType::Png);
    let link = server.link(&key);
    for (method, path, status) in [
        ("GET", link.as_str(), 410),
        ("GET", "/files/a/b/c", 403),
        ("PUT", &link, 403),
        ("POST", &link, 405),
        ("PATCH", "/files/a/b/c", 405),
        ("HEAD", "/files/a/b/c", 400),
    ] {
        let range = ("range", "bytes=0-");
        let twice = [range, range];
        let headers = if method == "HEAD" { &twice[..] } else { &[] };
        let answer = ask(&server, method, path, headers, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        assert_eq!(
            answer.header("access-control-allow-origin"),
            "*",
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_rate_that_is_reached_can_be_read_too() {
    let server = TestServer::with(|state| {
        let mut rules = KeyRules::default();
        rules.limits.rate = crate::access::Rule::At("1/h".parse().unwrap());
        state.keys = ApiKeys::by(rules);
        state.cors = CorsOrigins::Any;
    });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = ask(&server, "GET", "/api/jobs", &[], Body::empty()).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}

#[tokio::test]
async fn a_preflight_of_every_route_is_answered_with_what_was_asked_for() {
    let server = server();
    for path in [
        "/api/jobs",
        "/api/jobs/x",
        "/api/jobs/x/layers",
        "/api/upload",
        "/api/uploads",
        "/api/uploads/x",
        "/api/uploads/tus",
        "/api/uploads/tus/x",
        "//api/jobs",
        "/nothing",
        "/healthz",
        "/openapi.json",
        "/files/a/b/c",
    ] {
        let asked = [
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,x-app-version,baggage",
            ),
        ];
        let answer = ask(&server, "OPTIONS", path, &asked, Body::empty()).await;
        assert!(answer.status.is_success(), "{path} {}", answer.status);
        let allowed = answer.header("access-control-allow-headers");
        for name in ["authorization", "x-app-version", "baggage"] {
            assert!(
                allowed.split(',').any(|allowed| allowed == name),
                "{path} {allowed}"
            );
        }
        assert!(
            !answer.header("access-control-allow-origin").is_empty(),
            "{path}"
        );
        // The answer differs from page to page, unless it is the same for all of them.
        let differs = answer.header("access-control-allow-origin") != "*";
        assert!(
            !differs || answer.header("vary").contains("origin"),
            "{path}"
        );
    }
}
