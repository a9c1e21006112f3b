//! Uploads made to hurt: tickets and their links, resumable uploads and their headers, and every
//! hostile picture by both ways. The service has two owners, so that one can try the other's.

mod beginnings;
mod links;
mod parts;
mod tickets;

use std::io::Write as _;
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use futures_util::StreamExt as _;
use lamina::blobs::{Link, LinkSigner, PutTerms};
use lamina::jobs::{UnixMs, UploadId};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{AT_ONCE, Health, MOST_MEMORY_KIB, nothing_is_kept, pictures, problem};
use crate::support::{Process, json_of};

const SECRET: &str = "a signing secret of this test alone";
const PART: &str = "application/offset+octet-stream";

/// What a stranger does, and what it must be told.
struct Case {
    name: String,
    wish: Wish,
    status: u16,
    code: &'static str,
}

enum Wish {
    Http {
        method: Method,
        path: String,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
    },
    /// A body without end, in chunks.
    Endless {
        method: Method,
        path: String,
        headers: Vec<(&'static str, String)>,
    },
    /// These bytes by a ticket, and a job of them.
    Ticket(Bytes),
    /// These bytes in two parts, and a job of them.
    Resumed(Bytes),
}

/// A client that has a key.
#[derive(Clone)]
struct Owner<'a> {
    client: &'a Client,
    base: &'a str,
    key: &'static str,
}

const MINE: &str = "the-key-of-the-first-app-of-this-test";
const OTHERS: &str = "the-key-of-the-other-app-of-this-test";

impl Owner<'_> {
    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.base);
        let request = self.client.request(method, url);
        request.header("authorization", format!("Bearer {}", self.key))
    }

    async fn ticket(&self, terms: &Value) -> Value {
        let asked = self.ask(Method::POST, "/api/uploads").json(terms);
        json_of(asked.send().await.unwrap()).await
    }

    /// A resumable upload's path, or the answer that refused it.
    async fn begun(&self, bytes: usize) -> Result<String, Response> {
        let asked = self
            .ask(Method::POST, "/api/uploads/tus")
            .header("tus-resumable", "1.0.0")
            .header("upload-length", bytes);
        let answer = asked.send().await.unwrap();
        match answer.headers().get("location") {
            Some(path) => Ok(path.to_str().unwrap().to_owned()),
            None => Err(answer),
        }
    }

    async fn part(&self, path: &str, offset: usize, body: Bytes) -> Response {
        let asked = self
            .ask(Method::PATCH, path)
            .header("tus-resumable", "1.0.0")
            .header("content-type", PART)
            .header("upload-offset", offset);
        asked.body(body).send().await.unwrap()
    }

    async fn used(&self, upload: &str) -> Response {
        let asked = self.ask(Method::POST, "/api/jobs");
        let body = json!({ "upload_id": upload });
        asked.json(&body).send().await.unwrap()
    }

    async fn by_ticket(&self, file: Bytes) -> Response {
        let ticket = self.ticket(&json!({})).await;
        let put = self.client.put(ticket["url"].as_str().unwrap());
        let sent = put.body(file).send().await.unwrap();
        if !sent.status().is_success() {
            return sent;
        }
        self.used(ticket["upload_id"].as_str().unwrap()).await
    }

    async fn by_parts(&self, file: Bytes) -> Response {
        let path = match self.begun(file.len()).await {
            Ok(path) => path,
            Err(refused) => return refused,
        };
        let middle = file.len() / 2;
        for (offset, part) in [(0, file.slice(..middle)), (middle, file.slice(middle..))] {
            let answer = self.part(&path, offset, part).await;
            assert!(answer.status().is_success(), "{}", answer.status());
        }
        self.used(path.rsplit('/').next().unwrap()).await
    }

    async fn refused(&self, case: Case) -> Result<(), String> {
        let with = |method, path: &str, headers: Vec<(&'static str, String)>| {
            // A case may bring a key of its own, or none.
            let own_key = headers.iter().any(|(name, _)| *name == "authorization");
            let url = format!("{}{path}", self.base);
            let plain = self.client.request(method, url);
            let request = if own_key {
                plain
            } else {
                plain.header("authorization", format!("Bearer {}", self.key))
            };
            headers.into_iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            })
        };
        let answer = match case.wish {
            Wish::Http {
                method,
                path,
                headers,
                body,
            } => with(method, &path, headers)
                .body(body)
                .send()
                .await
                .unwrap(),
            Wish::Endless {
                method,
                path,
                headers,
            } => {
                let chunk = Bytes::from_static(&[7; 4096]);
                let body = futures_util::stream::repeat_with(move || {
                    Ok::<_, std::convert::Infallible>(chunk.clone())
                });
                let body = reqwest::Body::wrap_stream(body);
                with(method, &path, headers)
                    .body(body)
                    .send()
                    .await
                    .unwrap()
            }
            Wish::Ticket(file) => self.by_ticket(file).await,
            Wish::Resumed(file) => self.by_parts(file).await,
        };
        let status = answer.status().as_u16();
        let (code, detail) = problem(&answer.text().await.unwrap_or_default());
        if (status, code.as_str()) != (case.status, case.code) {
            let wanted = (case.status, case.code);
            return Err(format!(
                "{}: got {:?}, not {wanted:?}",
                case.name,
                (status, code)
            ));
        }
        if !code.is_empty() && detail.len() < 20 {
            return Err(format!("{}: it says too little: {detail:?}", case.name));
        }
        Ok(())
    }
}

