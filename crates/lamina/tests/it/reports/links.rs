//! The way of an app: upload, then a job of the URL that came back, then perhaps one of a layer's.

use serde_json::{Value, json};

use crate::support::{S3, Setup, TestApp, Way, json_of, picture, png_bytes};

/// Nothing of a stranger's is opened but https on the public internet, as by default.
fn strict() -> Setup {
    Setup::new(Way::Local)
        .with("FETCH_ALLOW_HTTP", "false")
        .with("FETCH_ALLOW_NETS", "")
}

async fn create(app: &TestApp, url: &str) -> (u16, Value) {
    let request = app.client.post(format!("{}/api/jobs", app.base));
    let answer = request
        .json(&json!({ "image_url": url }))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), json_of(answer).await)
}

/// A completed job of a URL.
async fn split(app: &TestApp, url: &str) -> Value {
    let (status, created) = create(app, url).await;
    assert_eq!(status, 202, "{url} {created}");
    let job = app.finished(created["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{url} {job}");
    job
}

async fn upload(app: &TestApp) -> Value {
    let request = app.client.post(format!("{}/api/upload", app.base));
    let answer = request
        .body(png_bytes(&picture(64, 48)))
        .send()
        .await
        .unwrap();
    json_of(answer).await
}

/// What was sent by a ticket's own link.
async fn sent_by_ticket(app: &TestApp, reachable: impl Fn(&str) -> String) -> Value {
    let file = png_bytes(&picture(64, 48));
    let request = app.client.post(format!("{}/api/uploads", app.base));
    let wish = json!({ "content_type": "image/png", "bytes": file.len() });
    let ticket = json_of(request.json(&wish).send().await.unwrap()).await;
    let put = app.client.put(reachable(ticket["url"].as_str().unwrap()));
    let put = put.header("content-type", "image/png").body(file);
    let status = put.send().await.unwrap().status();
    assert!(status.is_success(), "{status}");
    ticket
}

async fn every_url_is_taken(app: &TestApp, reachable: impl Fn(&str) -> String) {
    let uploaded = upload(app).await;
    let job = split(app, uploaded["url"].as_str().unwrap()).await;
    for layer in job["layers"].as_array().unwrap() {
        split(app, layer["url"].as_str().unwrap()).await;
    }
    let ticket = sent_by_ticket(app, reachable).await;
    split(app, ticket["url"].as_str().unwrap()).await;
    let id = ticket["upload_id"].as_str().unwrap();
    let status = json_of(app.get(&format!("/api/uploads/{id}")).send().await.unwrap()).await;
    split(app, status["upload"]["url"].as_str().unwrap()).await;
    // It is a job's own picture from then on, and a changed link is nothing.
    let url = uploaded["url"].as_str().unwrap();
    let last = if url.ends_with('A') { "B" } else { "A" };
    let (status, refused) = create(app, &format!("{}{last}", &url[..url.len() - 1])).await;
    if status == 202 {
        // A bucket's address is asked for, as any other is, and refused there or before.
        let job = app.finished(refused["job_id"].as_str().unwrap()).await;
        assert_eq!(job["status"], "failed", "{job}");
    } else {
        assert_eq!((status, &refused["code"]), (403, &json!("link_invalid")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_url_of_an_answer_is_a_picture_for_a_job() {
    let app = TestApp::start_with(strict(), None).await;
    every_url_is_taken(&app, str::to_owned).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_under_an_address_that_the_server_itself_cannot_reach() {
    for public in [
        "https://layers.example.com",
        "https://layers.example.com/app/",
    ] {
        let app = TestApp::start_with(strict().with("PUBLIC_URL", public), None).await;
        let (base, below) = (app.base.clone(), public.trim_end_matches('/').to_owned());
        every_url_is_taken(&app, move |url| url.replace(&below, &base)).await;
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_where_pictures_are_in_a_bucket_and_links_lead_there() {
    let s3 = S3::start().await;
    for links in ["direct", "lamina"] {
        let setup = strict().over(&s3).with("STORAGE_LINKS", links);
        let app = TestApp::start_with(setup, None).await;
        every_url_is_taken(&app, str::to_owned).await;
        app.stop().await;
    }
}
