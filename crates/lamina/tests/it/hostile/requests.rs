//! Requests made to hurt: bodies, forms, headers and addresses, and bytes that are hardly HTTP.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::pictures;
use super::{Case, Wish};
use crate::support::{picture, png_base64, png_bytes};

fn case(name: impl Into<String>, wish: Wish, status: u16, code: &'static str) -> Case {
    Case {
        name: name.into(),
        wish,
        status,
        code,
    }
}

fn post(path: &'static str, kind: &str, body: impl Into<Bytes>) -> Wish {
    Wish::Http {
        method: Method::POST,
        path: path.into(),
        headers: vec![("content-type", kind.to_owned())],
        body: body.into(),
    }
}

fn json(body: impl Into<Bytes>) -> Wish {
    post("/api/jobs", "application/json", body)
}

/// Every hostile picture in base64, as a body and in a form.
pub(super) fn of_pictures() -> Vec<Case> {
    let mut cases = Vec::new();
    for picture in pictures::all() {
        let (name, status, code) = (picture.name, picture.status, picture.code);
        let base64 = format!(
            "{{\"image_base64\":\"{}\"}}",
            STANDARD.encode(&picture.bytes)
        );
        cases.push(case(
            format!("{name}, in base64"),
            json(base64),
            status,
            code,
        ));
        let form = [
            b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n",
            &picture.bytes[..],
            b"\r\n--x--\r\n",
        ]
        .concat();
        let form = post("/api/upload", "multipart/form-data; boundary=x", form);
        cases.push(case(format!("{name}, in a form"), form, status, code));
        let raw = post("/api/upload", "image/png", picture.bytes);
        cases.push(case(format!("{name}, as it is"), raw, status, code));
    }
    cases
}

pub(super) fn of_json() -> Vec<Case> {
    let wrong = "invalid_fields";
    let good = png_base64(&picture(32, 32));
    let with = |field: &str| json(format!("{{\"image_base64\":\"{good}\",{field}}}"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let keys: Vec<String> = (0..50_000).map(|key| format!("\"k{key}\":0")).collect();
    let mut cases = vec![
        case("no body", json(""), 400, "invalid_json"),
        case("an open brace", json("{"), 400, "invalid_json"),
        case("not UTF-8", json(&b"\xFF\xFE"[..]), 400, "invalid_json"),
        case("two documents", json("{}{}"), 400, "invalid_json"),
        case("100,000 brackets", json(deep.clone()), 422, wrong),
        case(
            "100,000 brackets in a field",
            with(&format!("\"seed\":{deep}")),
            422,
            wrong,
        ),
        case(
            "50,000 fields",
            json(format!("{{{}}}", keys.join(","))),
            422,
            wrong,
        ),
        case("a list", json("[]"), 422, wrong),
        case("null", json("null"), 422, wrong),
        case("an empty object", json("{}"), 422, wrong),
        case(
            "two sources",
            with("\"image_url\":\"https://a.example/b\""),
            422,
            wrong,
        ),
        case("an unknown field", with("\"__proto__\":{}"), 422, wrong),
        case(
            "a number of a million digits",
            with(&format!("\"seed\":{}", "9".repeat(1_000_000))),
            422,
            wrong,
        ),
        case(
            "a name of a megabyte",
            with(&format!("\"{}\":0", "n".repeat(1 << 20))),
            422,
            wrong,
        ),
        case(
            "a prompt of 4 MB",
            with(&format!("\"prompt\":\"{}\"", "p".repeat(4 << 20))),
            422,
            wrong,
        ),
        case(
            "not base64",
            json("{\"image_base64\":\"%%%\"}"),
            422,
            "image_base64_invalid",
        ),
        case(
            "base64 with a hole",
            json("{\"image_base64\":\"iVBO Rw0K\\u0000Gg\"}"),
            422,
            "image_base64_invalid",
        ),
        case(
            "a data URI without data",
            json("{\"image_base64\":\"data:image/png\"}"),
            422,
            "image_base64_invalid",
        ),
        case(
            "a data URI in clear",
            json("{\"image_base64\":\"data:image/png,abc\"}"),
            422,
            "image_base64_invalid",
        ),
        case(
            "more than a body may have",
            json(vec![b' '; (28 << 20) + (1 << 20) + (4 << 20)]),
            413,
            "body_too_large",
        ),
        case(
            "an upload that is none",
            json(json!({ "upload_id": uuid::Uuid::nil() }).to_string()),
            422,
            "upload_not_found",
        ),
        case(
            "an upload's id with a path",
            json("{\"upload_id\":\"../../etc/passwd\"}"),
            422,
            wrong,
        ),
        case(
            "an engine that is not there",
            with("\"engine\":\"fal\""),
            422,
            "engine_not_configured",
        ),
        case(
            "text that is JSON",
            post("/api/jobs", "text/plain", "{}"),
            415,
            "unsupported_media_type",
        ),
        case(
            "a form as a job",
            post("/api/jobs", "multipart/form-data; boundary=x", "--x--"),
            415,
            "unsupported_media_type",
        ),
    ];
    for field in [
        "\"num_layers\":0",
        "\"num_layers\":11",
        "\"num_layers\":-1",
        "\"num_layers\":1e400",
        "\"num_layers\":\"4\"",
        "\"num_layers\":[4]",
        "\"seed\":-1",
        "\"seed\":18446744073709551616",
        "\"seed\":1.5",
        "\"num_inference_steps\":51",
        "\"guidance_scale\":20.5",
        "\"guidance_scale\":\"NaN\"",
        "\"prompt\":{}",
        "\"engine\":\"gpt\"",
    ] {
        cases.push(case(field, with(field), 422, wrong));
    }
    cases
}

pub(super) fn of_forms() -> Vec<Case> {
    let form = |body: &[u8]| {
        post(
            "/api/upload",
            "multipart/form-data; boundary=x",
            body.to_vec(),
        )
    };
    let part = |name: &str| {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), &png_bytes(&picture(32, 32)), b"\r\n"].concat()
    };
    let (bad, wrong) = ("invalid_multipart", "invalid_fields");
    let boundless = post("/api/upload", "multipart/form-data", "x");
    let long = format!("multipart/form-data; boundary={}", "b".repeat(5_000));
    let long_head = [b"--x\r\nX-A: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    vec![
        case("a form without a boundary", boundless, 400, bad),
        case(
            "a form of a long boundary",
            post("/api/upload", &long, "x"),
            400,
            bad,
        ),
        case("a form that never begins", form(b"abc"), 400, bad),
        case("a form that never ends", form(&part("file")), 400, bad),
        case(
            "a part without a name",
            form(b"--x\r\n\r\nabc\r\n--x--\r\n"),
            400,
            bad,
        ),
        case(
            "a part with a header of a megabyte",
            form(&long_head),
            400,
            bad,
        ),
        case("an empty form", form(b"--x--\r\n"), 422, wrong),
        case(
            "another part's name",
            form(&[&part("picture")[..], b"--x--\r\n"].concat()),
            422,
            wrong,
        ),
        case(
            "two files",
            form(&[&part("file")[..], &part("file"), b"--x--\r\n"].concat()),
            422,
            wrong,
        ),
        case(
            "30 MB beside the file",
            form(&[&part("other")[..], &vec![b'-'; 30 << 20]].concat()),
            413,
            "image_too_many_bytes",
        ),
    ]
}

