//! A deployment moves between folder and bucket by the commands of docs/storage.md, as they stand
//! there, with the real rclone against the S3 server of these tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use axum::http::Method;
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::{BUCKET, Fault, PREFIX, S3, Setup, TestApp, Way, files, left_out, until};

const PAGE: &str = include_str!("../../../../docs/storage.md");
const SECTION: &str = "## Moving from one to the other";
const ENDS: &str = "FROM=/var/lib/lamina/blobs TO=bucket:pictures/lamina";

/// The page's three pieces of shell: the preparation, what runs beside lamina, what runs once it is
/// stopped.
fn commands() -> [String; 3] {
    let (_, section) = PAGE.split_once(SECTION).unwrap();
    let blocks: Vec<String> = section
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split_once("```").unwrap().0.to_owned())
        .collect();
    blocks.try_into().unwrap()
}

/// rclone between one deployment's folder and one bucket.
struct Rclone<'a> {
    /// Where it is run.
    folder: TempDir,
    s3: &'a S3,
    from: String,
    to: String,
}

impl<'a> Rclone<'a> {
    fn new(s3: &'a S3, from: &str, to: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            s3,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    /// Starts a piece of the page after its preparation, in a process group of its own.
    fn spawn(&self, piece: &str) -> Child {
        let [preparation, ..] = commands();
        assert!(preparation.contains(ENDS), "{preparation}");
        let ends = format!("FROM='{}' TO='{}'", self.from, self.to);
        let script = format!("set -e\n{}{piece}", preparation.replace(ENDS, &ends));
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("S3_REGION", "us-east-1")
            .envs(self.s3.options());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().unwrap()
    }

    /// Runs a piece of the page, and returns how it ended and what it said.
    async fn run(&self, piece: &str) -> (ExitStatus, String) {
        let ended = self.spawn(piece).wait_with_output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (ended.status, String::from_utf8(said).unwrap())
    }

    /// Everything is at the target, byte for byte, and nothing else.
    async fn completes(&self) {
        let [.., stopped] = commands();
        let (status, said) = self.run(&stopped).await;
        assert!(status.success(), "{said}");
        assert!(said.contains("0 differences found"), "{said}");
    }
}

/// Ends it and its shell as a power cut would.
async fn kill(mut child: Child) {
    let group = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    child.wait().await.unwrap();
}

fn has_rclone() -> bool {
    let version = std::process::Command::new("rclone").arg("version").output();
    let there = version.is_ok_and(|output| output.status.success());
    if !there {
        left_out("moving a deployment with rclone, which is not installed");
    }
    there
}

fn bucket() -> String {
    format!("bucket:{BUCKET}/{PREFIX}")
}

/// What lies below a folder, by its path there, but for what readiness writes.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let path = |file: &Path| file.strip_prefix(root).unwrap().display().to_string();
    let mut tree: BTreeMap<_, _> = files(root)
        .iter()
        .map(|file| (path(file), std::fs::read(file).unwrap()))
        .collect();
    tree.remove("probe");
    tree
}

fn id(job: &Value) -> &str {
    job["job_id"].as_str().unwrap()
}

/// Whether something of this job lies below a folder.
fn holds(root: &Path, job: &Value) -> bool {
    // By name alone: lamina may erase a file meanwhile.
    let ours = |file: &PathBuf| file.to_string_lossy().contains(id(job));
    files(root).iter().any(ours)
}

/// The job's layers are served by `app`, and a link that was given before is too where lamina
/// answers it.
async fn still_served(app: &TestApp, before: &Value, host: &str) {
    let after = app.job(id(before)).await;
    let layers = |job: &Value| job["layers"].as_array().unwrap().clone();
    assert_eq!(layers(before).len(), layers(&after).len(), "{after}");
    for (before, after) in layers(before).iter().zip(layers(&after)) {
        let url = after["url"].as_str().unwrap();
        assert!(url.starts_with(host), "{url}");
        let answer = app.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        assert_eq!(answer.headers()["content-type"], "image/png");
        assert_eq!(before["bytes"], answer.bytes().await.unwrap().len());
        if let Some((_, path)) = before["url"].as_str().unwrap().split_once("/files/") {
            let old = app.get(&format!("/files/{path}")).send().await.unwrap();
            assert_eq!(old.status(), StatusCode::OK, "{path}");
        }
    }
}

