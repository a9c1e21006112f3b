//! What must hold of any form, any body of a create and any link, asked of the real router over a
//! real database. Compiled for tests, which run it over the seeds kept in `fuzz/`, and for the fuzz
//! targets. Blobs are in memory, the clock stands still, no worker runs, and nothing is opened but
//! files below the system's temporary folder.

use std::cell::RefCell;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use image_intake::{Limits, RgbaImage, encode_png};
use object_store::memory::InMemory;
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use url::form_urlencoded;

use super::test_state::TestState;
use super::{ApiState, RequestLimits, edge};
use crate::blobs::{BlobKey, Blobs, LinkError, LinkSigner};
use crate::clock::ManualClock;
use crate::jobs::{JobId, MediaType, UnixMs};

/// 2026-11-22T14:11:57Z, in the middle of what the seeds' links live through.
const NOW: UnixMs = UnixMs(1_795_356_717_000);
/// The one file there is; the seeds have links to it.
const JOB: &str = "01999999-9999-7999-8999-999999999999";
/// The first one signs, both verify.
const SECRETS: [&str; 2] = ["an old secret", "another secret"];
/// A server whose memory and disk have grown by so many answers is replaced by a new one.
const ANSWERS: u32 = 2_000;

struct TestServer {
    runtime: Runtime,
    router: Router,
    cache: u32,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl TestServer {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::over(Arc::new(InMemory::new()));
        let parts = TestState::over(folder.path(), blobs.clone(), ManualClock::at(NOW));
        let state = ApiState {
            links: Arc::new(LinkSigner::new(&SECRETS)),
            images: Limits {
                max_bytes: 4096,
                max_pixels: 1 << 14,
                ..Limits::default()
            },
            limits: RequestLimits {
                multipart_overhead: 2048,
                memory_bytes: 512,
                ..RequestLimits::default()
            },
            ..parts.state
        };
        runtime
            .block_on(blobs.put(&layer(), tiny().into()))
            .expect("memory takes a blob");
        Self {
            router: edge(state).router,
            runtime,
            cache: 0,
            _folder: folder,
        }
    }

    fn ask(&mut self, request: Request<Body>) -> Answer {
        self.cache += 1;
        let router = self.router.clone();
        self.runtime.block_on(async {
            let answer = router.oneshot(request).await.expect("it cannot fail");
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            assert!(!parts.status.is_server_error(), "{} {body:?}", parts.status);
            if parts.status.is_client_error() {
                let problem: Value = serde_json::from_slice(&body).expect("a problem is JSON");
                assert!(problem["code"].is_string() && problem["detail"].is_string());
            }
            assert!(is_marked(&parts.headers));
            Answer {
                status: parts.status,
                body,
            }
        })
    }
}

fn is_marked(headers: &HeaderMap) -> bool {
    let nosniff = HeaderValue::from_static("nosniff");
    headers.get("x-content-type-options") == Some(&nosniff)
}

fn with_house<T>(work: impl FnOnce(&mut TestServer) -> T) -> T {
    thread_local! {
        static SERVER: RefCell<Option<TestServer>> = const { RefCell::new(None) };
    }
    SERVER.with_borrow_mut(|server| {
        server.take_if(|server| server.cache > ANSWERS);
        work(server.get_or_insert_with(TestServer::new))
    })
}

fn layer() -> BlobKey {
    BlobKey::Layer(JOB.parse().expect("an id"), 0, MediaType::Png)
}

/// A picture that is stored as it is sent.
fn tiny() -> Vec<u8> {
    let image = RgbaImage::new(1, 2, vec![1, 2, 3, 255, 5, 6, 7, 8]).expect("two pixels");
    encode_png(&image)
}

fn post(path: &str, kind: HeaderValue, body: &[u8], piece: usize) -> Request<Body> {
    let pieces: Vec<Result<Bytes, std::io::Error>> = body
        .chunks(piece.max(1))
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Request::post(path)
        .header("host", "a.example")
        .header("content-type", kind)
        .body(Body::from_stream(stream::iter(pieces)))
        .expect("the parts of a request are checked")
}

