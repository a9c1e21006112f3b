//! Uploads made to hurt: tickets and their links, resumable uploads and their headers, and every
//! hostile picture by both ways. The service has two owners, so that one can try the other's.

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

fn of_tickets() -> Vec<Case> {
    let wrong = "invalid_fields";
    let json = [("content-type", "application/json")];
    let ask = |body: &str| http(Method::POST, "/api/uploads", &json, body.as_bytes());
    let mut cases = vec![
        case("a ticket of no body", ask(""), 400, "invalid_json"),
        case("a ticket of a brace", ask("{"), 400, "invalid_json"),
        case("a ticket in a list", ask("[]"), 422, wrong),
        case(
            "a ticket as a form",
            http(
                Method::POST,
                "/api/uploads",
                &[("content-type", "text/plain")],
                b"{}",
            ),
            415,
            "unsupported_media_type",
        ),
        case(
            "a ticket of 20 KiB",
            ask(&" ".repeat(20 << 10)),
            413,
            "body_too_large",
        ),
        case(
            "a ticket for a terabyte",
            ask("{\"bytes\":1099511627776}"),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a ticket without a key",
            http(
                Method::POST,
                "/api/uploads",
                &[("authorization", "Bearer guessed")],
                b"{}",
            ),
            401,
            "unauthorized",
        ),
    ];
    for field in [
        "\"bytes\":0",
        "\"bytes\":-1",
        "\"bytes\":1.5",
        "\"bytes\":\"7\"",
        "\"bytes\":18446744073709551616",
        "\"content_type\":\"image/heic\"",
        "\"content_type\":\"text/html\"",
        "\"content_type\":\"image/png\\r\\nx: y\"",
        "\"content_type\":7",
        "\"path\":\"../../etc/passwd\"",
        "\"upload_id\":\"00000000-0000-0000-0000-000000000000\"",
    ] {
        cases.push(case(field, ask(&format!("{{{field}}}")), 422, wrong));
    }
    for id in [
        "none",
        "..%2f..%2flamina.db",
        "00000000-0000-0000-0000-000000000000",
        "tus%2fx",
    ] {
        let wish = http(Method::GET, &format!("/api/uploads/{id}"), &[], b"");
        cases.push(case(
            &format!("the upload {id}"),
            wish,
            404,
            "upload_missing",
        ));
    }
    cases
}

/// Links of tickets, and what was not meant to be done with them.
async fn of_links(mine: &Owner<'_>, others: &Owner<'_>) -> Vec<Case> {
    let (wrong, many) = ("link_invalid", "image_too_many_bytes");
    let path_of = |ticket: &Value| {
        let url = ticket["url"].as_str().unwrap();
        url.strip_prefix(mine.base).unwrap().to_owned()
    };
    let exact = mine.ticket(&json!({"bytes": 10})).await;
    let (id, exact) = (
        exact["upload_id"].as_str().unwrap().to_owned(),
        path_of(&exact),
    );
    let open = path_of(&mine.ticket(&json!({})).await);
    let full = path_of(&mine.ticket(&json!({})).await);
    let sent = mine.client.put(format!("{}{full}", mine.base)).body("x");
    assert!(sent.send().await.unwrap().status().is_success());
    let foreign = others.ticket(&json!({})).await;
    let foreign = foreign["upload_id"].as_str().unwrap().to_owned();

    let signer = LinkSigner::new(&[SECRET]);
    let crafted = |id: &str, until: UnixMs| {
        let id: UploadId = id.parse().unwrap();
        match signer.put(id, &PutTerms::default(), UnixMs(0), until) {
            Link::Served(path) => path,
            Link::Direct(url) => panic!("{url}"),
        }
    };
    let unknown = UploadId::new(UnixMs(1)).to_string();
    let late = UnixMs(4_000_000_000_000);
    let put = |path: &str, body: &[u8]| http(Method::PUT, path, &[], body);
    let use_of = |id: &str| {
        let body = json!({ "upload_id": id }).to_string();
        http(
            Method::POST,
            "/api/jobs",
            &[("content-type", "application/json")],
            body.as_bytes(),
        )
    };
    let endless = |path: &str| Wish::Endless {
        method: Method::PUT,
        path: path.to_owned(),
        headers: Vec::new(),
    };
    vec![
        case(
            "a ticket used before it is filled",
            use_of(&id),
            409,
            "upload_pending",
        ),
        case(
            "another owner's ticket, used",
            use_of(&foreign),
            422,
            "upload_not_found",
        ),
        case(
            "another owner's ticket",
            http(Method::GET, &format!("/api/uploads/{foreign}"), &[], b""),
            404,
            "upload_missing",
        ),
        case(
            "a body longer than was declared",
            put(&exact, b"01234567890"),
            413,
            many,
        ),
        case(
            "a body shorter than was declared",
            put(&exact, b"012345678"),
            400,
            "body_incomplete",
        ),
        case("a body without end", endless(&exact), 413, many),
        case(
            "a body without end or declaration",
            endless(&open),
            413,
            many,
        ),
        case("no body", put(&open, b""), 422, "image_empty"),
        case(
            "a second body",
            put(&full, b"y"),
            409,
            "upload_already_received",
        ),
        case(
            "a link that has ended",
            put(&crafted(&id, UnixMs(1_000_000)), b"x"),
            410,
            "link_expired",
        ),
        case(
            "a link of no upload",
            put(&crafted(&unknown, late), b"x"),
            410,
            "file_gone",
        ),
        case(
            "a link with another id",
            put(&exact.replace(&id, &unknown), b"x"),
            403,
            wrong,
        ),
        case(
            "a link with another end",
            put(&exact.replace("exp=1", "exp=2"), b"x"),
            403,
            wrong,
        ),
        case(
            "a link without a signature",
            put(exact.split('?').next().unwrap(), b"x"),
            403,
            wrong,
        ),
        case(
            "a link with an empty signature",
            put(
                &format!("{}&sig=", exact.split("&sig").next().unwrap()),
                b"x",
            ),
            403,
            wrong,
        ),
        case(
            "a link that writes, read",
            http(Method::GET, &full, &[], b""),
            403,
            wrong,
        ),
        case(
            "a link out of its folder",
            put(&exact.replace("uploads/", "uploads%2f..%2fjobs/"), b"x"),
            403,
            wrong,
        ),
        case(
            "a link to the database",
            put(
                "/files/uploads/..%2f..%2flamina.db/incoming.bin?exp=9999999999&sig=AAAA",
                b"x",
            ),
            403,
            wrong,
        ),
        case(
            "a link in capitals",
            put(&exact.replace(&id, &id.to_uppercase()), b"x"),
            403,
            wrong,
        ),
    ]
}

