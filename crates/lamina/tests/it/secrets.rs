//! What a full run says, in its log and its spans: one line for each request and each change of a
//! job's state, and no secret anywhere, however much is asked for.

use fal_emulator::{EchoAt, EchoShape, Fault};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::{
    Collector, Process, emulator, fal_options, json_of, kept_port, picture, png_base64, png_bytes,
    until,
};

const KEY: &str = "a-key-of-the-app-0123456789";
const SIGNING: &str = "a-signing-secret-of-more-than-32-letters";
const PROMPT: &str = "a-prompt-of-a-stranger";

/// A run of everything: an upload, a job of it by link, one in base64, a failed one, reads, a
/// delete. Returns the log, the spans as text, and what must be in neither.
async fn run(level: &str) -> (String, String, Vec<String>) {
    let (collector, emulator) = (Collector::start().await, emulator().await);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lamina.db");
    let mut options = fal_options(&emulator);
    for (name, value) in [
        ("DATABASE_PATH", path.to_str().unwrap()),
        ("PORT", "0"),
        ("LOG", level),
        ("API_KEYS", &format!("app:{KEY}")),
        ("SIGNING_SECRET", SIGNING),
        ("FETCH_ALLOW_HTTP", "true"),
        ("FETCH_ALLOW_NETS", "127.0.0.0/8"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-collector-key=a-key-of-the-collector",
        ),
    ] {
        options.push((name, value.to_owned()));
    }
    let options: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let process = Process::start(&options).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = |path: &str| format!("{}{path}", process.base);
    let image = picture(64, 48);

    let upload = client
        .post(url("/api/upload"))
        .bearer_auth(KEY)
        .header("content-type", "image/png")
        .body(png_bytes(&image));
    let link = json_of(upload.send().await.unwrap()).await["url"].clone();
    let signed = link
        .as_str()
        .unwrap()
        .split_once("sig=")
        .unwrap()
        .1
        .to_owned();
    let bodies = [
        json!({ "image_url": link, "prompt": PROMPT }),
        // Larger than the engine takes, so that there is something to prepare.
        json!({ "image_base64": png_base64(&picture(1600, 40)), "prompt": PROMPT }),
        json!({ "image_url": url("/no/such?token=a-token-of-a-stranger"), "prompt": PROMPT }),
    ];
    for body in &bodies {
        let create = client.post(url("/api/jobs")).bearer_auth(KEY).json(body);
        let id = json_of(create.send().await.unwrap()).await["job_id"].clone();
        let job = url(&format!("/api/jobs/{}", id.as_str().unwrap()));
        let ended = until("the job's end", || async {
            let job = json_of(client.get(&job).bearer_auth(KEY).send().await.unwrap()).await;
            let ended = job["status"] == "completed" || job["status"] == "failed";
            ended.then_some(job)
        })
        .await;
        if let Some(layer) = ended["layers"][0]["url"].as_str() {
            assert_eq!(client.get(layer).send().await.unwrap().status(), 200);
        }
        let deleted = client.delete(&job).bearer_auth(KEY).send().await.unwrap();
        assert_eq!(deleted.status(), 204);
    }
    let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut nonces = database.prepare("select nonce from submissions").unwrap();
    let nonces = nonces.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut secrets: Vec<String> = nonces.map(|nonce| nonce.unwrap()).collect();
    assert!(secrets.len() >= 2);
    let (status, log) = process.terminate().await;
    assert!(status.success());
    emulator.stop().await;

    let key = emulator_key_secret(&options);
    let png = png_base64(&image);
    for secret in [
        KEY,
        SIGNING,
        PROMPT,
        &signed,
        &key,
        "a-token-of-a-stranger",
        "a-key-of-the-collector",
        &png[..32],
    ] {
        secrets.push(secret.to_owned());
    }
    (log, format!("{:?}", collector.requests()), secrets)
}

