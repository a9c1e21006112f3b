//! More than a thousand inputs that nobody wrote by hand: broken pictures by every way in, broken JSON,
//! forms, compressed bodies, webhooks, tickets and resumable uploads, over HTTP/1 and HTTP/2 at once. What
//! each is told depends on where it broke; what holds of all is that the service answers with a code of
//! its own, keeps its memory and goes on. The same inputs in every run.

use std::io::Write as _;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::Client;
use serde_json::Value;

use super::{Health, pictures, problem};
use crate::support::{Process, picture, png_bytes};

/// What the bar asks for.
const AT_LEAST: usize = 1_046;
/// The most memory over that of the idle process: 200 MB.
const SPARE_KIB: u64 = 200_000_000 / 1024;
const AT_ONCE: usize = 16;
const BOUNDARY: &str = "multipart/form-data; boundary=x";

struct Input {
    name: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

/// Numbers that look like chance and are none.
struct Chance(u64);

impl Chance {
    fn next(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }

    /// The bytes with some of them changed, lost, doubled or moved.
    fn broken(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.next(3) {
            let (at, span) = (self.next(bytes.len()), self.next(200));
            let end = (at + span).min(bytes.len());
            match self.next(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part.repeat(1 + self.next(50)));
                }
                3 => bytes[at..end].fill(0xFF),
                4 => bytes.extend_from_slice(&[0; 1000]),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.next(8);
                    }
                }
            }
        }
        bytes
    }
}

fn input(name: String, method: Method, path: &str, kind: &str, body: impl Into<Bytes>) -> Input {
    Input {
        name,
        method,
        path: path.to_owned(),
        headers: vec![("content-type", kind.to_owned())],
        body: body.into(),
    }
}

/// Broken pictures: as they are, and in forms that are whole or broken themselves.
fn of_pictures(chance: &mut Chance, all: &mut Vec<Input>) {
    let mut files: Vec<(String, Vec<u8>)> = pictures::all()
        .into_iter()
        .map(|picture| (picture.name.to_owned(), picture.bytes))
        .collect();
    files.push(("a picture".to_owned(), png_bytes(&picture(200, 150))));
    for (name, file) in &files {
        // One that is too large is so however it is broken.
        let rounds = if file.len() > 1 << 20 { 1 } else { 6 };
        for round in 0..rounds {
            let broken = chance.broken(file);
            let form = [
                b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".as_slice(),
                &broken,
                b"\r\n--x--\r\n",
            ]
            .concat();
            let name = format!("{name}, broken ({round})");
            let post = |path, kind, body| input(name.clone(), Method::POST, path, kind, body);
            all.push(post("/api/upload", "image/png", broken));
            all.push(post("/api/upload", BOUNDARY, chance.broken(&form)));
        }
        // Such as no decoder takes, since a job that is taken would be computed.
        let base64 = STANDARD.encode(file);
        if name != "a picture" {
            let whole = format!("{{\"image_base64\":\"{base64}\"}}");
            let body = chance.broken(whole.as_bytes());
            let json = "application/json";
            let name = format!("{name}, in broken JSON");
            all.push(input(name, Method::POST, "/api/jobs", json, body));
        }
    }
}

fn of_json(chance: &mut Chance, all: &mut Vec<Input>) {
    let bodies = [
        r#"{"image_url":"ftp://a/b.png","num_layers":4.0,"prompt":"a","seed":18446744073709551615}"#,
        r#"{"upload_id":"01999999-9999-7999-8999-999999999999","guidance_scale":1e400,"engine":"local"}"#,
        r#"{"bytes":20971520,"content_type":"image/png"}"#,
        r#"[{"a":[[[[[[[[{}]]]]]]]]},"\ud800",-0.0e-5,null,true]"#,
    ];
    for round in 0..40 {
        for body in bodies {
            // However it breaks, it is no address that would be fetched.
            let broken = chance.broken(body.as_bytes());
            for path in ["/api/jobs", "/api/uploads"] {
                let name = format!("broken JSON for {path} ({round})");
                let kind = "application/json";
                all.push(input(name, Method::POST, path, kind, broken.clone()));
            }
        }
    }
}