/// Two bytes of choices, then a line with a `Content-Type` and a body; or bytes that become the
/// names, texts and boundary of a form around a picture, which then has to be found in it.
pub fn upload(input: &[u8]) {
    let Some(([choice, piece], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let built = choice & 1 > 0;
    let (kind, body) = if built {
        form(*choice, rest)
    } else {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (kind, body) = rest.split_at(end.unwrap_or(rest.len()));
        (kind.to_vec(), body.get(1..).unwrap_or_default().to_vec())
    };
    let Ok(kind) = HeaderValue::from_bytes(&kind) else {
        return;
    };
    with_house(|server| {
        let answer = server.ask(post("/api/upload", kind, &body, usize::from(*piece)));
        let allowed = [201, 400, 413, 415, 422];
        assert!(
            allowed.contains(&answer.status.as_u16()),
            "{}",
            answer.status
        );
        if built {
            assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        }
        if answer.status == StatusCode::CREATED {
            let stored = download(server, &answer.body);
            assert!(!built || stored == tiny(), "another file was taken");
        }
    });
}

fn download(server: &mut TestServer, body: &[u8]) -> Bytes {
    let view: Value = serde_json::from_slice(body).expect("an upload is JSON");
    let url = view["url"].as_str().expect("an upload has a link");
    let path = url.strip_prefix("http://a.example").expect("its host");
    let stored = server.ask(Request::get(path).body(Body::empty()).expect("a link"));
    assert_eq!(stored.status, StatusCode::OK);
    assert_eq!(view["bytes"], stored.body.len());
    stored.body
}

/// A form as RFC 7578 has it: other parts before and behind, whose texts may look like anything
/// but the boundary.
fn form(choice: u8, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let letters = |byte: &u8| char::from(b'a' + byte % 26);
    let (head, texts) = bytes.split_at(bytes.len().min(8));
    let texts = &texts[..texts.len().min(600)];
    let boundary: String = std::iter::once('X')
        .chain(head.iter().map(letters))
        .collect();
    let name: String = texts.iter().take(5).map(letters).collect();
    let mark = format!("--{boundary}");
    let is_text = !texts
        .windows(mark.len())
        .any(|window| window == mark.as_bytes());
    let texts = if is_text { texts } else { &[] };
    let other = |body: &mut Vec<u8>| {
        let head = format!(
            "{mark}\r\ncontent-disposition: form-data; name=\"x{name}\"; filename=\"file\"\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(texts);
        body.extend_from_slice(b"\r\n");
    };
    let mut body = Vec::new();
    if choice & 2 > 0 {
        other(&mut body);
    }
    let file = if choice & 4 > 0 {
        "; filename=\"a \\\"b.png\""
    } else {
        ""
    };
    let kind = if choice & 8 > 0 {
        "Content-Type: text/html\r\n"
    } else {
        ""
    };
    let head =
        format!("{mark}\r\nContent-Disposition: form-data; name=\"file\"{file}\r\n{kind}\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&tiny());
    body.extend_from_slice(b"\r\n");
    if choice & 16 > 0 {
        other(&mut body);
    }
    body.extend_from_slice(format!("{mark}--\r\n").as_bytes());
    let quote = if choice & 32 > 0 { "\"" } else { "" };
    let kind = format!("multipart/form-data; boundary={quote}{boundary}{quote}");
    (kind.into_bytes(), body)
}

/// A byte for the size of pieces, then the body of a create.
pub fn create(input: &[u8]) {
    let Some((piece, body)) = input.split_first() else {
        return;
    };
    let json = HeaderValue::from_static("application/json");
    with_house(|server| {
        let answer = server.ask(post("/api/jobs", json, body, usize::from(*piece)));
        let allowed = [202, 400, 413, 415, 422];
        assert!(
            allowed.contains(&answer.status.as_u16()),
            "{}",
            answer.status
        );
        if answer.status == StatusCode::ACCEPTED {
            // Whatever was accepted has one source, and no field that the contract lacks.
            let sent: Value = serde_json::from_slice(body).expect("what was accepted is JSON");
            let sent = sent.as_object().expect("what was accepted is an object");
            let sources = ["image_url", "image_base64", "upload_id"];
            let given = |name: &&&str| sent.get(**name).is_some_and(|value| !value.is_null());
            assert_eq!(sources.iter().filter(given).count(), 1);
        }
    });
}

/// A byte of choices, then what follows `/files/` in an address; or bytes that become a file, an
/// expiry and a change to the link that is signed for them.
pub fn link(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    if choice & 1 == 0 {
        asked(&String::from_utf8_lossy(rest));
    } else {
        changed(*choice, rest);
    }
}

/// The file is given for the very links that were signed, and only in their time.
fn asked(text: &str) {
    let Ok(request) = Request::get(format!("/files/{text}")).body(Body::empty()) else {
        return;
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    with_house(|server| {
        let answer = server.ask(request);
        let opened = answer.status == StatusCode::OK;
        assert!(opened || matches!(answer.status.as_u16(), 403 | 404 | 410));
        let last = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
            let named = pairs.by_ref().filter(|(name, _)| name == wanted).last();
            named.map(|(_, value)| value).unwrap_or_default()
        };
        let exp: i64 = last("exp").parse().unwrap_or(0);
        let ending = format!("&sig={}", last("sig"));
        let signed = SECRETS.iter().any(|secret| {
            let end = UnixMs(exp.saturating_mul(1000));
            let genuine = LinkSigner::new(&[secret]).served(&layer(), end);
            genuine.ends_with(&ending)
        });
        assert!(!opened || signed && exp > NOW.as_secs(), "{text} opened");
        assert!(!opened || answer.body == tiny());
    });
}

/// A signed link verifies as what it was signed for; whatever differs in one letter does not.
fn changed(choice: u8, bytes: &[u8]) {
    let Some(([job, order, a, b, c, d, at, by], text)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let job = JobId::new(UnixMs(i64::from(*job)));
    let key = if choice & 2 > 0 {
        BlobKey::Layer(job, u32::from(*order), MediaType::WebP)
    } else {
        BlobKey::Source(job, MediaType::Jpeg)
    };
    let exp = i64::from(u32::from_be_bytes([*a, *b, *c, *d]));
    let secrets: [&[u8]; 2] = [text, b"a secret that replaced it"];
    let old = LinkSigner::new(&secrets[..1]);
    let both = LinkSigner::new(&[secrets[1], secrets[0]]);
    let link = old.served(&key, UnixMs(exp * 1000));
    let (path, exp_text, sig) = parts(&link).expect("a link has its parts");
    assert_eq!(exp_text, exp.to_string());
    let before = UnixMs((exp - 1) * 1000);
    for signer in [&old, &both] {
        assert_eq!(signer.verify(path, exp, sig, before), Ok(key));
        let after = signer.verify(path, exp, sig, UnixMs(exp * 1000));
        assert_eq!(after, Err(LinkError::Expired));
    }
    // HMAC fills a short key up with zeros, so those at its end say nothing.
    let zeros = text.iter().rev().take_while(|byte| **byte == 0).count();
    let strange = LinkSigner::new(&secrets[1..]);
    let is_strange = text[..text.len() - zeros] != *secrets[1];
    let wrong = Err(LinkError::Wrong);
    assert!(!is_strange || strange.verify(path, exp, sig, before) == wrong);
    let mut other = link.clone().into_bytes();
    let place = usize::from(*at) % other.len();
    other[place] = *by & 0x7F;
    let other = String::from_utf8(other).expect("ASCII stays ASCII");
    if let Some((other_path, other_exp, other_sig)) = parts(&other)
        && let Ok(other_exp) = other_exp.parse()
        && (other_path, other_exp, other_sig) != (path, exp, sig)
    {
        let verdict = old.verify(other_path, other_exp, other_sig, before);
        assert_eq!(verdict, wrong, "{other}");
    }
}

fn parts(link: &str) -> Option<(&str, &str, &str)> {
    let (path, query) = link.strip_prefix("/files/")?.split_once("?exp=")?;
    let (exp, sig) = query.split_once("&sig=")?;
    Some((path, exp, sig))
}

#[cfg(test)]
mod tests {
    use crate::fuzzing::seeds;

    #[test]
    fn the_seeds_of_the_upload_target_hold() {
        seeds("uploads", super::upload);
    }

    #[test]
    fn the_seeds_of_the_create_target_hold() {
        seeds("creates", super::create);
    }

    #[test]
    fn the_seeds_of_the_link_target_hold() {
        seeds("links", super::link);
    }
}
