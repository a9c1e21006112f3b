//! What surrounds every answer: the request's id, the log line, and what a panic becomes.

use std::io::Write;
use std::sync::Mutex;

use axum::routing::get;
use tracing::instrument::WithSubscriber;

use uuid::Uuid;

use super::*;

/// Collects what is logged.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        work.with_subscriber(subscriber).await
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn a_request_keeps_its_id_and_gets_one_otherwise() {
    let server = TestServer::new();
    let send = async |id: &str| {
        let request = request("GET", "/healthz").header("x-request-id", id);
        let answer = server.send(request.body(Body::empty()).unwrap()).await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(send("app-7.a_b:c").await, "app-7.a_b:c");
    for bad in ["", "a b", "a\"b", "{\"x\":1}", &"x".repeat(129)] {
        let fresh = send(bad).await;
        assert!(fresh.parse::<Uuid>().is_ok(), "{bad} {fresh}");
    }
    assert!(
        !server
            .get("/nothing")
            .await
            .header("x-request-id")
            .is_empty()
    );
}

#[tokio::test]
async fn every_answer_forbids_guessing_its_type() {
    let server = TestServer::new();
    for path in [
        "/",
        "/healthz",
        "/openapi.json",
        "/api/jobs",
        "/api/jobs/x",
        "/files/a/b/c",
        "/nothing",
    ] {
        assert_eq!(
            server.get(path).await.header("x-content-type-options"),
            "nosniff",
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_log_names_the_route_and_the_owner_and_no_secret() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key-a")]));
    let log = Log::default();
    let job = log
        .during(async {
            let create = request("POST", "/api/jobs?token=in-the-query")
                .header("authorization", "Bearer key-a")
                .header("content-type", "application/json")
                .header("x-request-id", "r-1");
            let body = base64_body(&png(2, 2));
            let answer = server.send(create.body(body.into()).unwrap()).await;
            assert_eq!(answer.status, 202);
            let job = answer.json()["job_id"].as_str().unwrap().to_owned();
            server
                .get(&server.link(&BlobKey::Source(job.parse().unwrap(), MediaType::Png)))
                .await;
            let nonce = "0123456789abcdef0123456789abcdef";
            let hook = request("POST", &format!("/hooks/fal/{job}/{nonce}"));
            server
                .send(
                    hook.body(r#"{"request_id":"r","status":"OK"}"#.into())
                        .unwrap(),
                )
                .await;
            job
        })
        .await;
    let text = log.text();
    for wanted in [
        "/api/jobs",
        "/files/{kind}/{id}/{file}",
        "/hooks/fal/{job_id}/{nonce}",
        "owner=\"app\"",
        "request.id=\"r-1\"",
        "status=202",
        "duration_ms=",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    for secret in [
        "key-a",
        "in-the-query",
        "sig=",
        "0123456789abcdef0123456789abcdef",
        "iVBOR",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    // What a link leads to is nobody's business; the others say which job they were about.
    let mut about = text
        .lines()
        .filter(|line| line.contains("request answered"))
        .map(|line| line.contains(&format!("job={job}")));
    assert!(about.by_ref().eq([true, false, true]), "{text}");
}

#[tokio::test]
async fn a_read_that_found_something_is_told_to_whoever_asks_for_more() {
    let server = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key-a")]));
    let log = Log::default();
    let ask = async |method: &str, path: &str, body: String| {
        let request = request(method, path)
            .header("authorization", "Bearer key-a")
            .header("content-type", "application/json");
        server.send(request.body(body.into()).unwrap()).await
    };
    let statuses = log
        .during(async {
            let created = ask("POST", "/api/jobs", base64_body(&png(2, 2))).await;
            let job = created.json()["job_id"].as_str().unwrap().to_owned();
            let mut statuses = vec![created.status.as_u16()];
            for (method, path) in [
                ("GET", format!("/api/jobs/{job}")),
                ("HEAD", format!("/api/jobs/{job}")),
                ("GET", format!("/api/jobs/{job}/layers")),
                ("DELETE", format!("/api/jobs/{job}")),
                ("GET", format!("/api/jobs/{job}")),
            ] {
                statuses.push(ask(method, &path, String::new()).await.status.as_u16());
            }
            statuses
        })
        .await;
    assert_eq!(statuses, [202, 200, 200, 409, 204, 410]);
    let text = log.text();
    let lines = text
        .lines()
        .filter(|line| line.contains("request answered"));
    let levels: Vec<&str> = lines
        .map(|line| {
            if line.contains("DEBUG") {
                "debug"
            } else {
                "info"
            }
        })
        .collect();
    assert_eq!(
        levels,
        ["info", "debug", "debug", "info", "info", "info"],
        "{text}"
    );
}

#[tokio::test]
async fn a_panic_is_a_problem_whose_text_only_the_log_knows() {
    async fn panics() {
        panic!("the inner secret");
    }
    let server = TestServer::new();
    let server = TestServer {
        router: layered(
            Router::new().route("/panics", get(panics)),
            RequestObserver::default(),
        ),
        ..server
    };
    let log = Log::default();
    let answer = log.during(server.get("/panics")).await;
    assert_eq!(answer.code(), (500, "internal_error".into()));
    assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(log.text().matches("the inner secret").count(), 1);
}

#[tokio::test]
async fn an_internal_cause_is_logged_once_and_never_answered() {
    let server = TestServer::new();
    server.store.close().await;
    let log = Log::default();
    let answer = log.during(server.get("/api/jobs")).await;
    assert_eq!(answer.code(), (503, "storage_unavailable".into()));
    assert!(!String::from_utf8_lossy(&answer.body).contains("database"));
    assert_eq!(log.text().matches("the database is closed").count(), 1);
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let server = TestServer::new();
    for (method, path, allowed) in [
        ("PUT", "/api/jobs", "POST,GET,HEAD"),
        ("POST", "/api/jobs/x", "GET,HEAD,DELETE"),
        ("GET", "/api/upload", "POST"),
        ("POST", "/files/a/b/c", "GET,HEAD,PUT"),
        ("GET", "/hooks/fal/a/b", "POST"),
        ("DELETE", "/", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let answer = server
            .send(request(method, path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(
            answer.code(),
            (405, "method_not_allowed".into()),
            "{method} {path}"
        );
        let mut found: Vec<&str> = answer.header("allow").split(',').collect();
        let mut wanted: Vec<&str> = allowed.split(',').collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{method} {path}");
    }
}

#[tokio::test]
async fn readiness_follows_the_stop_the_database_and_the_blobs() {
    let server = TestServer::new();
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    insta::assert_json_snapshot!(server.get("/readyz").await.json(), @r#"
    {
      "checks": {
        "database": "ok",
        "draining": false,
        "ownership": "ok",
        "space": "ok",
        "storage": "ok",
        "worker": "ok"
      },
      "status": "ready"
    }
    "#);
    server.draining.cancel();
    let answer = server.get("/readyz").await;
    assert_eq!(answer.code(), (503, "not_ready".into()));
    assert_eq!(answer.json()["checks"]["draining"], true);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("stopping")
    );

    let server = TestServer::new();
    server.store.close().await;
    let answer = server.get("/readyz").await;
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("database")
    );
    assert_eq!(answer.json()["checks"]["database"], "failed");
    assert_eq!(answer.json()["checks"]["storage"], "ok");
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);

    let server = TestServer::new();
    let blobs = server.folder.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    std::fs::write(&blobs, b"a file where the folder was").unwrap();
    let answer = server.get("/readyz").await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("blob"));
    assert_eq!(answer.json()["checks"]["storage"], "failed");
}

#[tokio::test]
async fn readiness_follows_the_worker_without_delay() {
    let server = TestServer::new();
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
    for silent in [None, Some(long_ago.unwrap())] {
        server.pulse.send_replace(silent);
        let answer = server.get("/readyz").await;
        assert_eq!(answer.code(), (503, "not_ready".into()));
        let answer = answer.json();
        assert_eq!(answer["checks"]["worker"], "failed", "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("worker"));
        server.pulse.send_replace(Some(Instant::now()));
        assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    }
}

/// What a scraper sees of bodies on their way: in, out.
fn streams(server: &TestServer) -> [bool; 2] {
    let text = server.metrics.text();
    ["in", "out"].map(|way| {
        let line = format!("lamina_http_streams{{direction=\"{way}\"}} ");
        let line = text.lines().find_map(|text| text.strip_prefix(&line));
        line.unwrap() == "1"
    })
}

#[tokio::test]
async fn a_body_on_its_way_is_an_open_stream_until_it_is_there_or_the_client_is_gone() {
    let server = TestServer::new();
    assert_eq!(streams(&server), [false, false]);
    let key = BlobKey::Layer(server.row().await, 0, MediaType::Png);
    server.blobs.put(&key, png(4, 4).into()).await.unwrap();
    let ask = || request("GET", &server.link(&key)).body(Body::empty());
    for read in [true, false] {
        let answer = server.router.clone().oneshot(ask().unwrap()).await.unwrap();
        assert_eq!(streams(&server), [false, true]);
        if read {
            answer.into_body().collect().await.unwrap();
        } else {
            drop(answer);
        }
        assert_eq!(streams(&server), [false, false]);
    }

    for (path, kind) in [
        ("/api/upload", "image/png"),
        ("/api/jobs", "application/json"),
    ] {
        let (body, hangs) = super::tus::hanging(vec![b'{'; 10]);
        let request = request("POST", path)
            .header("content-type", kind)
            .body(body);
        let sending = tokio::spawn(server.router.clone().oneshot(request.unwrap()));
        hangs.await.unwrap();
        assert_eq!(streams(&server), [true, false], "{path}");
        sending.abort();
        assert!(sending.await.unwrap_err().is_cancelled());
        assert_eq!(streams(&server), [false, false], "{path}");
    }
}

#[tokio::test]
async fn what_an_operator_does_to_a_job_names_the_job_its_owner_and_its_engine() {
    let server = super::admin::operated();
    let log = Log::default();
    let id = log
        .during(async {
            let body = r#"{"image_url":"https://example.com/a.png"}"#;
            let made = server.with_key("app-key", "POST", "/api/jobs", body).await;
            let id = made.json()["job_id"].as_str().unwrap().to_owned();
            server.fail(FailureCode::Internal).await;
            let path = format!("/api/admin/jobs/{id}");
            let retried = server.admin("POST", &format!("{path}/retry"), "{}").await;
            assert_eq!(retried.status, 202);
            assert_eq!(server.admin("DELETE", &path, "").await.status, 204);
            id
        })
        .await;
    let text = log.text();
    for (message, more) in [
        ("the operator let a job begin anew", "pay_again=false"),
        ("job deleted", "by=\"operator\""),
    ] {
        let line = text.lines().find(|line| line.contains(message)).unwrap();
        for part in [&*format!("job={id}"), "owner=app", "engine=\"local\"", more] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}