/// The part of fal's key that is secret; the part before the colon is its name.
fn emulator_key_secret(options: &[(&str, &str)]) -> String {
    let key = options
        .iter()
        .find(|(name, _)| *name == "FAL_API_KEY")
        .unwrap()
        .1;
    key.split_once(':').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_that_changes_something_and_every_change_of_a_job_is_one_line() {
    let (log, ..) = run("info").await;
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let of = |message: &str| -> Vec<&Value> {
        lines
            .iter()
            .filter(|line| line["message"] == message)
            .collect()
    };
    let (created, moved) = (of("job created"), of("job moved on"));
    assert_eq!(
        (
            created.len(),
            of("job deleted").len(),
            of("job failed").len()
        ),
        (3, 3, 1),
        "{log}"
    );
    let way = |job: &Value| -> Vec<String> {
        let of_job = moved.iter().filter(|line| line["job"] == *job);
        of_job
            .map(|line| line["to"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ["submit", "wait", "collect", "completed"];
    // The picture of the first was ready when it was created.
    assert_eq!(way(&created[0]["job"]), all[1..], "{log}");
    assert_eq!(way(&created[1]["job"]), all, "{log}");
    for line in moved
        .iter()
        .chain(&of("job failed"))
        .chain(&of("job deleted"))
    {
        assert_eq!(
            (&line["owner"], &line["engine"]),
            (&json!("app"), &json!("fal"))
        );
        assert!(line["age_ms"].is_u64(), "{line}");
        assert!(
            line["message"] == "job deleted" || line["step_ms"].is_u64(),
            "{line}"
        );
    }
    let requests = of("request answered");
    let posts = requests
        .iter()
        .filter(|line| line["route"] == "/api/jobs" && line["status"] == 202);
    assert_eq!(posts.count(), 3);
    assert!(requests.iter().all(|line| line["duration_ms"].is_u64()));
    let job = &created[0]["job"];
    let found = |line: &&&Value| line["method"] == "GET" && line["status"] == 200;
    assert_eq!(requests.iter().filter(found).count(), 0, "{log}");
    for (method, route) in [("POST", "/api/jobs"), ("DELETE", "/api/jobs/{id}")] {
        let is_it = |line: &&&Value| line["method"] == method && line["route"] == route;
        let mut of_route = requests.iter().filter(is_it);
        assert!(of_route.any(|line| line["job"] == *job), "{method} {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_however_much_is_asked_for() {
    for level in ["info", "trace"] {
        let (log, spans, secrets) = run(level).await;
        assert!(spans.contains("engine submit"), "{spans}");
        for secret in &secrets {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log at {level}");
            assert!(!spans.contains(secret), "{secret} is in a span");
        }
    }
}

/// Every shape of an answer that repeats the prompt, at every place, by polling and by webhooks. The
/// log at its loudest, the spans and what the owner is told hold nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fal_says_is_never_told_on() {
    const ECHOED: &str = "lighthouse-of-a-stranger";
    for webhooks in [false, true] {
        let (collector, emulator) = (Collector::start().await, emulator().await);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lamina.db").display().to_string();
        let port = kept_port().to_string();
        let mut options = fal_options(&emulator);
        for (name, value) in [
            ("DATABASE_PATH", path.as_str()),
            ("PORT", &port),
            ("LOG", "trace"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint),
            ("SUBMIT_UNKNOWN_GRACE", "1s"),
        ] {
            options.push((name, value.to_owned()));
        }
        if webhooks {
            options.push(("PUBLIC_URL", format!("http://127.0.0.1:{port}")));
            options.push(("FAL_IMAGE", "upload".to_owned()));
        }
        let options: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let process = Process::start(&options).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let image = png_base64(&picture(64, 48));
        let mut urls = Vec::new();
        for at in EchoAt::ALL {
            for shape in EchoShape::ALL {
                let (at, shape) = (*at, *shape);
                let prompt = format!("{ECHOED} {at:?} {shape:?}.");
                emulator.script_once_for_prompt(&prompt, Fault::Echo { at, shape });
                let body = json!({ "image_base64": image, "num_layers": 2, "prompt": prompt });
                let create = client
                    .post(format!("{}/api/jobs", process.base))
                    .json(&body);
                let made = json_of(create.send().await.unwrap()).await;
                let id = made["job_id"].as_str().unwrap();
                urls.push(format!("{}/api/jobs/{id}", process.base));
            }
        }
        for url in &urls {
            let shown = until("the job's end", || async {
                let job = json_of(client.get(url).send().await.unwrap()).await;
                let ended = job["status"] == "completed" || job["status"] == "failed";
                ended.then_some(job)
            })
            .await;
            let told = format!("{} {}", shown["error"], shown["error_code"]);
            assert!(!told.contains(ECHOED), "{told}");
        }
        let (status, log) = process.terminate().await;
        assert!(status.success());
        let line = log.lines().find(|line| line.contains(ECHOED));
        assert_eq!(line, None, "webhooks {webhooks}");
        let spans = format!("{:?}", collector.requests());
        assert!(spans.contains("engine submit") && !spans.contains(ECHOED));
        emulator.stop().await;
    }
}
