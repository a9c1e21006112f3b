//! `lamina blobs copy`, with the real binary: from a folder to a bucket and back, killed in the
//! middle, and honest about what differs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;

use axum::http::Method;
use bytes::Bytes;
use lamina::blobs::{BlobKey, Blobs};
use lamina::jobs::{JobId, MediaType, UnixMs, UploadId};
use serde_json::json;

use crate::support::{BUCKET, Fault, PREFIX, Process, S3, Setup, TestApp, Way, files, until};

const TO: &str = "s3://pictures/lamina/test";

/// What lies below a folder, by its path there.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let path = |file: &Path| file.strip_prefix(root).unwrap().display().to_string();
    files(root)
        .iter()
        .map(|file| (path(file), std::fs::read(file).unwrap()))
        .collect()
}

async fn fill(root: &Path, pictures: u32) {
    let blobs = Blobs::folder(root).unwrap();
    for number in 0..pictures {
        let job = JobId::new(UnixMs(i64::from(number) / 5));
        let key = if number % 7 == 0 {
            BlobKey::Upload(UploadId::new(UnixMs(0)), MediaType::Jpeg)
        } else {
            BlobKey::Layer(job, number % 5, MediaType::Png)
        };
        let bytes = vec![number as u8; 1_000 + number as usize * 321];
        blobs.put(&key, Bytes::from(bytes)).await.unwrap();
    }
}

struct Copy {
    folder: tempfile::TempDir,
    s3: S3,
}

