//! The pages for people as a browser gets them, over real sockets: what they may load, how little is sent, and that
//! an operator can do without. What they do is tested in a browser, by `tests/browser/run`.

use reqwest::{Response, StatusCode};

use crate::support::{S3, Setup, TestApp, Way, json_of};

fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

async fn policy(app: &TestApp) -> String {
    let answer = app.get("/").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    header(&answer, "content-security-policy")
}

/// Every path that a page names as its own file.
fn named(page: &str) -> Vec<String> {
    let parts = page.split(['"', '\'']);
    let own = parts.filter(|part| part.starts_with("page/"));
    own.map(|part| format!("/{part}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_and_their_files_are_served_with_types_tags_and_a_strict_policy() {
    let app = TestApp::start(Way::Local, None).await;
    for path in ["/", "/docs"] {
        let answer = app.get(path).send().await.unwrap();
        assert_eq!(
            header(&answer, "content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
             img-src 'self' blob: data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let page = answer.text().await.unwrap();
        let files = named(&page);
        assert!(files.len() > 2, "{path}");
        for file in files {
            let answer = app.get(&file).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{file}");
            let kind = match file.rsplit('.').next().unwrap() {
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                _ => "image/webp",
            };
            assert_eq!(header(&answer, "content-type"), kind, "{file}");
            assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
            assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
            assert_eq!(header(&answer, "cache-control"), "no-cache");
        }
    }
    for path in [
        "/page/nothing.js",
        "/page/../Cargo.toml",
        "/page/index.html",
        "/page/admin/admin.html",
        "/page/%2e%2e/app.js",
        "/page/",
    ] {
        let answer = app.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(json_of(answer).await["code"], "route_not_found", "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_sent_once_and_compressed_to_those_who_can_read_that() {
    let app = TestApp::start(Way::Local, None).await;
    let get = |path: &'static str, encoding: &'static str, tag: &str| {
        let request = app.get(path).header("accept-encoding", encoding);
        request.header("if-none-match", tag.to_owned()).send()
    };
    let plain = get("/page/app.js", "identity", "\"\"").await.unwrap();
    let small = get("/page/app.js", "gzip, br", "\"\"").await.unwrap();
    assert_eq!(header(&plain, "content-encoding"), "");
    assert_eq!(header(&small, "content-encoding"), "gzip");
    assert_eq!(
        (header(&plain, "vary"), header(&small, "vary")),
        ("Accept-Encoding".into(), "Accept-Encoding".into())
    );
    let (plain_tag, small_tag) = (header(&plain, "etag"), header(&small, "etag"));
    assert_ne!(
        plain_tag, small_tag,
        "each form has a strong tag of its own"
    );
    let (plain, small) = (plain.bytes().await.unwrap(), small.bytes().await.unwrap());
    assert!(small.len() * 2 < plain.len());
    let mut inflated = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&small[..]), &mut inflated)
        .unwrap();
    assert_eq!(inflated, plain);

    let again = get("/page/app.js", "gzip, br", &small_tag).await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(header(&again, "etag"), small_tag);
    let other = get("/page/app.js", "identity", &small_tag).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    let picture = get("/page/samples/card.webp", "gzip", "\"\"")
        .await
        .unwrap();
    assert_eq!(
        header(&picture, "content-encoding"),
        "",
        "a picture is compressed already"
    );
    let page = get("/", "gzip", "\"\"").await.unwrap();
    assert_eq!(header(&page, "content-encoding"), "gzip");
    let page = get("/", "gzip", &header(&page, "etag")).await.unwrap();
    assert_eq!(page.status(), StatusCode::NOT_MODIFIED);
    assert!(header(&page, "content-security-policy").starts_with("default-src 'none'"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_lets_pictures_come_from_where_links_lead_and_from_nowhere_else() {
    let setup = Setup::new(Way::Local).with("PUBLIC_URL", "https://layers.example.com/lamina");
    let app = TestApp::start_with(setup, None).await;
    let found = policy(&app).await;
    assert!(found.contains("img-src 'self' blob: data: https://layers.example.com; connect-src 'self' https://layers.example.com;"), "{found}");
    assert!(found.contains("script-src 'self';"), "{found}");
    app.stop().await;

    let s3 = S3::start().await;
    let bucket = |links| {
        Setup::new(Way::Local)
            .over(&s3)
            .with("STORAGE_LINKS", links)
    };
    let app = TestApp::start_with(bucket("direct"), None).await;
    let found = policy(&app).await;
    let pictures = format!(
        "img-src 'self' blob: data: {0}; connect-src 'self' {0};",
        s3.endpoint()
    );
    assert!(found.contains(&pictures), "{found}");
    app.stop().await;

    let app = TestApp::start_with(bucket("lamina"), None).await;
    let found = policy(&app).await;
    assert!(found.contains("connect-src 'self';"), "{found}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_can_do_without_the_pages() {
    let app = TestApp::start_with(Setup::new(Way::Local).with("PAGE", "false"), None).await;
    let operators = app.get("/admin").send().await.unwrap();
    assert_eq!(operators.status(), StatusCode::OK, "another option");
    for path in ["/", "/docs"] {
        let answer = app.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(json_of(answer).await["code"], "route_not_found", "{path}");
    }
    let answer = app.get("/openapi.json").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_page_has_a_stricter_policy_and_an_option_of_its_own() {
    // Where that of the other pages names where pictures lie, this one shows none.
    let setup = Setup::new(Way::Local).with("PUBLIC_URL", "https://layers.example.com");
    let app = TestApp::start_with(setup, None).await;
    let answer = app.get("/admin").send().await.unwrap();
    assert_eq!(
        header(&answer, "content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let page = answer.text().await.unwrap();
    for file in named(&page) {
        let answer = app.get(&file).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{file}");
    }
    app.stop().await;

    let setup = Setup::new(Way::Local).with("ADMIN_PAGE", "false");
    let app = TestApp::start_with(setup, None).await;
    let answer = app.get("/admin").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(json_of(answer).await["code"], "route_not_found");
    let others = app.get("/").send().await.unwrap();
    assert_eq!(others.status(), StatusCode::OK);
    app.stop().await;

    let neither = Setup::new(Way::Local)
        .with("ADMIN_PAGE", "false")
        .with("PAGE", "false");
    let app = TestApp::start_with(neither, None).await;
    let answer = app.get("/page/base.css").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    app.stop().await;
}