/// Bodies that say that they are compressed.
fn of_coded(chance: &mut Chance, all: &mut Vec<Input>) {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(&vec![0; 30 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    for round in 0..30 {
        let body = if round == 0 {
            bomb.clone()
        } else {
            chance.broken(&bomb)
        };
        for coding in [
            "gzip",
            "deflate",
            "br",
            "gzip, gzip",
            "gzip, gzip, gzip",
            "x",
        ] {
            let name = format!("{coding} ({round})");
            let path = ["/api/jobs", "/api/upload"][chance.next(2)];
            let kind = ["application/json", "image/png", BOUNDARY][chance.next(3)];
            let mut coded = input(name, Method::POST, path, kind, body.clone());
            coded.headers.push(("content-encoding", coding.to_owned()));
            all.push(coded);
        }
    }
}

fn of_webhooks(chance: &mut Chance, all: &mut Vec<Input>) {
    for round in 0..80 {
        let size = [0, 10, 1 << 10, 60 << 10, 70 << 10, 1 << 20][chance.next(6)];
        let id = "01999999-9999-7999-8999-999999999999";
        let nonce = "0199999999997999899999999999999f";
        let path = match chance.next(4) {
            0 => format!("/hooks/fal/{id}/{}", "f".repeat(chance.next(3000))),
            1 => format!("/hooks/fal/{}/{nonce}", "%00".repeat(chance.next(9))),
            _ => format!("/hooks/fal/{id}/{nonce}"),
        };
        let name = format!("a webhook ({round})");
        let mut hook = input(
            name,
            Method::POST,
            &path,
            "application/json",
            vec![b'{'; size],
        );
        let values = ["", "0", "1795356717", "99999999999999999999", "é"];
        for header in [
            "x-fal-webhook-request-id",
            "x-fal-webhook-user-id",
            "x-fal-webhook-timestamp",
            "x-fal-webhook-signature",
        ] {
            let value = values[chance.next(values.len())];
            hook.headers
                .push((header, value.repeat(1 + chance.next(400))));
        }
        all.push(hook);
    }
}

/// Tickets' links and resumable uploads, and their headers.
fn of_uploads(chance: &mut Chance, all: &mut Vec<Input>) {
    let values = [
        "0",
        "1",
        "-1",
        "1.0.0",
        "18446744073709551616",
        "sha1 AAAA",
        "filename YQ==,filename",
        "",
        " ",
    ];
    for round in 0..110 {
        let (method, path) = match chance.next(5) {
            0 => (Method::POST, "/api/uploads/tus".to_owned()),
            1 => (
                Method::PUT,
                format!(
                    "/files/uploads/01999999-9999-7999-8999-999999999999/arriving?exp={}&sig={}",
                    values[chance.next(3)],
                    "A".repeat(chance.next(100))
                ),
            ),
            number => (
                [Method::PATCH, Method::HEAD, Method::DELETE][number - 2].clone(),
                "/api/uploads/tus/01999999-9999-7999-8999-999999999999".to_owned(),
            ),
        };
        let kind = "application/offset+octet-stream";
        let size = [0, 7, 100_000][chance.next(3)];
        let name = format!("an upload's {method} ({round})");
        let mut upload = input(name, method, &path, kind, vec![7; size]);
        for header in [
            "tus-resumable",
            "upload-length",
            "upload-offset",
            "upload-metadata",
            "upload-checksum",
            "upload-defer-length",
            "x-http-method-override",
        ] {
            if chance.next(2) == 0 {
                let value = values[chance.next(values.len())];
                upload
                    .headers
                    .push((header, value.repeat(1 + chance.next(3))));
            }
        }
        all.push(upload);
    }
}

fn all() -> Vec<Input> {
    let (mut all, mut chance) = (Vec::new(), Chance(20_261_128));
    of_pictures(&mut chance, &mut all);
    of_json(&mut chance, &mut all);
    of_coded(&mut chance, &mut all);
    of_webhooks(&mut chance, &mut all);
    of_uploads(&mut chance, &mut all);
    all
}

/// Complains of an answer that is none of the service's own.
async fn told(client: &Client, base: &str, input: Input) -> Result<(), String> {
    let asked = client.request(input.method.clone(), format!("{base}{}", input.path));
    let asked = input
        .headers
        .iter()
        .fold(asked, |asked, (name, value)| asked.header(*name, value));
    let answer = match asked.body(input.body).send().await {
        Ok(answer) => answer,
        // What is no header, or no path, never left.
        Err(error) if error.is_builder() => return Ok(()),
        Err(error) => return Err(format!("{}: {error:?}", input.name)),
    };
    let status = answer.status();
    let is_problem = answer
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind == "application/problem+json");
    let text = answer.text().await.unwrap_or_default();
    if status.is_success() {
        return Ok(());
    }
    let code = problem(&text).0;
    let own = is_problem && !code.is_empty() || input.method == Method::HEAD;
    let meant = status.is_client_error() || [503, 507].contains(&status.as_u16());
    if own && meant && !text.contains("secret") {
        Ok(())
    } else {
        Err(format!("{}: {status} {code} {text}", input.name))
    }
}

/// What was taken is ended, so that nothing of it is computed or kept.
async fn end_all(client: &Client, base: &str) {
    let list: Value = client
        .get(format!("{base}/api/jobs?limit=100"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    for job in list["jobs"].as_array().into_iter().flatten() {
        let url = format!("{base}/api/jobs/{}", job["job_id"].as_str().unwrap());
        let ended = client.delete(url).send().await.unwrap().status();
        assert!(ended.is_success(), "{ended}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_broken_inputs_by_both_protocols_are_answered_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let service = Process::start(&[
        ("DATABASE_PATH", &database),
        ("PORT", "0"),
        ("RATE_LIMIT", "off"),
    ])
    .await;
    let one = Client::builder().no_proxy().build().unwrap();
    let two = Client::builder().no_proxy().http2_prior_knowledge();
    let two = two.build().unwrap();
    let base = service.base.as_str();
    let idle = service.memory_kib().unwrap_or(0);
    let inputs = all();
    let count = inputs.len();
    assert!(count >= AT_LEAST, "{count} inputs");
    let health = Health::watch(base);
    let asked = inputs.into_iter().enumerate().map(|(number, input)| {
        let client = if number % 2 == 0 { &one } else { &two };
        told(client, base, input)
    });
    let wrong: Vec<String> = futures_util::stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .filter_map(|outcome| std::future::ready(outcome.err()))
        .collect()
        .await;
    let shown: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        shown.join("\n")
    );
    let (slowest, _) = health.stop().await;
    let peak = service.peak_memory_kib().unwrap_or(0);
    let over = peak.saturating_sub(idle);
    let _ = writeln!(
        std::io::stderr(),
        "{count} broken inputs; {} MB over {} MB idle; the slowest health check {} ms",
        over * 1024 / 1_000_000,
        idle * 1024 / 1_000_000,
        slowest.as_millis()
    );
    assert!(over < SPARE_KIB, "{over} KiB over {idle} KiB");
    end_all(&one, base).await;
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    assert!(
        !said.contains("panicked") && !said.contains("internal_error"),
        "{said}"
    );
}