fn of_beginnings() -> Vec<Case> {
    let bad = "tus_header_invalid";
    let long = format!("a {}", "YWFh".repeat(2000));
    let length = ("upload-length", "10");
    let begin = |headers: &[(&'static str, &str)]| {
        let headers = [&[("tus-resumable", "1.0.0")][..], headers].concat();
        http(Method::POST, "/api/uploads/tus", &headers, b"")
    };
    let mut cases = vec![
        case(
            "no version",
            http(Method::POST, "/api/uploads/tus", &[length], b""),
            412,
            "tus_version_unsupported",
        ),
        case(
            "an old version",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[("tus-resumable", "0.2.2"), length],
                b"",
            ),
            412,
            "tus_version_unsupported",
        ),
        case(
            "no key",
            begin(&[("authorization", "Bearer guessed"), length]),
            401,
            "unauthorized",
        ),
        case("no length", begin(&[]), 400, bad),
        case(
            "a length now and later",
            begin(&[length, ("upload-defer-length", "1")]),
            400,
            bad,
        ),
        case(
            "a petabyte",
            begin(&[("upload-length", "1000000000000000")]),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a byte too many",
            begin(&[("upload-length", "20971521")]),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a first part of another type",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[
                    ("tus-resumable", "1.0.0"),
                    length,
                    ("content-type", "image/png"),
                ],
                b"x",
            ),
            415,
            "unsupported_media_type",
        ),
        case(
            "a first part too long",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[("tus-resumable", "1.0.0"), length, ("content-type", PART)],
                b"01234567890",
            ),
            413,
            "body_too_large",
        ),
        case(
            "a first part without end",
            Wish::Endless {
                method: Method::POST,
                path: "/api/uploads/tus".into(),
                headers: [("tus-resumable", "1.0.0"), length, ("content-type", PART)]
                    .map(|(name, value)| (name, value.to_owned()))
                    .to_vec(),
            },
            413,
            "body_too_large",
        ),
        case(
            "a first part that is another",
            http(
                Method::POST,
                "/api/uploads/tus",
                &[
                    ("tus-resumable", "1.0.0"),
                    length,
                    ("content-type", PART),
                    ("upload-checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
                ],
                b"abd",
            ),
            460,
            "upload_checksum_mismatch",
        ),
        case(
            "a listing",
            http(
                Method::GET,
                "/api/uploads/tus",
                &[("tus-resumable", "1.0.0")],
                b"",
            ),
            405,
            "method_not_allowed",
        ),
    ];
    for wrong in [
        "-1",
        "+1",
        "1e3",
        "0x10",
        "1,2",
        "ten",
        "18446744073709551616",
    ] {
        cases.push(case(
            &format!("the length {wrong}"),
            begin(&[("upload-length", wrong)]),
            400,
            bad,
        ));
    }
    for wrong in ["0", "2", "yes", ""] {
        cases.push(case(
            &format!("later as {wrong:?}"),
            begin(&[("upload-defer-length", wrong)]),
            400,
            bad,
        ));
    }
    for wrong in [",", "a b c", "a %%", "a YQ==,a YQ==", " ,x", &long] {
        let name = format!("the metadata {:?}", &wrong[..wrong.len().min(20)]);
        cases.push(case(
            &name,
            begin(&[length, ("upload-metadata", wrong)]),
            400,
            bad,
        ));
    }
    cases
}

