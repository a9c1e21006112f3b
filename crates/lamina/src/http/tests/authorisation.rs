//! Who may use what. The table holds every documented route; a route that is missing fails.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Door {
    /// Wants a key.
    Key,
    /// Wants the operator's key.
    Admin,
    /// Wants a signature in its address, or nothing.
    Open,
}

const TABLE: [(&str, &str, Door); 41] = [
    ("post", "/api/jobs", Door::Key),
    ("get", "/api/jobs", Door::Key),
    ("get", "/api/jobs/{id}", Door::Key),
    ("delete", "/api/jobs/{id}", Door::Key),
    ("get", "/api/jobs/{id}/layers", Door::Key),
    ("get", "/api/jobs/{id}/export/{format}", Door::Key),
    ("post", "/api/jobs/{id}/export/{format}", Door::Key),
    ("post", "/api/jobs/{id}/composite", Door::Key),
    ("get", "/api/jobs/{id}/events", Door::Key),
    ("get", "/api/events", Door::Key),
    ("get", "/api/webhooks", Door::Key),
    ("put", "/api/webhooks", Door::Key),
    ("post", "/api/webhooks/secret", Door::Key),
    ("get", "/api/webhooks/deliveries", Door::Key),
    ("get", "/api/webhooks/deliveries/{id}", Door::Key),
    ("post", "/api/webhooks/deliveries/{id}/replay", Door::Key),
    ("post", "/api/upload", Door::Key),
    ("get", "/api/admin/keys", Door::Admin),
    ("post", "/api/admin/keys", Door::Admin),
    ("delete", "/api/admin/keys/{id}", Door::Admin),
    ("put", "/api/admin/owners/{name}/limits", Door::Admin),
    ("get", "/api/admin/jobs", Door::Admin),
    ("get", "/api/admin/jobs/{id}", Door::Admin),
    ("delete", "/api/admin/jobs/{id}", Door::Admin),
    ("post", "/api/admin/jobs/{id}/retry", Door::Admin),
    ("get", "/api/admin/overview", Door::Admin),
    ("get", "/api/admin/stats", Door::Admin),
    ("post", "/api/uploads", Door::Key),
    ("get", "/api/uploads/{id}", Door::Key),
    ("options", "/api/uploads/tus", Door::Key),
    ("post", "/api/uploads/tus", Door::Key),
    ("head", "/api/uploads/tus/{id}", Door::Key),
    ("patch", "/api/uploads/tus/{id}", Door::Key),
    ("delete", "/api/uploads/tus/{id}", Door::Key),
    ("post", "/api/uploads/tus/{id}", Door::Key),
    ("get", "/files/{kind}/{id}/{file}", Door::Open),
    ("put", "/files/{kind}/{id}/{file}", Door::Open),
    ("get", "/files/exports/{id}/{file}", Door::Open),
    ("post", "/hooks/fal/{job_id}/{nonce}", Door::Open),
    ("get", "/healthz", Door::Open),
    ("get", "/readyz", Door::Open),
];

fn guarded() -> TestServer {
    TestServer::with(|state| state.keys = ApiKeys::new([("app", "key-a"), ("web", "key-b")]))
}

async fn with_key(server: &TestServer, method: &str, path: &str, key: Option<&str>) -> Answer {
    // A stream would not end; whoever takes none is told so.
    let mut request = request(method, path)
        .header("content-type", "application/json")
        .header("accept", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", key);
    }
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let body = if method == "POST" {
        Body::from(body)
    } else {
        Body::empty()
    };
    server.send(request.body(body).unwrap()).await
}

#[test]
fn every_documented_route_is_in_the_table_and_says_the_same() {
    let doc: Value = serde_json::to_value(parts().1).unwrap();
    let mut documented = Vec::new();
    for (path, item) in doc["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let open = operation
                .get("security")
                .is_some_and(|security| security == &serde_json::json!([{}]));
            let door = match open {
                true => Door::Open,
                false if path.starts_with("/api/admin/") => Door::Admin,
                false => Door::Key,
            };
            documented.push((method.clone(), path.clone(), door));
        }
    }
    for (method, path, door) in &documented {
        let row = (method.as_str(), path.as_str(), *door);
        assert!(TABLE.contains(&row), "{row:?} is not in the table");
    }
    assert_eq!(documented.len(), TABLE.len());
}

