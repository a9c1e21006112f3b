//! Engines that lamina does not have, from the create to the layers: what they say of themselves
//! decides how they are used, and neither their word nor their price.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use image::{Rgba, RgbaImage};
use lamina::engines::{
    Accepted, Check, Delivery, Engine, EngineError, EngineFacts, LayerContent, LayerSource, Order,
    SubmitError,
};
use lamina::jobs::{EngineKind, FailureCode, LayerLabels, RequestId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, Way, json_of, picture, png_bytes, until};

const ADMIN: &str = "the-key-of-the-operator";

/// Takes what it is given, loses the answer to the first call, and gives the source again, a ground
/// and what stands on it.
#[derive(Debug)]
struct Other {
    facts: EngineFacts,
    layers: usize,
    submitted: AtomicUsize,
    released: AtomicUsize,
}

impl Other {
    fn new(facts: EngineFacts) -> Arc<Self> {
        Arc::new(Self {
            facts,
            layers: 3,
            submitted: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
        })
    }

    /// Once a job has ended, whatever the engine holds of its run may go.
    async fn is_released(&self) {
        until("the run to be released", || async {
            (self.released.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
    }

    fn submitted(&self) -> usize {
        self.submitted.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Engine for Other {
    fn facts(&self) -> EngineFacts {
        self.facts
    }

    async fn submit(&self, _: &Order) -> Result<Accepted, SubmitError> {
        if self.submitted.fetch_add(1, Ordering::Relaxed) == 0 {
            let code = FailureCode::EngineUnavailable;
            return Err(SubmitError {
                delivery: Delivery::Unknown,
                error: EngineError::retryable(code, "the answer was lost"),
            });
        }
        Ok(Accepted {
            request: RequestId("a-run".to_owned()),
            queue_position: None,
        })
    }

    async fn check(&self, _: &RequestId, _place: Option<&str>) -> Result<Check, EngineError> {
        let source = picture(64, 48);
        let ground = RgbaImage::from_pixel(64, 48, Rgba([240, 240, 230, 255]));
        let mut above = RgbaImage::new(64, 48);
        above.put_pixel(9, 9, Rgba([200, 30, 30, 255]));
        let layers = [source, ground].into_iter().chain(std::iter::repeat(above));
        let layers = layers.take(self.layers).map(|layer| LayerSource {
            labels: LayerLabels::default(),
            content: LayerContent::Bytes(png_bytes(&layer).into()),
        });
        Ok(Check::Ready(layers.collect()))
    }

    async fn cancel(&self, _: &RequestId, _place: Option<&str>) -> Result<(), EngineError> {
        Ok(())
    }

    async fn erase(&self, _: &RequestId) -> Result<(), EngineError> {
        Ok(())
    }

    fn release(&self, _: &RequestId) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is as free and as close as the embedded engine, under a word.
fn free(kind: EngineKind) -> EngineFacts {
    EngineFacts {
        kind,
        price_microusd: 0,
        repeatable: true,
        in_process: true,
        seeded: false,
        may_return_source: false,
        calls_back: false,
        max_side: None,
        at_once: None,
        usual_run: Duration::from_millis(10),
    }
}

/// What is paid, far away and given to sending the source back, under a word.
fn paid(kind: EngineKind) -> EngineFacts {
    EngineFacts {
        price_microusd: 50_000,
        repeatable: false,
        in_process: false,
        seeded: false,
        may_return_source: true,
        ..free(kind)
    }
}

async fn start(engine: &Arc<Other>) -> TestApp {
    let mut setup = Setup::new(Way::Local).with("ADMIN_KEY", ADMIN);
    setup.tuning.engines = vec![Arc::clone(engine) as Arc<dyn Engine>];
    TestApp::start_with(setup, None).await
}

async fn split(app: &TestApp, engine: &Other) -> Value {
    let engine = engine.facts.kind.as_str();
    app.split(json!({ "engine": engine, "num_layers": 2 }))
        .await
}

async fn retry(app: &TestApp, job: &Value, body: Value) -> (StatusCode, Value) {
    let id = job["job_id"].as_str().unwrap();
    let url = format!("{}/api/admin/jobs/{id}/retry", app.base);
    let request = app.client.post(url).bearer_auth(ADMIN).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), json_of(answer).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_paid_is_called_once_whatever_its_word() {
    for kind in EngineKind::ALL {
        let engine = Other::new(paid(kind));
        let app = start(&engine).await;
        let job = split(&app, &engine).await;
        assert_eq!(job["error_code"], "submission_unknown", "{kind:?}: {job}");
        assert_eq!(engine.submitted(), 1);
        let (status, refused) = retry(&app, &job, json!({})).await;
        assert_eq!(status, StatusCode::CONFLICT, "{kind:?}: {refused}");
        assert_eq!(refused["code"], "payment_unknown");
        let (status, told) = retry(&app, &job, json!({ "pay_again": true })).await;
        assert!(status.is_success(), "{kind:?}: {told}");
        let job = app.finished(job["job_id"].as_str().unwrap()).await;
        assert_eq!(job["status"], "completed", "{kind:?}: {job}");
        assert_eq!(engine.submitted(), 2);
        engine.is_released().await;
        // The source is left out.
        assert_eq!(job["layers"].as_array().unwrap().len(), 2, "{kind:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_may_simply_be_asked_again_is_whatever_its_word() {
    for kind in EngineKind::ALL {
        let engine = Other::new(free(kind));
        let app = start(&engine).await;
        let job = split(&app, &engine).await;
        assert_eq!(job["status"], "completed", "{kind:?}: {job}");
        assert_eq!(engine.submitted(), 2);
        // What it gives is taken as it is.
        assert_eq!(job["layers"].as_array().unwrap().len(), 3, "{kind:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_engine_in_this_process_may_give_any_number_of_layers() {
    for (in_process, status) in [(true, "completed"), (false, "failed")] {
        let engine = Arc::new(Other {
            facts: EngineFacts {
                in_process,
                ..free(EngineKind::Fal)
            },
            layers: 15,
            submitted: AtomicUsize::new(1),
            released: AtomicUsize::new(0),
        });
        let app = start(&engine).await;
        let job = split(&app, &engine).await;
        assert_eq!(job["status"], status, "{job}");
        engine.is_released().await;
        app.stop().await;
    }
}