/// Parts, at an upload of 10 bytes of which 5 have arrived.
fn of_parts(path: &str, foreign: &str) -> Vec<Case> {
    let (bad, gone, elsewhere) = (
        "tus_header_invalid",
        "upload_missing",
        "upload_offset_mismatch",
    );
    let version = ("tus-resumable", "1.0.0");
    let kind = ("content-type", PART);
    let at = |offset: &'static str| ("upload-offset", offset);
    let part = |path: &str, headers: &[(&'static str, &str)], body: &[u8]| {
        http(
            Method::PATCH,
            path,
            &[&[version][..], headers].concat(),
            body,
        )
    };
    let checked = |checksum: &str| {
        part(
            path,
            &[kind, at("5"), ("upload-checksum", checksum)],
            b"abd",
        )
    };
    let mut cases = vec![
        case(
            "a part without its version",
            http(Method::PATCH, path, &[kind, at("5")], b"x"),
            412,
            "tus_version_unsupported",
        ),
        case(
            "a part without its place",
            part(path, &[kind], b"x"),
            400,
            bad,
        ),
        case(
            "a part without its type",
            part(path, &[at("5")], b"x"),
            415,
            "unsupported_media_type",
        ),
        case(
            "a part of another type",
            part(path, &[("content-type", "image/png"), at("5")], b"x"),
            415,
            "unsupported_media_type",
        ),
        case(
            "a part too long",
            part(path, &[kind, at("5")], b"012345"),
            413,
            "body_too_large",
        ),
        case(
            "a part that grows the whole",
            part(path, &[kind, at("5"), ("upload-length", "20")], b"x"),
            400,
            bad,
        ),
        case(
            "a part that makes the whole a petabyte",
            part(
                path,
                &[kind, at("5"), ("upload-length", "1000000000000000")],
                b"x",
            ),
            413,
            "image_too_many_bytes",
        ),
        case(
            "a part that is another",
            checked("sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            460,
            "upload_checksum_mismatch",
        ),
        case(
            "a checksum of an unknown method",
            checked("crc32 AAAAAA=="),
            400,
            "upload_checksum_unsupported",
        ),
        case(
            "a checksum of no method",
            checked("../../etc/passwd x"),
            400,
            "upload_checksum_unsupported",
        ),
        case("a checksum of nothing", checked("sha1"), 400, bad),
        case(
            "a checksum too short",
            checked("sha256 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            400,
            bad,
        ),
        case(
            "an override of nothing",
            http(Method::POST, path, &[version], b""),
            405,
            "method_not_allowed",
        ),
        case(
            "an override of anything",
            http(
                Method::POST,
                path,
                &[version, ("x-http-method-override", "TRACE")],
                b"",
            ),
            405,
            "method_not_allowed",
        ),
        case(
            "a PUT",
            http(Method::PUT, path, &[version], b"x"),
            405,
            "method_not_allowed",
        ),
    ];
    for wrong in ["0", "4", "6", "10", "18446744073709551615"] {
        cases.push(case(
            &format!("a part at {wrong}"),
            part(path, &[kind, at(wrong)], b"x"),
            409,
            elsewhere,
        ));
    }
    for wrong in ["-1", "+5", "5.0", "five", "18446744073709551616"] {
        cases.push(case(
            &format!("a part at {wrong}"),
            part(path, &[kind, at(wrong)], b"x"),
            400,
            bad,
        ));
    }
    let missing = [
        foreign,
        "/api/uploads/tus/none",
        "/api/uploads/tus/..%2f..%2flamina.db",
        "/api/uploads/tus/00000000-0000-0000-0000-000000000000",
    ];
    for path in missing {
        cases.push(case(
            &format!("a part of {path}"),
            part(path, &[kind, at("0")], b"x"),
            404,
            gone,
        ));
        cases.push(case(
            &format!("the end of {path}"),
            http(Method::DELETE, path, &[version], b""),
            404,
            gone,
        ));
        // An answer to HEAD has no body.
        cases.push(case(
            &format!("the place of {path}"),
            http(Method::HEAD, path, &[version], b""),
            404,
            "",
        ));
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
    let in_turn = of_parts(&path, &foreign)
        .into_iter()
        .chain(of_links(&mine, &others).await);
    let in_turn: Vec<Case> = in_turn.collect();
    let mut count = in_turn.len();
    for case in in_turn {
        wrong.extend(mine.refused(case).await.err());
    }
    let at_once: Vec<Case> = [of_pictures(), of_tickets(), of_beginnings()]
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
