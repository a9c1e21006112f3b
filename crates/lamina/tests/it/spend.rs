//! Money, from the create to the emulator's bill: what a cap lets through, and what a retry pays.

use fal_emulator::Fault;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, Way, emulator, json_of, picture, png_base64};

const ADMIN: &str = "the-key-of-the-operator";

fn setup() -> Setup {
    Setup::new(Way::FalPolling).with("ADMIN_KEY", ADMIN)
}

impl TestApp {
    async fn admin(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let answer = request.bearer_auth(ADMIN).json(&body).send().await.unwrap();
        (answer.status(), json_of(answer).await)
    }

    async fn retry(&self, id: &str, body: Value) -> (StatusCode, Value) {
        let path = format!("/api/admin/jobs/{id}/retry");
        self.admin(Method::POST, &path, body).await
    }

    /// Tries to create a job; its id, or the code of the refusal.
    async fn attempt(&self, fields: Value) -> Result<String, String> {
        let mut body = json!({ "image_base64": png_base64(&picture(64, 48)) });
        let more = fields.as_object().cloned().unwrap_or_default();
        body.as_object_mut().unwrap().extend(more);
        let request = self.client.post(format!("{}/api/jobs", self.base));
        let answer = json_of(request.json(&body).send().await.unwrap()).await;
        let text = |field: &str| answer[field].as_str().map(str::to_owned);
        text("job_id").ok_or_else(|| text("code").unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_lets_through_what_it_pays_for_and_the_rest_is_told() {
    let emulator = emulator().await;
    let setup = setup().with("SPEND_LIMIT_USD_PER_DAY_PER_KEY", "0.15");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let attempts = join_all((0..12).map(|_| app.attempt(json!({})))).await;
    let (mut completed, mut failed) = (0, Vec::new());
    for attempt in attempts {
        match attempt {
            Ok(id) => {
                let job = app.finished(&id).await;
                if job["status"] == "completed" {
                    completed += 1;
                } else {
                    assert_eq!(job["error_code"], "spend_limit_reached");
                    failed.push(id);
                }
            }
            Err(code) => assert_eq!(code, "spend_limit_reached"),
        }
    }
    assert_eq!((completed, emulator.submissions_count()), (3, 3));
    let refused = app.attempt(json!({})).await;
    assert_eq!(refused.unwrap_err(), "spend_limit_reached");
    let free = app.split(json!({ "engine": "local" })).await;
    assert_eq!(free["status"], "completed");

    // What the operator raises is in force at once, for a new job and for one that failed by it.
    let limits = "/api/admin/owners/anonymous/limits";
    let raised = app
        .admin(Method::PUT, limits, json!({ "daily_usd": 0.25 }))
        .await;
    assert_eq!(raised.0, 200, "{}", raised.1);
    assert_eq!(app.split(json!({})).await["status"], "completed");
    if let Some(id) = failed.first() {
        assert_eq!(app.retry(id, json!({})).await.0, 202);
    } else {
        app.attempt(json!({})).await.unwrap();
    }
    emulator.wait_for_completed(5).await;
    let (_, stats) = app.admin(Method::GET, "/api/admin/stats", json!({})).await;
    assert_eq!(stats["usd_today"], 0.25);
    for job in app.jobs().await {
        app.finished(job["job_id"].as_str().unwrap()).await;
    }
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_pays_again_only_when_it_is_told_to() {
    let emulator = emulator().await;
    let app = TestApp::start_with(setup(), Some(&emulator)).await;
    emulator.script_together([Fault::DropAfterEnqueue, Fault::HistoryMissing]);
    let job = app.split(json!({})).await;
    assert_eq!(job["error_code"], "submission_unknown");
    let id = job["job_id"].as_str().unwrap();
    let (status, refused) = app.retry(id, json!({})).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (409, &"payment_unknown".into())
    );
    assert_eq!(app.retry(id, json!({ "pay_again": true })).await.0, 202);
    assert_eq!(app.finished(id).await["status"], "completed");
    assert_eq!(emulator.submissions_count(), 2);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_of_a_run_that_was_taken_asks_for_it_again() {
    let emulator = emulator().await;
    let app = TestApp::start_with(setup(), Some(&emulator)).await;
    emulator.script(Fault::LayerNotFound);
    let job = app.split(json!({})).await;
    assert_eq!(job["error_code"], "engine_bad_layer");
    let id = job["job_id"].as_str().unwrap();
    assert_eq!(app.retry(id, json!({})).await.0, 202);
    let again = app.finished(id).await;
    assert_eq!(again["error_code"], "engine_bad_layer");
    assert_eq!(emulator.submissions_count(), 1, "nothing was paid anew");
    assert_eq!(app.retry(id, json!({ "pay_again": true })).await.0, 202);
    assert_eq!(app.finished(id).await["status"], "completed");
    assert_eq!(emulator.submissions_count(), 2);
    let path = format!("/api/admin/jobs/{id}");
    let (_, detail) = app.admin(Method::GET, &path, json!({})).await;
    let paid = detail["submissions"].as_array().unwrap();
    let paid: Vec<_> = paid
        .iter()
        .map(|call| call["paid"].as_str().unwrap())
        .collect();
    assert_eq!(paid, ["perhaps", "yes"]);
    app.stop().await;
    emulator.stop().await;
}
