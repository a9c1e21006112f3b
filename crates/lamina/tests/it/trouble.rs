//! Bad days of the machine: storage that is gone or full, a database that another program holds,
//! ten thousand connections. Nothing is marked done that is not, and it goes on when the day is
//! better.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::{Rgba, RgbaImage};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{
    Process, Setup, TestApp, Way, held_emulator, json_of, left_out, picture, png_base64, until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paid_result_waits_until_its_layers_can_be_stored() {
    let emulator = held_emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let id = app
        .create(&json!({ "image_base64": png_base64(&picture(64, 48)) }))
        .await;
    let submitted = emulator.wait_for_submissions(1).await;
    // A file where the job's folder belongs: nothing can be written below it.
    let folder = app.folder.path().join("blobs/jobs").join(&id);
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    emulator.complete(&submitted[0].request_id).await;
    until("the job to be collected", || async {
        (app.job(&id).await["progress"].as_f64() > Some(0.94)).then_some(())
    })
    .await;
    assert_eq!(app.job(&id).await["status"], "processing");

    std::fs::remove_file(&folder).unwrap();
    assert_eq!(app.finished(&id).await["status"], "completed");
    assert_eq!(emulator.billable_units(), 1);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_cannot_be_stored_is_refused_and_works_again_later() {
    let app = TestApp::start(Way::Local, None).await;
    let jobs = app.folder.path().join("blobs/jobs");
    std::fs::write(&jobs, "in the way").unwrap();
    // Too large to be kept with its row.
    let noise = RgbaImage::from_fn(200, 200, |_, _| Rgba([0; 4].map(|_: u8| fastrand::u8(..))));
    let body = json!({ "image_base64": png_base64(&noise) });
    let create = || {
        app.client
            .post(format!("{}/api/jobs", app.base))
            .json(&body)
            .send()
    };
    let refused = create().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(json_of(refused).await["code"], "storage_unavailable");
    std::fs::remove_file(&jobs).unwrap();
    assert_eq!(create().await.unwrap().status(), StatusCode::ACCEPTED);
    until("the job's end", || async {
        (app.store.job_counts().await.unwrap().active == 0).then_some(())
    })
    .await;
    app.stop().await;
}

/// A real disk of 3 MB that fills up.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(folder.path())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = SmallDisk::mount() else {
        return left_out("the test of a full disk; it needs root, to mount a small one");
    };
    let blobs = format!("file:{}", disk.path().join("blobs").display());
    let setup = Setup::new(Way::Local)
        .with(
            "DATABASE_PATH",
            &disk.path().join("lamina.db").display().to_string(),
        )
        .with("STORAGE_URL", &blobs);
    let app = TestApp::start_with(setup, None).await;
    let ballast = disk.path().join("ballast");
    let mut acknowledged = Vec::new();
    let body = json!({ "image_base64": png_base64(&picture(320, 240)), "num_layers": 1 });
    let create = || {
        app.client
            .post(format!("{}/api/jobs", app.base))
            .json(&body)
            .send()
    };
    acknowledged.push(
        json_of(create().await.unwrap()).await["job_id"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    // Whatever is left is taken; writing fails with ENOSPC in the end.
    let _ = std::fs::write(&ballast, vec![0; 4 << 20]);
    for _ in 0..5 {
        let answer = create().await.unwrap();
        let status = answer.status();
        let answer = json_of(answer).await;
        match status {
            StatusCode::ACCEPTED => {
                acknowledged.push(answer["job_id"].as_str().unwrap().to_owned());
            }
            status => assert_eq!(
                (status, &answer["code"]),
                (StatusCode::INSUFFICIENT_STORAGE, &json!("storage_full"))
            ),
        }
    }
    std::fs::remove_file(&ballast).unwrap();
    for id in acknowledged {
        assert_eq!(app.finished(&id).await["status"], "completed");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_another_program_holds_is_said_and_passes() {
    let app = TestApp::start(Way::Local, None).await;
    let other = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let refused = app
        .client
        .post(format!("{}/api/jobs", app.base))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(json_of(refused).await["code"], "storage_unavailable");
    other.execute_batch("rollback").unwrap();
    assert_eq!(app.split(json!({})).await["status"], "completed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_leave_the_service_answering() {
    const CONNECTIONS: usize = 10_000;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let enough = CONNECTIONS as u64 + 500;
    if limit.maximum.is_some_and(|most| most < enough) {
        return left_out("the test of 10,000 connections; it needs that many file descriptors");
    }
    let raised = rustix::process::Rlimit {
        current: Some(enough.max(limit.current.unwrap_or(0))),
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let served = Process::start(&[("DATABASE_PATH", database.as_str()), ("PORT", "0")]).await;
    let address = served.base.strip_prefix("http://").unwrap().to_owned();
    let mut rude = Vec::new();
    for _ in 0..CONNECTIONS / 500 {
        let batch: Vec<_> = (0..500)
            .map(|_| tokio::spawn(half_a_request(address.clone())))
            .collect();
        for connection in batch {
            rude.extend(connection.await.unwrap());
        }
    }
    assert!(
        rude.len() > 4_000,
        "only {} connections were made",
        rude.len()
    );
    // Those that hold half a header are let go after 10 s, and then there is room.
    let mut polite = TcpStream::connect(&address).await.unwrap();
    polite
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(60), polite.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(rude);
    let (status, said) = served.terminate().await;
    assert!(status.success(), "{said}");
}

/// The backlog is finite; whoever does not get in within a while is not what is tested.
async fn half_a_request(address: String) -> Option<TcpStream> {
    let connected = tokio::time::timeout(Duration::from_secs(3), TcpStream::connect(address)).await;
    let mut socket = connected.ok()?.ok()?;
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: ")
        .await
        .ok()?;
    Some(socket)
}
