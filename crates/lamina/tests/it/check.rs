//! `lamina check` proves the way that pictures will take, and says what it could not prove.

use axum::http::Method;
use tempfile::TempDir;

use crate::support::{Fault, Process, S3, emulator, fal_options, files};

struct Case {
    folder: TempDir,
    options: Vec<(&'static str, String)>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("lamina.db").display().to_string();
        Self {
            folder,
            options: vec![("DATABASE_PATH", database)],
        }
    }

    fn with(mut self, options: Vec<(&'static str, String)>) -> Self {
        self.options.extend(options);
        self
    }

    fn set(self, name: &'static str, value: &str) -> Self {
        self.with(vec![(name, value.to_owned())])
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.options.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// The report's line about `part`, and whether the whole was good.
    async fn line(&self, part: &str) -> (String, bool) {
        let (status, report) = Process::check(&self.pairs()).await;
        let is_it = |line: &&str| line[5..].starts_with(part);
        let line = report
            .lines()
            .find(is_it)
            .unwrap_or_else(|| panic!("{report}"));
        // What was stored for the check is gone, and no link of it is shown.
        assert!(
            !report.contains("sig=") && !report.contains("Signature="),
            "{report}"
        );
        (line.to_owned(), status.success())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_proven_by_its_own_link() {
    let (s3, emulator) = (S3::start().await, emulator().await);
    let case = Case::new().with(s3.options()).with(fal_options(&emulator));
    let (line, good) = case.line("way to fal").await;
    assert!(
        good && line.starts_with("ok") && line.contains("fetched once"),
        "{line}"
    );
    let (line, _) = case.line("links").await;
    // The test's server sends no CORS headers, as a new bucket would not.
    assert!(line.starts_with("?") && line.contains("CORS"), "{line}");
    assert_eq!(files(&s3.objects()), [s3.objects().join("probe")]);

    // To fal itself, an address on this machine is no way.
    let real = Case::new()
        .with(s3.options())
        .set("FAL_KEY", &emulator.key());
    let (line, good) = real.line("way to fal").await;
    assert!(
        !good && line.starts_with("BAD") && line.contains("FAL_IMAGE=upload"),
        "{line}"
    );

    let elsewhere = Case::new()
        .with(s3.options())
        .set("S3_PUBLIC_ENDPOINT", "http://127.0.0.1:9");
    let (line, good) = elsewhere.line("links").await;
    assert!(!good && line.contains("S3_PUBLIC_ENDPOINT"), "{line}");

    s3.fail(&[Method::PUT], Fault::Answer(403, "AccessDenied"));
    let (line, good) = case.line("storage").await;
    assert!(!good && line.contains("S3_SECRET_ACCESS_KEY"), "{line}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_under_the_public_address_is_proven_while_lamina_serves() {
    let emulator = emulator().await;
    let case = Case::new().with(fal_options(&emulator)).set("PORT", "0");
    let served = Process::start(&case.pairs()).await;
    let public = |case: Case, url: &str| case.set("PUBLIC_URL", url);
    let case = public(case, &served.base);
    let (line, good) = case.line("way to fal").await;
    assert!(
        good && line.starts_with("ok") && line.contains("fetched once"),
        "{line}"
    );
    assert!(files(&case.folder.path().join("blobs/uploads")).is_empty());

    let wrong = Case {
        options: case.options.clone(),
        folder: tempfile::tempdir().unwrap(),
    };
    let wrong = public(wrong, "http://127.0.0.1:9");
    let (line, good) = wrong.line("way to fal").await;
    assert!(
        !good && line.starts_with("BAD") && line.contains("PUBLIC_URL"),
        "{line}"
    );
    let other = Case::new()
        .with(fal_options(&emulator))
        .set("PUBLIC_URL", &served.base);
    let (line, good) = other.line("way to fal").await;
    assert!(
        good && line.starts_with("?") && line.contains("403"),
        "{line}"
    );

    let (status, said) = served.terminate().await;
    assert!(status.success(), "{said}");
    let (line, good) = case.line("way to fal").await;
    assert!(
        good && line.starts_with("?") && line.contains("not proven"),
        "{line}"
    );
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_address_that_redirects_is_refused() {
    let emulator = emulator().await;
    let moved = axum::Router::new().fallback(async || {
        (
            axum::http::StatusCode::MOVED_PERMANENTLY,
            [("location", "/x")],
        )
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move { axum::serve(listener, moved).await });
    // fal calls back there, however the picture goes; whether a lamina runs now makes no difference.
    for way in ["link", "upload", "data"] {
        let case = Case::new()
            .with(fal_options(&emulator))
            .set("PUBLIC_URL", &url)
            .set("FAL_IMAGE", way);
        let (line, good) = case.line("callbacks").await;
        assert!(
            !good && line.starts_with("BAD") && line.contains("redirect"),
            "{way}: {line}"
        );
    }
    served.abort();
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_proves_the_key_as_well() {
    let emulator = emulator().await;
    let case = Case::new().with(fal_options(&emulator));
    let (line, good) = case.line("way to fal").await;
    assert!(
        good && line.starts_with("ok") && line.contains("gave it back"),
        "{line}"
    );
    let lifecycle = emulator.uploads()[0].lifecycle.clone().unwrap();
    assert!(lifecycle.contains(":60"), "{lifecycle}");
    let wrong = Case::new()
        .with(fal_options(&emulator))
        .set("FAL_API_KEY", "another:key-0123456789");
    let (line, good) = wrong.line("way to fal").await;
    assert!(!good && line.starts_with("BAD"), "{line}");
    assert!(!line.contains("0123456789"), "{line}");
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_of_the_operators_own_are_read_and_tried() {
    let (line, good) = Case::new().line("networks").await;
    assert!(good && line.contains("subject: built in"), "{line}");
    // The built-in network keeps the contract that others have to.
    let own = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../layerize/models/u2netp.onnx"
    );
    let case = Case::new().set("LOCAL_SUBJECT_MODEL", own);
    let (line, good) = case.line("networks").await;
    assert!(
        good && line.contains("u2netp.onnx (read and tried"),
        "{line}"
    );
    let (line, good) = Case::new()
        .set("LOCAL_FILL_MODEL", own)
        .line("networks")
        .await;
    assert!(
        !good && line.starts_with("BAD") && line.contains("LOCAL_FILL_MODEL"),
        "{line}"
    );
    assert!(line.contains("(model_input)"), "{line}");
}
