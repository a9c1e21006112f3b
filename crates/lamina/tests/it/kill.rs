//! SIGKILL at every named point of a job's life, with the real binary, and a restart: the job
//! reaches the same end, its result is stored once, and it is paid once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use fal_emulator::Emulator;
use image::RgbaImage;
use lamina::worker::failpoints;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{
    Process, Way, emulator, fal_options, json_of, kept_port, picture, png_base64, png_bytes, until,
};

/// Points at which the intent was written and nothing was handed over. fal's list shows nothing, and
/// that proves nothing where nothing else is listed.
const INTENT_ONLY: [&str; 2] = ["after_intent", "before_call"];

/// Points that only some ways pass: where a copy of the picture is noted, and where layers are raised.
const NOT_ALWAYS: [&str; 3] = ["before_input_noted", "after_input_noted", "amid_raised"];

/// The points that every way passes.
fn always_passed() -> Vec<&'static str> {
    let points = failpoints::POINTS.into_iter();
    points.filter(|point| !NOT_ALWAYS.contains(point)).collect()
}

/// Wider than what the emulator gives, where layers are raised to it.
fn source(way: Way) -> RgbaImage {
    if way == Way::FalPolling {
        picture(800, 600)
    } else {
        picture(64, 48)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_anywhere_costs_time_only_when_fal_calls_back() {
    for points in always_passed().chunks(4) {
        let lives: Vec<_> = points
            .iter()
            .map(|point| tokio::spawn(killed_at(point, Way::FalWebhooks)))
            .collect();
        for life in lives {
            let life = life.await.unwrap();
            assert_eq!(
                (life.end, life.paid),
                ("completed".to_owned(), 1),
                "{}",
                life.point
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_anywhere_is_paid_once_where_lamina_asks_fal() {
    for points in failpoints::POINTS.chunks(4) {
        let lives: Vec<_> = points
            .iter()
            .map(|point| tokio::spawn(killed_at(point, Way::FalPolling)))
            .collect();
        for life in lives {
            let life = life.await.unwrap();
            assert_eq!(
                (life.end, life.paid),
                ("completed".to_owned(), 1),
                "{}",
                life.point
            );
            assert_eq!(
                life.unknown > 0,
                INTENT_ONLY.contains(&life.point),
                "{}",
                life.point
            );
            // A copy that was noted is used again; one that was not is one more.
            let copies = 1 + usize::from(life.point == "before_input_noted");
            assert_eq!(life.uploads, copies, "{}", life.point);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_starts_over_after_a_kill() {
    for points in always_passed().chunks(4) {
        let lives: Vec<_> = points
            .iter()
            .map(|point| tokio::spawn(killed_at(point, Way::Local)))
            .collect();
        for life in lives {
            let life = life.await.unwrap();
            assert_eq!(
                (life.end, life.unknown),
                ("completed".to_owned(), 0),
                "{}",
                life.point
            );
        }
    }
}

struct Life {
    point: &'static str,
    end: String,
    paid: u64,
    unknown: i64,
    uploads: usize,
}

/// Creates the job, or learns its id again: the key makes the repetition safe. `None` when no
/// answer came.
async fn create(base: &str, body: &Value) -> Option<String> {
    let sent = Client::new()
        .post(format!("{base}/api/jobs"))
        .header("idempotency-key", "one")
        .json(body)
        .send()
        .await
        .ok()?;
    let answer: Value = sent.json().await.ok()?;
    Some(answer["job_id"].as_str().unwrap().to_owned())
}

async fn killed_at(point: &'static str, way: Way) -> Life {
    let emulator = emulator().await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder, &emulator, way).await;
    options.insert("LAMINA_TEST_CRASH_POINT".into(), point.into());

    let first = start(&options).await;
    // A picture that is checked at its create leaves nothing to prepare.
    let fetched = point.ends_with("_write_submit");
    let (address, pictures) = serve_picture(way).await;
    let mut body = json!({ "num_layers": 2 });
    if way == Way::FalPolling {
        body["resolution"] = json!("source");
    }
    if fetched {
        body["image_url"] = json!(format!("http://{address}/picture.png"));
    } else {
        body["image_base64"] = json!(png_base64(&source(way)));
    }
    // A worker that is quick may end the process before the answer is on its way.
    let answered = create(&first.base, &body).await;
    let (status, said) = first.ended().await;
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "{point}: {said}"
    );

    options.remove("LAMINA_TEST_CRASH_POINT");
    let second = start(&options).await;
    let id = create(&second.base, &body).await.unwrap();
    assert!(
        answered.is_none_or(|first| first == id),
        "{point}: another job"
    );
    let url = format!("{}/api/jobs/{id}", second.base);
    let job = until("the job's end", || async {
        let job = json_of(Client::new().get(&url).send().await.unwrap()).await;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
    .await;
    stored_once(&job, &folder, &id).await;
    let raised = &job["layers"][0]["fidelity_url"];
    assert_eq!(raised.is_string(), way == Way::FalPolling, "{point}: {job}");
    let (status, said) = second.terminate().await;
    assert!(status.success(), "{point}: {said}");
    pictures.abort();
    let unknown = unknown_submissions(&folder);
    let (paid, uploads) = (emulator.billable_units(), emulator.uploads().len());
    emulator.stop().await;
    Life {
        point,
        end: job["status"].as_str().unwrap().to_owned(),
        paid,
        unknown,
        uploads,
    }
}

/// A server of a picture.
async fn serve_picture(way: Way) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bytes = png_bytes(&source(way));
    let routes = Router::new().route("/picture.png", get(move || async move { bytes }));
    let served = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (address, served)
}

/// What the job names can be fetched, and nothing else lies in its folder.
async fn stored_once(job: &Value, folder: &TempDir, id: &str) {
    let layers = job["layers"].as_array().unwrap_or_else(|| panic!("{job}"));
    for layer in layers {
        let answer = Client::new()
            .get(layer["url"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.bytes().await.unwrap().len() as u64,
            layer["bytes"].as_u64().unwrap()
        );
    }
    let stored = |kind: &str| {
        let files = std::fs::read_dir(folder.path().join("blobs/jobs").join(id)).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(kind)).count()
    };
    let masks = layers
        .iter()
        .filter(|layer| layer["fidelity_url"].is_string());
    assert_eq!(
        (stored("layer_"), stored("fidelity_")),
        (layers.len(), masks.count())
    );
}

async fn options(folder: &TempDir, emulator: &Emulator, way: Way) -> BTreeMap<String, String> {
    // The address must be the same in both lives, because fal was given it.
    let port = kept_port();
    let mut options = BTreeMap::from([
        (
            "DATABASE_PATH".to_owned(),
            folder.path().join("lamina.db").display().to_string(),
        ),
        ("PORT".to_owned(), port.to_string()),
        ("FETCH_ALLOW_HTTP".to_owned(), "true".to_owned()),
        ("FETCH_ALLOW_NETS".to_owned(), "127.0.0.0/8".to_owned()),
        ("SUBMIT_UNKNOWN".to_owned(), "retry".to_owned()),
        ("SUBMIT_UNKNOWN_GRACE".to_owned(), "3s".to_owned()),
    ]);
    if way != Way::Local {
        options.extend(
            fal_options(emulator)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
    if way == Way::FalWebhooks {
        options.insert("PUBLIC_URL".to_owned(), format!("http://127.0.0.1:{port}"));
    }
    options
}

async fn start(options: &BTreeMap<String, String>) -> Process {
    let pairs: Vec<(&str, &str)> = options
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Process::start(&pairs).await
}

fn unknown_submissions(folder: &TempDir) -> i64 {
    let database = rusqlite::Connection::open(folder.path().join("lamina.db")).unwrap();
    database
        .query_row(
            "select count(*) from submissions where state = 'unknown'",
            [],
            |row| row.get(0),
        )
        .unwrap()
}
