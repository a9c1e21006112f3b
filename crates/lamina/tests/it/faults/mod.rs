//! What fal can do wrong, one fault at a time, through the emulator: each ends in a completed job
//! or in a failed one with a stable code, and the account of payments stays right.

use fal_emulator::{
    Config as EmulatorConfig, Emulator, Fault, GatewayBody, ModelError, RequestError,
};
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, Way};

/// `None` is completion.
type Expected = Option<&'static str>;

struct Case {
    fault: Fault,
    expected: Expected,
    /// What was billed in the end, in pictures.
    paid: u64,
}

fn case(fault: Fault, expected: Expected, paid: u64) -> Case {
    Case {
        fault,
        expected,
        paid,
    }
}

/// One service and one emulator for each case, so that a case cannot help another.
async fn ends_as_expected(way: Way, case: Case) {
    let name = case.fault.name();
    let emulator = Emulator::start(EmulatorConfig::default()).await.unwrap();
    let setup = Setup::new(way)
        .with("ENGINE_TIMEOUT", "4s")
        .with("SUBMIT_UNKNOWN_GRACE", "500ms");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    emulator.script(case.fault);
    let job = app.split(json!({ "num_layers": 3 })).await;
    match case.expected {
        None => assert_eq!(job["status"], "completed", "{name}: {job}"),
        Some(code) => {
            assert_eq!(
                (&job["status"], &job["error_code"]),
                (&json!("failed"), &json!(code)),
                "{name}: {job}"
            );
            let sentence = job["error"].as_str().unwrap();
            assert!(
                sentence.ends_with('.') && sentence.len() > 30,
                "{name}: {sentence}"
            );
            assert_eq!(job["layers"], Value::Null);
        }
    }
    assert_eq!(emulator.billable_units(), case.paid, "{name}");
    app.stop().await;
    emulator.stop().await;
}

async fn all(way: Way, cases: Vec<Case>) {
    // A few at a time: most of a case is waiting.
    for chunk in chunks(cases, 8) {
        let running: Vec<_> = chunk
            .into_iter()
            .map(|case| tokio::spawn(ends_as_expected(way, case)))
            .collect();
        for case in running {
            case.await.unwrap();
        }
    }
}