fn case(name: &str, wish: Wish, status: u16, code: &'static str) -> Case {
    Case {
        name: name.to_owned(),
        wish,
        status,
        code,
    }
}

fn http(method: Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Wish {
    let own = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    Wish::Http {
        method,
        path: path.to_owned(),
        headers: headers.iter().map(own).collect(),
        body: Bytes::copy_from_slice(body),
    }
}

fn of_pictures() -> Vec<Case> {
    let mut cases = Vec::new();
    for picture in pictures::all() {
        let (status, code) = (picture.status, picture.code);
        let bytes = Bytes::from(picture.bytes);
        for (way, wish) in [
            ("by a ticket", Wish::Ticket(bytes.clone())),
            ("in parts", Wish::Resumed(bytes)),
        ] {
            cases.push(case(
                &format!("{}, {way}", picture.name),
                wish,
                status,
                code,
            ));
        }
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_stranger_does_with_uploads_is_refused_by_its_name_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let keys = format!("mine:{MINE},others:{OTHERS}");
    let service = Process::start(&[
        ("DATABASE_PATH", &database),
        ("PORT", "0"),
        ("API_KEYS", &keys),
        ("SIGNING_SECRET", SECRET),
        ("RATE_LIMIT", "off"),
    ])
    .await;
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let owner = |key| Owner {
        client: &client,
        base: &service.base,
        key,
    };
    let (mine, others) = (owner(MINE), owner(OTHERS));
    let (path, foreign) = (
        mine.begun(10).await.unwrap(),
        others.begun(10).await.unwrap(),
    );
    assert!(
        mine.part(&path, 0, Bytes::from_static(b"01234"))
            .await
            .status()
            .is_success()
    );

    let health = Health::watch(&service.base);
    // Those of one upload one after the other: a later request would take over from an earlier one.
    let mut wrong = Vec::new();
    let in_turn = parts::of_parts(&path, &foreign)
        .into_iter()
        .chain(links::of_links(&mine, &others).await);
    let in_turn: Vec<Case> = in_turn.collect();
    let mut count = in_turn.len();
    for case in in_turn {
        wrong.extend(mine.refused(case).await.err());
    }
    let at_once: Vec<Case> = [
        of_pictures(),
        tickets::of_tickets(),
        beginnings::of_beginnings(),
    ]
    .into_iter()
    .flatten()
    .collect();
    count += at_once.len();
    let more: Vec<String> = futures_util::stream::iter(at_once)
        .map(|case| mine.refused(case))
        .buffer_unordered(AT_ONCE)
        .filter_map(|outcome| std::future::ready(outcome.err()))
        .collect()
        .await;
    wrong.extend(more);
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 150, "{count} cases");
    health.stop().await;
    let memory = service.peak_memory_kib().unwrap_or(0);
    let _ = writeln!(
        std::io::stderr(),
        "{count} hostile uploads; peak memory {} MiB",
        memory / 1024
    );
    assert!(memory < MOST_MEMORY_KIB, "{memory} KiB");

    // Nothing of all that changed the uploads it was tried on.
    for (owner, path, offset) in [(&mine, &path, "5"), (&others, &foreign, "0")] {
        let asked = owner
            .ask(Method::HEAD, path)
            .header("tus-resumable", "1.0.0");
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.headers()["upload-offset"], offset);
    }
    nothing_is_kept(folder.path());
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    assert!(
        !said.contains("panicked") && !said.contains("internal_error"),
        "{said}"
    );
}
