//! `lamina health` and `/readyz` with the real binary: what a container runtime and a load balancer
//! see of a service that is well, in trouble, starting, gone or silent.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Instant;

use reqwest::Client;
use rusqlite::Connection;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Fault, Process, S3, Setup, TestApp, Way, json_of, left_out, until};

/// Starts a service that listens on `host` and returns its port with it.
async fn service(folder: &tempfile::TempDir, host: &str) -> (Process, String) {
    let database = folder.path().join("lamina.db").display().to_string();
    let process = Process::start(&[
        ("DATABASE_PATH", database.as_str()),
        ("HOST", host),
        ("PORT", "0"),
        ("API_KEYS", "app:0123456789abcdef"),
    ])
    .await;
    let port = process.base.rsplit(':').next().unwrap().to_owned();
    (process, port)
}

async fn asked(arguments: &[&str], host: &str, port: &str) -> (Option<i32>, String) {
    let arguments = [&["health"], arguments].concat();
    let (status, said) = Process::run(&arguments, &[("HOST", host), ("PORT", port)]).await;
    (status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_needs_neither_key_nor_shell_wherever_the_service_listens() {
    let mut hosts = vec!["127.0.0.1", "0.0.0.0"];
    let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match TcpListener::bind(any6).await {
        Ok(_) => hosts.push("::"),
        Err(error) => left_out(&format!("health over IPv6: {error}")),
    }
    for host in hosts {
        let folder = tempfile::tempdir().unwrap();
        let (process, port) = service(&folder, host).await;
        let (code, said) = asked(&[], host, &port).await;
        assert_eq!(code, Some(0), "{host}: {said}");
        assert!(said.contains("lamina is well"), "{said}");
        until("readiness", || async {
            (asked(&["--ready"], host, &port).await.0 == Some(0)).then_some(())
        })
        .await;
        let (code, said) = asked(&["--port", &port], host, "1").await;
        assert_eq!(code, Some(0), "{host}: {said}");
        process.terminate().await;
        let (code, said) = asked(&[], host, &port).await;
        assert_eq!(code, Some(1), "{host}: {said}");
        assert!(said.contains("is lamina running"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_well_and_not_ready_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (process, port) = service(&folder, "127.0.0.1").await;
    let locked = Connection::open(folder.path().join("lamina.db")).unwrap();
    locked
        .busy_timeout(std::time::Duration::from_secs(60))
        .unwrap();
    locked.execute_batch("begin immediate").unwrap();
    let said = until("the lock to be noticed", || async {
        let (code, said) = asked(&["--ready"], "127.0.0.1", &port).await;
        (code == Some(1)).then_some(said)
    })
    .await;
    assert!(said.contains("the database does not answer"), "{said}");
    let url = format!("http://127.0.0.1:{port}/readyz");
    let answer = Client::new().get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let body = json_of(answer).await;
    assert_eq!(body["code"], "not_ready");
    assert_eq!(body["checks"]["database"], "failed");
    assert_eq!(body["checks"]["storage"], "ok");
    assert_eq!(body["checks"]["draining"], false);
    assert_eq!(asked(&[], "127.0.0.1", &port).await.0, Some(0));
    locked.execute_batch("rollback").unwrap();
    until("readiness to come back", || async {
        (asked(&["--ready"], "127.0.0.1", &port).await.0 == Some(0)).then_some(())
    })
    .await;
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_silent_or_somebody_elses_is_not_well() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let (code, said) = asked(&["--timeout", "1"], "127.0.0.1", &port).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("did not answer within 1 s"), "{said}");

    let router = axum::Router::new();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let server = tokio::spawn(async move { axum::serve(other, router).await });
    let (code, said) = asked(&[], "127.0.0.1", &port).await;
    server.abort();
    assert_eq!(code, Some(1));
    assert!(said.contains("another program"), "{said}");

    let (code, said) = asked(&[], "127.0.0.1", "0").await;
    assert_eq!(code, Some(1));
    assert!(said.contains("--port"), "{said}");
    let (code, said) = asked(&[], "localhost", "80").await;
    assert_eq!(code, Some(1));
    assert!(said.contains("HOST"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_cannot_be_used_to_load_the_service() {
    let s3 = S3::start().await;
    let app = TestApp::start_with(Setup::new(Way::Local).over(&s3), None).await;
    let probes = || {
        s3.count(&axum::http::Method::GET, "probe") + s3.count(&axum::http::Method::PUT, "probe")
    };
    let begun = Instant::now();
    for _ in 0..20 {
        let asked = (0..20).map(|_| app.get("/readyz").send());
        for answer in futures_util::future::join_all(asked).await {
            answer.unwrap();
        }
    }
    // What was learnt counts for five seconds; the first probe of a bucket may read, then write.
    let allowed = 2 * (1 + begun.elapsed().as_secs() as usize / 5);
    assert!(probes() <= allowed, "{} probes", probes());

    // Those who ask and hang up do not begin the question again.
    s3.fail(
        &[axum::http::Method::GET, axum::http::Method::PUT],
        Fault::Hang,
    );
    until("the bucket to be asked again", || async {
        let asked = app
            .get("/readyz")
            .timeout(std::time::Duration::from_millis(20));
        let before = probes();
        let _ = asked.send().await;
        (probes() > before).then_some(())
    })
    .await;
    let (begun, before) = (Instant::now(), probes());
    for _ in 0..50 {
        let asked = app
            .get("/readyz")
            .timeout(std::time::Duration::from_millis(5));
        let _ = asked.send().await;
    }
    let allowed = 2 * (1 + begun.elapsed().as_secs() as usize / 5);
    assert!(probes() - before <= allowed, "{} probes", probes() - before);
    s3.heal();
    until("readiness to come back", || async {
        let answer = app.get("/readyz").send().await.unwrap();
        let ready = answer.status() == 200;
        let body = json_of(answer).await;
        assert_eq!(ready, body["status"] == json!("ready"), "{body}");
        ready.then_some(())
    })
    .await;
    app.stop().await;
}