impl Copy {
    async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            s3: S3::start().await,
        }
    }

    fn source(&self) -> std::path::PathBuf {
        self.folder.path().join("blobs")
    }

    fn spawn(&self, from: &str, to: &str, journal: &str) -> Process {
        let journal = self.folder.path().join(journal).display().to_string();
        let arguments = ["blobs", "copy", from, to, "--journal", &journal];
        let mut options = self.s3.options();
        options.retain(|(name, _)| *name != "STORAGE_URL");
        let database = self.folder.path().join("lamina.db").display().to_string();
        options.push(("DATABASE_PATH", database));
        let options: Vec<_> = options
            .iter()
            .map(|(name, v)| (*name, v.as_str()))
            .collect();
        Process::command(&arguments, &options)
    }

    async fn run(&self, from: &str, to: &str) -> (ExitStatus, String) {
        self.spawn(from, to, "journal").ended().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_goes_on_where_it_was_and_ends_complete() {
    let copy = Copy::new().await;
    fill(&copy.source(), 60).await;
    std::fs::write(copy.source().join("notes.txt"), "not lamina's").unwrap();
    let from = format!("file:{}", copy.source().display());
    let pictures = files(&copy.source()).len() - 1;

    let first = copy.spawn(&from, TO, "journal");
    until("some of it", || async {
        (copy.s3.count(&Method::PUT, "") >= 15).then_some(())
    })
    .await;
    // From here nothing is answered, so it cannot end before it is killed. Several of those that
    // were counted may have been caught by it.
    copy.s3
        .fail(&[Method::PUT, Method::GET, Method::HEAD], Fault::Hang);
    first.kill().await;
    let partly = files(&copy.s3.objects()).len();
    assert!((1..pictures).contains(&partly), "{partly} of {pictures}");
    copy.s3.heal();

    let before = copy.s3.count(&Method::PUT, "");
    let (status, said) = copy.run(&from, TO).await;
    assert!(status.success(), "{said}");
    assert!(
        said.contains("everything at the source is at the target"),
        "{said}"
    );
    assert!(said.contains("no picture of lamina: 1 file\n"), "{said}");
    let again = copy.s3.count(&Method::PUT, "") - before;
    assert!((1..=pictures - partly).contains(&again), "{again}: {said}");
    let mut wanted = tree(&copy.source());
    wanted.remove("notes.txt");
    assert_eq!(tree(&copy.s3.objects()), wanted);

    // A third run moves and reads nothing.
    let reads = copy.s3.count(&Method::GET, "jobs");
    let (status, said) = copy.run(&from, TO).await;
    assert!(status.success() && said.contains("0 copied"), "{said}");
    assert_eq!(copy.s3.count(&Method::GET, "jobs"), reads);

    // And back.
    let back = copy.folder.path().join("back");
    let to = format!("file:{}", back.display());
    let (status, said) = copy.spawn(TO, &to, "journal-back").ended().await;
    assert!(status.success(), "{said}");
    assert_eq!(tree(&back), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_at_the_target_is_named_and_left_and_fails_the_copy() {
    let copy = Copy::new().await;
    fill(&copy.source(), 12).await;
    let from = format!("file:{}", copy.source().display());
    let target = Blobs::bucket(&copy.s3.settings()).unwrap();
    let (keys, _) = Blobs::folder(&copy.source()).unwrap().keys().await.unwrap();
    let (early, late) = (keys[0].0, keys[1].0);
    // One is in the way before the first run, one is changed after it.
    target
        .put(&early, Bytes::from_static(b"another"))
        .await
        .unwrap();
    let (status, said) = copy.run(&from, TO).await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("differs: {early}")), "{said}");
    let size = keys[1].1 as usize;
    target.put(&late, Bytes::from(vec![9; size])).await.unwrap();
    let (status, said) = copy.run(&from, TO).await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("differs: {late}")), "{said}");
    assert_eq!(target.get(&early).await.unwrap(), "another");
    for key in [early, late] {
        target.remove(&key).await.unwrap();
    }
    let (status, said) = copy.run(&from, TO).await;
    assert!(status.success() && said.contains("2 copied"), "{said}");
    assert_eq!(tree(&copy.s3.objects()), tree(&copy.source()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_at_the_source_since_goes_from_the_copy_too() {
    let copy = Copy::new().await;
    fill(&copy.source(), 12).await;
    let from = format!("file:{}", copy.source().display());
    let target = Blobs::bucket(&copy.s3.settings()).unwrap();
    let stranger = BlobKey::Source(JobId::new(UnixMs(99)), MediaType::Png);
    target
        .put(&stranger, Bytes::from_static(b"x"))
        .await
        .unwrap();
    let (status, said) = copy.run(&from, TO).await;
    assert!(status.success(), "{said}");
    let (keys, _) = Blobs::folder(&copy.source()).unwrap().keys().await.unwrap();
    std::fs::remove_file(copy.source().join(keys[0].0.path())).unwrap();
    let (status, said) = copy.run(&from, TO).await;
    assert!(
        status.success() && said.contains("1 removed at the target"),
        "{said}"
    );
    assert!(target.get(&keys[0].0).await.is_err());
    // What no run of this copy put there is not its to remove.
    assert_eq!(target.get(&stranger).await.unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_cannot_go_on_says_why_and_how() {
    let copy = Copy::new().await;
    fill(&copy.source(), 3).await;
    let from = format!("file:{}", copy.source().display());
    for (from, to, what) in [
        ("file:/nowhere/at/all", TO, "there is no folder"),
        (from.as_str(), from.as_str(), "are the same"),
        (from.as_str(), "gs://bucket", "STORAGE_URL"),
    ] {
        let (status, said) = copy.run(from, to).await;
        assert!(!status.success() && said.contains(what), "{said}");
    }
    copy.s3
        .fail(&[Method::PUT], Fault::Answer(403, "AccessDenied"));
    let (status, said) = copy.run(&from, TO).await;
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("S3_ACCESS_KEY_ID"), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
    let (_, said) = copy.run(&from, "s3://pictures/elsewhere").await;
    assert!(said.contains("--journal"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_moves_to_a_bucket_and_its_jobs_are_still_there() {
    let s3 = S3::start().await;
    let app = TestApp::start(Way::Local, None).await;
    let job = app.split(json!({})).await;
    let id = job["job_id"].as_str().unwrap();
    let folder = app.stop().await;

    let copy = Copy { folder, s3 };
    let from = format!("file:{}", copy.source().display());
    let (status, said) = copy.run(&from, &format!("s3://{BUCKET}/{PREFIX}")).await;
    assert!(status.success(), "{said}");
    std::fs::remove_dir_all(copy.source()).unwrap();

    let setup = Setup::new(Way::Local).over(&copy.s3);
    let app = TestApp::start_in(copy.folder, setup, None).await;
    let moved = app.job(id).await;
    for (before, after) in job["layers"]
        .as_array()
        .unwrap()
        .iter()
        .zip(moved["layers"].as_array().unwrap())
    {
        let url = after["url"].as_str().unwrap();
        assert!(url.starts_with(&copy.s3.endpoint()), "{url}");
        let answer = app.client.get(url).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/png");
        assert_eq!(before["bytes"], answer.bytes().await.unwrap().len());
        // A link that was given before the move, by the service as it is now.
        let (_, path) = before["url"]
            .as_str()
            .unwrap()
            .split_once("/files/")
            .unwrap();
        let old = app.get(&format!("/files/{path}")).send().await.unwrap();
        assert_eq!(old.status(), reqwest::StatusCode::OK);
    }
    app.stop().await;
}