#[tokio::test]
async fn routes_behind_a_key_answer_401_without_one_and_with_a_wrong_one() {
    let server = guarded();
    for (method, path, door) in TABLE {
        let path = path.replace(['{', '}'], "");
        let method = method.to_uppercase();
        let keys = [
            None,
            Some("Bearer wrong"),
            Some("Bearer"),
            Some("Bearer "),
            Some("Basic key-a"),
            Some("key-a"),
        ];
        for key in keys {
            let answer = with_key(&server, &method, &path, key).await;
            if door == Door::Open {
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 401, "{method} {path} {key:?}");
            // An answer to HEAD has no body to read it from.
            if method != "HEAD" {
                assert_eq!(answer.code().1, "unauthorized", "{method} {path} {key:?}");
            }
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        for key in ["Bearer key-a", "bearer key-b"] {
            let answer = with_key(&server, &method, &path, Some(key)).await;
            match door {
                Door::Admin => assert_eq!(answer.code(), (403, "admin_only".into()), "{path}"),
                Door::Key | Door::Open => {
                    assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
                }
            }
        }
    }
    assert_eq!(server.get("/").await.status, StatusCode::OK);
    assert_eq!(server.get("/openapi.json").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_job_and_an_upload_of_another_owner_do_not_exist() {
    let server = guarded();
    let (mine, other) = (Some("Bearer key-a"), Some("Bearer key-b"));
    let created = with_key(&server, "POST", "/api/jobs", mine).await;
    let path = format!("/api/jobs/{}", created.json()["job_id"].as_str().unwrap());
    for (method, path) in [
        ("GET", path.clone()),
        ("GET", format!("{path}/layers")),
        ("DELETE", path.clone()),
    ] {
        let answer = with_key(&server, method, &path, other).await;
        assert_eq!(
            answer.code(),
            (404, "job_not_found".into()),
            "{method} {path}"
        );
    }
    let list = with_key(&server, "GET", "/api/jobs", other).await;
    assert_eq!(list.json()["jobs"], serde_json::json!([]));
    assert_eq!(
        with_key(&server, "GET", &path, mine).await.status,
        StatusCode::OK
    );

    let upload = request("POST", "/api/upload").header("authorization", "Bearer key-a");
    let upload = server.send(upload.body(png(4, 4).into()).unwrap()).await;
    let body = serde_json::json!({"upload_id": upload.json()["upload_id"]}).to_string();
    for (key, status) in [("Bearer key-b", 422), ("Bearer key-a", 202)] {
        let create = request("POST", "/api/jobs")
            .header("authorization", key)
            .header("content-type", "application/json");
        let answer = server.send(create.body(body.clone().into()).unwrap()).await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn one_key_of_idempotency_is_one_owners() {
    let server = guarded();
    let send = async |key: &str| {
        let create = request("POST", "/api/jobs")
            .header("authorization", key)
            .header("idempotency-key", "the-same")
            .header("content-type", "application/json");
        let body = r#"{"image_url":"https://example.com/a.png"}"#;
        server.send(create.body(body.into()).unwrap()).await.json()["job_id"].clone()
    };
    assert_ne!(send("Bearer key-a").await, send("Bearer key-b").await);
}

#[tokio::test]
async fn a_page_of_another_origin_may_call_the_api_only_if_it_was_configured() {
    let preflight = |origin: &str| {
        request("OPTIONS", "/api/jobs")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
            .body(Body::empty())
            .unwrap()
    };
    let closed = guarded();
    let answer = closed.send(preflight("https://app.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    let open = TestServer::with(|state| {
        state.keys = ApiKeys::new([("app", "key-a")]);
        state.cors = CorsOrigins::List(vec!["https://app.example/ignored".parse().unwrap()]);
    });
    let answer = open.send(preflight("https://app.example")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    let allowed = answer.header("access-control-allow-headers");
    for header in ["idempotency-key", "traceparent", "tracestate"] {
        assert!(allowed.contains(header), "{header} is not in {allowed}");
    }
    let answer = open.send(preflight("https://evil.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    // The page can read why it was refused, too.
    let refused = request("GET", "/api/jobs").header("origin", "https://app.example");
    let refused = open.send(refused.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.code().0, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://app.example"
    );
}
