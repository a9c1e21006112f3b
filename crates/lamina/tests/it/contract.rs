//! The promised contract, once for each way to run: the embedded engine, fal by polling, fal by
//! webhooks; pictures in a folder, in a bucket that clients fetch from, in one that lamina serves.
//! What differs between them is what the layers show and where links lead, never the API.

use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use image::RgbaImage;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    S3, Setup, TestApp, Way, composite, emulator, json_of, largest_difference, picture, png_base64,
};

/// Where the pictures of a service are.
struct Kept {
    /// The folder below which every byte lies.
    folder: PathBuf,
    /// Whose address links begin with.
    host: String,
    /// Whether lamina itself answers them.
    by_lamina: bool,
}

impl Kept {
    fn in_folder(app: &TestApp) -> Self {
        Self {
            folder: app.folder.path().join("blobs"),
            host: app.base.clone(),
            by_lamina: true,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_keeps_the_contract() {
    let app = TestApp::start(Way::Local, None).await;
    keeps_the_contract(&app, Way::Local, &Kept::in_folder(&app)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fal_by_polling_keeps_the_contract() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    keeps_the_contract(&app, Way::FalPolling, &Kept::in_folder(&app)).await;
    assert!(
        emulator.uploads().len() >= 3,
        "without a public address pictures go to fal's storage"
    );
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fal_by_webhooks_keeps_the_contract() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalWebhooks, Some(&emulator)).await;
    keeps_the_contract(&app, Way::FalWebhooks, &Kept::in_folder(&app)).await;
    assert!(
        emulator.uploads().is_empty(),
        "fal fetches pictures by link"
    );
    assert!(!emulator.webhooks().is_empty());
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_keeps_the_contract_over_a_bucket() {
    let s3 = S3::start().await;
    let setup = Setup::new(Way::Local).over(&s3);
    let app = TestApp::start_with(setup, None).await;
    let kept = Kept {
        folder: s3.objects(),
        host: s3.endpoint(),
        by_lamina: false,
    };
    keeps_the_contract(&app, Way::Local, &kept).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fal_keeps_the_contract_over_a_bucket_that_it_fetches_from() {
    let s3 = S3::start().await;
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalWebhooks).over(&s3);
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let kept = Kept {
        folder: s3.objects(),
        host: s3.endpoint(),
        by_lamina: false,
    };
    keeps_the_contract(&app, Way::FalWebhooks, &kept).await;
    assert!(emulator.uploads().is_empty());
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fal_keeps_the_contract_over_a_bucket_that_only_lamina_reaches() {
    let s3 = S3::start().await;
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling)
        .over(&s3)
        .with("STORAGE_LINKS", "lamina");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let kept = Kept {
        folder: s3.objects(),
        host: app.base.clone(),
        by_lamina: true,
    };
    keeps_the_contract(&app, Way::FalPolling, &kept).await;
    assert!(emulator.uploads().len() >= 3);
    app.stop().await;
    emulator.stop().await;
}

async fn keeps_the_contract(app: &TestApp, way: Way, kept: &Kept) {
    from_base64(app, way, kept).await;
    from_url(app).await;
    from_upload(app, way, kept).await;
    repeated_with_a_key(app).await;
}

async fn from_base64(app: &TestApp, way: Way, kept: &Kept) {
    let source = picture(96, 64);
    let body = json!({ "image_base64": format!("data:image/png;base64,{}", png_base64(&source)), "num_layers": 3 });
    let id = app.create(&body).await;
    let job = app.finished(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(
        (&job["error"], &job["error_code"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        job["engine"],
        if way == Way::Local { "local" } else { "fal" }
    );
    assert_eq!(hours_between(&job["created_at"], &job["expires_at"]), 24);

    let layers = fetch_layers(app, &job, kept).await;
    crate::layer_variants::are_those_of(app, &job, &layers).await;
    proven_as_measured_here(&job["quality"], &source, &layers);
    if way == Way::Local {
        assert!(largest_difference(&composite(&layers), &source) <= 1);
    } else {
        assert_eq!(layers.len(), 3);
    }
    let listed = app
        .get(&format!("/api/jobs/{id}/layers"))
        .send()
        .await
        .unwrap();
    assert_eq!(json_of(listed).await["layers"], job["layers"]);
    unchanged_is_304(app, &id).await;
    gone_after_delete(app, &id, &job, kept).await;
}

/// What the job says of its layers, against a measurement of the test's own.
fn proven_as_measured_here(quality: &Value, source: &RgbaImage, layers: &[RgbaImage]) {
    assert_eq!(quality["layers"].as_array().unwrap().len(), layers.len());
    for (found, layer) in quality["layers"].as_array().unwrap().iter().zip(layers) {
        let shows = layer.pixels().any(|pixel| pixel[3] >= 16);
        assert_eq!(found["empty"], !shows, "{quality}");
    }
    let whole = composite(layers);
    if whole.dimensions() != source.dimensions() {
        return;
    }
    let pairs = whole.pixels().zip(source.pixels());
    let errors = pairs.map(|(found, meant)| {
        let far = found
            .0
            .iter()
            .zip(meant.0)
            .map(|(one, other)| one.abs_diff(other));
        f64::from(far.max().unwrap())
    });
    let mean = errors.sum::<f64>() / f64::from(source.width() * source.height());
    let said = quality["mean_error"].as_f64().unwrap();
    // Rounding after each layer is the rule's; the sum is rounded up to hundredths.
    assert!((said - mean).abs() <= 0.6, "{said} {mean}: {quality}");
    assert_eq!(quality["psnr_db"].is_null(), said == 0.0, "{quality}");
}

/// Every layer can be fetched by its link alone, is what the job says, and lies in order.
async fn fetch_layers(app: &TestApp, job: &Value, kept: &Kept) -> Vec<RgbaImage> {
    let mut layers = Vec::new();
    for (order, layer) in job["layers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(layer["id"], format!("layer_{order}"));
        assert_eq!(layer["order"], order);
        let url = layer["url"].as_str().unwrap();
        assert!(url.starts_with(&kept.host), "{url}");
        let answer = app.client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(
            answer.headers()["content-type"],
            layer["content_type"].as_str().unwrap()
        );
        assert_eq!(
            answer.headers()["content-disposition"],
            format!("inline; filename=\"layer_{order}.png\"")
        );
        if kept.by_lamina {
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        }
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(layer["bytes"], bytes.len());
        let image = image::load_from_memory(&bytes).unwrap().to_rgba8();
        assert_eq!(
            (&layer["width"], &layer["height"]),
            (&json!(image.width()), &json!(image.height()))
        );
        layers.push(image);
    }
    layers
}

async fn unchanged_is_304(app: &TestApp, id: &str) {
    let path = format!("/api/jobs/{id}");
    let first = app.get(&path).send().await.unwrap();
    let etag = first.headers()["etag"].clone();
    let second = app
        .get(&path)
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
}

async fn gone_after_delete(app: &TestApp, id: &str, job: &Value, kept: &Kept) {
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(
        app.client.delete(&url).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    let gone = app.client.get(&url).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::GONE);
    assert_eq!(gone.headers()["content-type"], "application/problem+json");
    assert_eq!(json_of(gone).await["code"], "job_deleted");
    let folder = kept.folder.join("jobs").join(id);
    crate::support::until("the job's bytes to go", || async {
        crate::support::files(&folder).is_empty().then_some(())
    })
    .await;
    for layer in job["layers"].as_array().unwrap() {
        let answer = app
            .client
            .get(layer["url"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    assert_eq!(
        json_of(app.get("/api/jobs").send().await.unwrap()).await["jobs"],
        json!([])
    );
}

async fn from_url(app: &TestApp) {
    let bytes = crate::support::png_bytes(&picture(80, 80));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/picture.png", listener.local_addr().unwrap());
    let routes = Router::new().route("/picture.png", get(move || async move { bytes }));
    let server = tokio::spawn(axum::serve(listener, routes).into_future());
    let id = app.create(&json!({ "image_url": url })).await;
    assert_eq!(app.finished(&id).await["status"], "completed");
    server.abort();
}

async fn from_upload(app: &TestApp, way: Way, kept: &Kept) {
    let source = picture(50, 70);
    let part = reqwest::multipart::Part::bytes(crate::support::png_bytes(&source))
        .file_name("anything.jpg");
    let form = reqwest::multipart::Form::new().part("file", part);
    let upload = app
        .client
        .post(format!("{}/api/upload", app.base))
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(upload.status(), StatusCode::CREATED);
    let upload = json_of(upload).await;
    assert_eq!(
        (&upload["width"], &upload["height"]),
        (&json!(50), &json!(70))
    );
    assert_eq!(upload["content_type"], "image/png");
    let link = app
        .client
        .get(upload["url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(link.status(), StatusCode::OK);
    let id = app
        .create(&json!({ "upload_id": upload["upload_id"] }))
        .await;
    let job = app.finished(&id).await;
    assert_eq!(job["status"], "completed");
    let layers = fetch_layers(app, &job, kept).await;
    if way == Way::Local {
        assert!(largest_difference(&composite(&layers), &source) <= 1);
    }
}

async fn repeated_with_a_key(app: &TestApp) {
    let body = json!({ "image_base64": png_base64(&picture(40, 40)) });
    let post = |body: &Value| {
        let request = app
            .client
            .post(format!("{}/api/jobs", app.base))
            .header("idempotency-key", "once")
            .json(body);
        async move { request.send().await.unwrap() }
    };
    let first = json_of(post(&body).await).await;
    app.finished(first["job_id"].as_str().unwrap()).await;
    let again = post(&body).await;
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    assert_eq!(json_of(again).await["job_id"], first["job_id"]);
    let other = post(&json!({ "image_base64": png_base64(&picture(41, 40)) })).await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

fn hours_between(from: &Value, to: &Value) -> i64 {
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    time(to).duration_since(time(from)).as_hours()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_test_image_is_split_and_put_together_again() {
    let app = TestApp::start(Way::Local, None).await;
    let images = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/images");
    for name in ["chelsea.png", "coffee.png", "design_card.png"] {
        let bytes = std::fs::read(images.join(name)).unwrap();
        let source = image::load_from_memory(&bytes).unwrap().to_rgba8();
        let upload = app
            .client
            .post(format!("{}/api/upload", app.base))
            .header("content-type", "image/png");
        let upload = json_of(upload.body(bytes).send().await.unwrap()).await;
        let id = app
            .create(&json!({ "upload_id": upload["upload_id"] }))
            .await;
        let job = app.finished(&id).await;
        let layers = fetch_layers(&app, &job, &Kept::in_folder(&app)).await;
        assert!(layers.len() > 1, "{name}");
        assert!(
            largest_difference(&composite(&layers), &source) <= 1,
            "{name}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_opens_only_its_owners_jobs() {
    let setup =
        Setup::new(Way::Local).with("API_KEYS", "one:0123456789abcdef,two:fedcba9876543210");
    let app = TestApp::start_with(setup, None).await;
    let url = format!("{}/api/jobs", app.base);
    let body = json!({ "image_base64": png_base64(&picture(40, 40)) });
    let nobody = app.client.post(&url).json(&body).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert!(nobody.headers().contains_key("www-authenticate"));
    let one = app
        .client
        .post(&url)
        .bearer_auth("0123456789abcdef")
        .json(&body)
        .send()
        .await
        .unwrap();
    let one = json_of(one).await;
    let job = format!("{url}/{}", one["job_id"].as_str().unwrap());
    let status = |key: &'static str| {
        let request = app.client.get(&job).bearer_auth(key);
        async move { request.send().await.unwrap().status() }
    };
    assert_eq!(status("0123456789abcdef").await, StatusCode::OK);
    assert_eq!(status("fedcba9876543210").await, StatusCode::NOT_FOUND);
    assert_eq!(status("0123456789abcdeX").await, StatusCode::UNAUTHORIZED);
    app.stop().await;
}