async fn delete(app: &TestApp, job: &Value) {
    let url = format!("{}/api/jobs/{}", app.base, id(job));
    let answer = app.client.delete(url).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// A storage like a deployment's: enough files that a copy takes more than one moment.
fn fill(root: &Path, files: u32) {
    std::fs::create_dir_all(root).unwrap();
    let mark = r#"{"deployment":"this-one","seen_at_ms":1}"#;
    std::fs::write(root.join("deployment.json"), mark).unwrap();
    for number in 0..files {
        let folder = root.join(format!("jobs/job-{}", number / 5));
        std::fs::create_dir_all(&folder).unwrap();
        let bytes = vec![number as u8; 1_000 + number as usize * 321];
        std::fs::write(folder.join(format!("layer_{}.png", number % 5)), bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_moves_to_a_bucket_and_back_with_rclone_while_jobs_are_made() {
    if !has_rclone() {
        return;
    }
    let s3 = S3::start().await;
    let app = TestApp::start(Way::Local, None).await;
    let source = app.folder.path().join("blobs");
    let (kept, deleted) = (app.split(json!({})).await, app.split(json!({})).await);

    // Beside lamina: what is made meanwhile may or may not come along, so the end of this run
    // says nothing yet.
    let rclone = Rclone::new(&s3, &source.display().to_string(), &bucket());
    let [_, beside, _] = commands();
    let (during, _) = tokio::join!(app.split(json!({})), rclone.run(&beside));
    until("the first jobs at the bucket", || async {
        rclone.run(&beside).await;
        (holds(&s3.objects(), &kept) && holds(&s3.objects(), &deleted)).then_some(())
    })
    .await;
    delete(&app, &deleted).await;
    until("the deleted job's bytes gone", || async {
        (!holds(&source, &deleted)).then_some(())
    })
    .await;
    let folder = app.stop().await;
    rclone.completes().await;
    assert!(!holds(&s3.objects(), &deleted));
    let wanted = tree(&source);
    assert!(wanted.contains_key("deployment.json"), "{wanted:?}");
    assert_eq!(tree(&s3.objects()), wanted);
    std::fs::remove_dir_all(&source).unwrap();

    let setup = Setup::new(Way::Local).over(&s3);
    let app = TestApp::start_in(folder, setup, None).await;
    for job in [&kept, &during] {
        still_served(&app, job, &s3.endpoint()).await;
    }
    let made_there = app.split(json!({})).await;
    let ready = app.get("/readyz").send().await.unwrap();
    let ready = crate::support::json_of(ready).await;
    assert_eq!(ready["checks"]["ownership"], "ok", "{ready}");
    let folder = app.stop().await;

    // And back, into a folder that rclone makes.
    let back: PathBuf = folder.path().join("blobs");
    let rclone = Rclone::new(&s3, &bucket(), &back.display().to_string());
    rclone.completes().await;
    assert_eq!(tree(&back), tree(&s3.objects()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&back.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let app = TestApp::start_in(folder, Setup::new(Way::Local), None).await;
    for job in [&kept, &during, &made_there] {
        still_served(&app, job, &app.base).await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_rclone_that_is_killed_goes_on_where_it_was_and_ends_complete() {
    if !has_rclone() {
        return;
    }
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let source = folder.path().join("blobs");
    fill(&source, 60);
    let wanted = tree(&source);
    // Neither is lamina's to move: a file of someone else, and a write that was cut.
    std::fs::write(source.join("notes.txt"), "not lamina's").unwrap();
    std::fs::write(source.join("jobs/job-0/layer_0.png#1"), "half").unwrap();

    let rclone = Rclone::new(&s3, &source.display().to_string(), &bucket());
    let [_, beside, _] = commands();
    let first = rclone.spawn(&beside);
    until("some of it", || async {
        (s3.count(&Method::PUT, "") >= 15).then_some(())
    })
    .await;
    // From here nothing is answered, so it cannot end before it is killed.
    s3.fail(&[Method::PUT, Method::GET, Method::HEAD], Fault::Hang);
    kill(first).await;
    s3.heal();
    let partly = files(&s3.objects()).len();
    assert!((1..wanted.len()).contains(&partly), "{partly}");

    let before = s3.count(&Method::PUT, "");
    rclone.completes().await;
    let again = s3.count(&Method::PUT, "") - before;
    assert!((1..=wanted.len() - partly).contains(&again), "{again}");
    assert_eq!(tree(&s3.objects()), wanted);

    // Back, with one file cut as a killed rclone leaves it.
    let back = folder.path().join("back");
    fill(&back, 7);
    std::fs::write(back.join("jobs/job-1/layer_1.png"), "half").unwrap();
    let rclone = Rclone::new(&s3, &bucket(), &back.display().to_string());
    rclone.completes().await;
    assert_eq!(tree(&back), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_deployments_storage_is_no_target_for_rclone() {
    if !has_rclone() {
        return;
    }
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let (source, theirs) = (folder.path().join("blobs"), folder.path().join("theirs"));
    fill(&source, 5);
    let picture = theirs.join("jobs/their-job/layer_0.png");
    std::fs::create_dir_all(picture.parent().unwrap()).unwrap();
    std::fs::write(&picture, "theirs").unwrap();
    let [_, beside, _] = commands();
    let from = source.display().to_string();
    for mark in [None, Some(r#"{"deployment":"another","seen_at_ms":1}"#)] {
        if let Some(mark) = mark {
            std::fs::write(theirs.join("deployment.json"), mark).unwrap();
        }
        let before = tree(&theirs);
        let rclone = Rclone::new(&s3, &from, &theirs.display().to_string());
        let (status, said) = rclone.run(&beside).await;
        assert!(!status.success() && said.contains("another's"), "{said}");
        assert_eq!(tree(&theirs), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_differs_at_the_target_is_named_by_rclones_check() {
    if !has_rclone() {
        return;
    }
    let (s3, folder) = (S3::start().await, tempfile::tempdir().unwrap());
    let source = folder.path().join("blobs");
    fill(&source, 12);
    let rclone = Rclone::new(&s3, &source.display().to_string(), &bucket());
    rclone.completes().await;
    let object = "jobs/job-1/layer_2.png";
    // The bytes rot and the bucket does not know: size and checksum by its word are as before.
    let there = s3.objects().join(object);
    let size = there.metadata().unwrap().len();
    std::fs::write(&there, vec![9; usize::try_from(size).unwrap()]).unwrap();

    let [.., stopped] = commands();
    let (status, said) = rclone.run(&stopped).await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(object), "{said}");
    assert!(said.contains("1 differences found"), "{said}");
    // What the page says to do about it.
    let erase = format!("rclone deletefile \"$TO/{object}\"\n");
    let (status, said) = rclone.run(&erase).await;
    assert!(status.success(), "{said}");
    rclone.completes().await;
    assert_eq!(tree(&s3.objects()), tree(&source));
}