fn chunks(mut cases: Vec<Case>, size: usize) -> Vec<Vec<Case>> {
    let mut chunks = Vec::new();
    while !cases.is_empty() {
        chunks.push(cases.split_off(cases.len().saturating_sub(size)));
    }
    chunks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_fal_refuses_is_not_paid() {
    all(
        Way::FalPolling,
        vec![
            case(Fault::Unauthorized, Some("engine_auth"), 0),
            case(Fault::MalformedKey, Some("engine_auth"), 0),
            case(Fault::Locked, Some("engine_account_locked"), 0),
            case(Fault::ApplicationNotFound, Some("engine_failed"), 0),
            case(Fault::RejectedAtSubmit, Some("engine_rejected_input"), 0),
            // Refused for now: tried again, and then it works.
            case(Fault::RateLimited { retry_after: None }, None, 1),
            case(
                Fault::RateLimited {
                    retry_after: Some(1),
                },
                None,
                1,
            ),
            case(
                Fault::Gateway {
                    status: 503,
                    body: GatewayBody::Nginx,
                },
                None,
                1,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_of_unknown_fate_is_not_repeated_by_itself() {
    all(
        Way::FalPolling,
        vec![
            case(Fault::DropBeforeEnqueue, Some("submission_unknown"), 0),
            case(Fault::DropAfterEnqueue, Some("submission_unknown"), 1),
            case(Fault::SubmitGarbled, Some("submission_unknown"), 1),
            case(Fault::ServerError, Some("submission_unknown"), 0),
            case(
                Fault::Gateway {
                    status: 502,
                    body: GatewayBody::Json,
                },
                Some("submission_unknown"),
                0,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_tells_the_fate_of_a_submission_whose_answer_was_lost() {
    all(
        Way::FalWebhooks,
        vec![
            case(Fault::DropAfterEnqueue, None, 1),
            case(Fault::SubmitGarbled, None, 1),
            case(Fault::WebhookFirst, None, 1),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_says_why() {
    all(
        Way::FalPolling,
        vec![
            case(
                Fault::ModelError(ModelError::ContentPolicyViolation),
                Some("content_refused"),
                0,
            ),
            case(
                Fault::ModelError(ModelError::ImageTooSmall),
                Some("engine_rejected_image"),
                0,
            ),
            case(
                Fault::ModelError(ModelError::ImageTooLarge),
                Some("engine_rejected_image"),
                0,
            ),
            case(
                Fault::ModelError(ModelError::ImageLoadError),
                Some("engine_rejected_image"),
                0,
            ),
            case(
                Fault::ModelError(ModelError::FileDownloadError),
                Some("engine_rejected_image"),
                0,
            ),
            case(Fault::DetailString, Some("engine_rejected_input"), 0),
            // fal itself says that this one is not worth a second run.
            case(
                Fault::ModelError(ModelError::InternalServerError),
                Some("engine_failed"),
                0,
            ),
            // Not billed and likely to pass: run again.
            case(
                Fault::RequestError(RequestError::RunnerDisconnected),
                None,
                1,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_cannot_be_asked_for_a_while_is_asked_again() {
    all(
        Way::FalPolling,
        vec![
            case(
                Fault::StatusErrors {
                    status: 500,
                    times: 2,
                },
                None,
                1,
            ),
            case(
                Fault::ResultErrors {
                    status: 503,
                    times: 2,
                },
                None,
                1,
            ),
            case(Fault::ResultCut, None, 1),
            case(Fault::Forgotten, Some("engine_lost_request"), 1),
            case(Fault::ResultExpired, Some("engine_result_expired"), 1),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_checked_before_a_job_is_complete() {
    all(
        Way::FalPolling,
        vec![
            case(Fault::EmptyImages, Some("engine_no_layers"), 1),
            case(Fault::FewerImages { by: 1 }, None, 1),
            case(Fault::MoreImages { by: 2 }, None, 1),
            case(Fault::SourceFrameFirst, None, 1),
            case(Fault::MissingFileFields, None, 1),
            case(Fault::DataUris, None, 1),
            case(Fault::LayerNotAnImage, Some("engine_bad_layer"), 1),
            case(Fault::LayerNotFound, Some("engine_bad_layer"), 1),
            case(Fault::LayerDrips, Some("engine_bad_layer"), 1),
            case(Fault::LayerErrors { times: 2 }, None, 1),
            case(
                Fault::LayerHuge {
                    bytes: 1 << 30,
                    declared: true,
                },
                Some("engine_bad_layer"),
                1,
            ),
            case(
                Fault::LayerHuge {
                    bytes: 1 << 30,
                    declared: false,
                },
                Some("engine_bad_layer"),
                1,
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_webhook_can_do_harm() {
    all(
        Way::FalWebhooks,
        vec![
            case(Fault::WebhookTwice, None, 1),
            case(Fault::WebhookRotatedKey, None, 1),
            case(Fault::WebhookNullPayload, None, 1),
            // None of these is believed or comes at all; the safety poll finds the result.
            case(Fault::WebhookForged, None, 1),
            case(Fault::WebhookStale, None, 1),
            case(Fault::WebhookUnsigned, None, 1),
            case(Fault::WebhookNever, None, 1),
            case(Fault::WebhookUnknownJob, None, 1),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_repeats_the_source_is_dropped() {
    let emulator = Emulator::start(EmulatorConfig::default()).await.unwrap();
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    emulator.script(Fault::SourceFrameFirst);
    let job = app.split(json!({ "num_layers": 3 })).await;
    assert_eq!(job["layers"].as_array().map(Vec::len), Some(3), "{job}");
    app.stop().await;
    emulator.stop().await;
}