/// A request whose line and headers are all that it has.
fn get(path: impl Into<String>, headers: &[(&'static str, &str)]) -> Wish {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Wish::Http {
        method: Method::GET,
        path: path.into(),
        headers: headers.collect(),
        body: Bytes::new(),
    }
}

pub(super) fn of_addresses() -> Vec<Case> {
    let (lost, gone, link) = ("route_not_found", "job_not_found", "link_invalid");
    let long_key = "k".repeat(256);
    let keyed = |key: &str| {
        let mut wish = json("{\"image_url\":\"https://a.example/b\"}");
        if let Wish::Http { headers, .. } = &mut wish {
            headers.push(("idempotency-key", key.to_owned()));
        }
        wish
    };
    vec![
        case("nothing's path", get("/nothing", &[]), 404, lost),
        case(
            "a path up",
            get("/files/../../../../etc/passwd", &[]),
            404,
            lost,
        ),
        case(
            "an encoded path up",
            get("/files/%2e%2e%2f%2e%2e/etc/passwd", &[]),
            403,
            link,
        ),
        case(
            "a file by a path up",
            get(
                "/files/jobs/x/..%2f..%2flamina.db?exp=9999999999&sig=AAAA",
                &[],
            ),
            403,
            link,
        ),
        case(
            "a file without a signature",
            get("/files/uploads/x/image.png", &[]),
            403,
            link,
        ),
        case(
            "a file with a long signature",
            get(
                format!("/files/jobs/x/layer_0.png?exp=1&sig={}", "A".repeat(30_000)),
                &[],
            ),
            403,
            link,
        ),
        case(
            "a job that is none",
            get("/api/jobs/1%20or%201=1", &[]),
            404,
            gone,
        ),
        case(
            "a job of zeros",
            get(format!("/api/jobs/{}", uuid::Uuid::nil()), &[]),
            404,
            gone,
        ),
        case(
            "a page of a billion",
            get("/api/jobs?limit=1000000000", &[]),
            422,
            "invalid_query",
        ),
        case(
            "a cursor that is none",
            get("/api/jobs?cursor='--", &[]),
            422,
            "invalid_query",
        ),
        case(
            "a stranger's name",
            get("/api/jobs", &[("host", "evil.example")]),
            421,
            "host_not_allowed",
        ),
        case(
            "a host that is none",
            get("/api/jobs", &[("host", "a/b@c")]),
            400,
            "invalid_host",
        ),
        case(
            "a long key",
            keyed(&long_key),
            400,
            "invalid_idempotency_key",
        ),
        case(
            "a key with a space",
            keyed("a b"),
            400,
            "invalid_idempotency_key",
        ),
        case(
            "a method that is not taken",
            Wish::Http {
                method: Method::from_bytes(b"PROPFIND").unwrap(),
                path: "/api/jobs".into(),
                headers: Vec::new(),
                body: Bytes::new(),
            },
            405,
            "method_not_allowed",
        ),
        case(
            "a webhook of nobody's",
            post("/hooks/fal/x/y", "application/json", "{}"),
            404,
            lost,
        ),
        case(
            "an upload by a stranger's page",
            Wish::Http {
                method: Method::POST,
                path: "/api/upload".into(),
                headers: vec![("origin", "https://evil.example".into())],
                body: png_bytes(&picture(32, 32)).into(),
            },
            403,
            "origin_not_allowed",
        ),
    ]
}

/// Bytes on a socket. Where the answer is the protocol's own, it has no code.
pub(super) fn of_the_wire() -> Vec<Case> {
    let wire = |name: &str, bytes: &[u8], status, code| {
        case(name, Wish::Wire(bytes.to_vec()), status, code)
    };
    let header = |size: usize| {
        format!(
            "GET /healthz HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
            "a".repeat(size)
        )
    };
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "a: b\r\n".repeat(500)
    );
    vec![
        wire("not HTTP", b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03\r\n\r\n", 400, ""),
        wire("a broken line", b"GET\r\n\r\n", 400, ""),
        wire("a header of a megabyte", header(1 << 20).as_bytes(), 431, ""),
        wire("500 headers", many.as_bytes(), 431, ""),
        wire("a header with a zero", b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n", 400, ""),
        wire("a negative length", b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n", 400, ""),
        wire("two lengths", b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400, ""),
        wire("a chunk of no number", b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n", 400, "body_incomplete"),
        wire("a length beyond all", b"POST /api/upload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999\r\n\r\n", 413, "image_too_many_bytes"),
        wire("a body that never comes", b"POST /api/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n", 413, "body_too_large"),
    ]
}

/// URLs that are refused at once, and such that the worker refuses; `code` is the job's then.
pub(super) fn of_urls(server: &str) -> Vec<Case> {
    let address = "fetch_address_refused";
    let mut cases = Vec::new();
    for url in [
        "file:///etc/passwd",
        "ftp://a.example/b.png",
        "gopher://127.0.0.1:70/_x",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "//a.example/b.png",
        "a.png",
        "",
        "https://",
        "http://[::1",
        "https://a.example:99999/",
    ] {
        let body = json!({ "image_url": url }).to_string();
        cases.push(case(
            format!("the URL {url:?}"),
            json(body),
            422,
            "invalid_fields",
        ));
    }
    let long = json!({ "image_url": format!("https://a.example/{}", "a".repeat(9_000)) });
    cases.push(case(
        "a URL of 9,000 letters",
        json(long.to_string()),
        422,
        "invalid_fields",
    ));
    for (url, code) in [
        ("https://127.0.0.2/", address),
        ("https://2130706434/", address),
        ("https://0x7f.2/", address),
        ("https://0177.0.0.2/", address),
        ("https://0/", address),
        ("https://10.1.2.3/", address),
        ("https://172.16.0.1/", address),
        ("https://192.168.1.1/", address),
        ("https://169.254.169.254/latest/meta-data", address),
        ("https://100.64.0.1/", address),
        ("https://224.0.0.1/", address),
        ("https://255.255.255.255/", address),
        ("https://[::1]/", address),
        ("https://[::ffff:10.0.0.1]/", address),
        ("https://[::10.0.0.1]/", address),
        ("https://[64:ff9b::a00:1]/", address),
        ("https://[2002:a00:1::]/", address),
        ("https://[fe80::1]/", address),
        ("https://[fd00::1]/", address),
        ("https://me:secret@a.example/", "fetch_credentials_refused"),
        ("SERVER/nothing", "fetch_status"),
        ("SERVER/inside", address),
        ("SERVER/to-file", "fetch_scheme_refused"),
        ("SERVER/circle", "fetch_redirect_loop"),
        ("SERVER/nowhere", "fetch_bad_redirect"),
        ("SERVER/steps/9", "fetch_too_many_redirects"),
        ("SERVER/gzip", "fetch_encoded"),
        ("SERVER/endless", "fetch_too_many_bytes"),
        ("SERVER/declared", "fetch_too_many_bytes"),
        ("SERVER/page", "image_format_unsupported"),
        ("SERVER/nought", "image_empty"),
        ("SERVER/huge.png", "image_too_large"),
    ] {
        let wish = Wish::Job(url.replace("SERVER", server));
        cases.push(case(format!("a job of {url}"), wish, 200, code));
    }
    cases
}
