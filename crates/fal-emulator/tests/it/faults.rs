//! Every fault in the list does something, does it once, and leaves the next request alone.

use std::collections::HashSet;

use fal_emulator::{
    Config, EchoAt, EchoShape, Fault, GatewayBody, MODEL, ModelError, RequestError, Stage,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, body, input, prompted, request_path};

#[test]
fn every_fault_has_a_name_of_its_own_and_survives_json() {
    let mut names = HashSet::new();
    for fault in Fault::all() {
        let name = fault.name();
        assert!(!name.is_empty() && names.insert(name.clone()), "{name}");
        let text = serde_json::to_string(&fault).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Fault>(&text).expect("a fault"),
            fault
        );
        assert_eq!(Fault::by_name(&name), Some(fault));
    }
}

/// The names of all variants, from the mouth of the deserialiser.
fn variants() -> HashSet<String> {
    let error = serde_json::from_str::<Fault>("\"no_such_fault\"").expect_err("no such fault");
    let text = error.to_string();
    let quoted = text.split('`').skip(3).step_by(2);
    quoted.map(str::to_owned).collect()
}

#[test]
fn the_list_of_faults_leaves_none_out() {
    let listed: HashSet<String> = Fault::all()
        .iter()
        .map(|fault| match serde_json::to_value(fault).expect("JSON") {
            Value::String(name) => name,
            Value::Object(fields) => fields.keys().next().expect("a name").clone(),
            other => panic!("{other}"),
        })
        .collect();
    assert!(listed.len() > 40);
    assert_eq!(listed, variants());
}

#[test]
fn the_readme_explains_every_fault() {
    let readme = include_str!("../../README.md");
    for name in variants() {
        assert!(
            readme.contains(&format!("`{name}`")),
            "{name} is not explained"
        );
    }
}

#[tokio::test]
async fn refusing_faults_enqueue_nothing_and_bill_nothing() {
    let bench = Bench::start().await;
    let refusing = Fault::all().into_iter();
    for fault in refusing.filter(|fault| fault.stage() == Some(Stage::Refused)) {
        bench.emulator.script(fault.clone());
        let path = format!("/{MODEL}");
        let answered = bench.call(Method::POST, &path).json(&input()).send().await;
        let expected = match &fault {
            Fault::Unauthorized | Fault::MalformedKey => 401,
            Fault::Locked => 403,
            Fault::ApplicationNotFound => 404,
            Fault::RateLimited { .. } => 429,
            Fault::RejectedAtSubmit | Fault::Echo { .. } => 422,
            Fault::ServerError => 500,
            Fault::Gateway { status, .. } => *status,
            Fault::DropBeforeEnqueue => {
                assert!(answered.is_err());
                continue;
            }
            other => panic!("{other:?} is not a refusal"),
        };
        let answered = answered.expect("an answer");
        assert_eq!(answered.status(), expected, "{fault:?}");
        let named = answered.headers().contains_key("x-fal-request-id");
        match &fault {
            Fault::Gateway { body, .. } => assert_eq!(named, *body == GatewayBody::Json),
            Fault::RateLimited { retry_after } => {
                let header = answered.headers().get("retry-after");
                let seconds = header.map(|value| value.to_str().expect("ASCII").parse::<u32>());
                assert_eq!(seconds.transpose().expect("a number"), *retry_after);
            }
            _ => assert!(named, "{fault:?}"),
        }
    }
    assert_eq!(bench.emulator.submissions_count(), 0);
    assert!(bench.emulator.counters().attempts > 15);
    bench.submit(&input()).await;
}

#[tokio::test]
async fn failing_faults_end_as_completed_with_an_error() {
    let bench = Bench::start().await;
    let failing: Vec<_> = Fault::all()
        .into_iter()
        .filter(|fault| fault.stage() == Some(Stage::Failure))
        .collect();
    assert_eq!(
        failing.len(),
        4 + ModelError::ALL.len() + RequestError::ALL.len()
    );
    for fault in failing {
        bench.emulator.script(fault.clone());
        let submitted = bench.submit(&input()).await;
        let id = submitted["request_id"].as_str().expect("an id");
        bench.emulator.complete(id).await;
        let status = bench
            .get(&format!("{}/status", request_path(&submitted)))
            .await;
        assert_eq!(status.status(), 200);
        let status = body(status).await;
        assert_eq!(status["status"], "COMPLETED");
        assert!(status["error"].is_string());
        let result = bench.get(&request_path(&submitted)).await;
        assert_eq!(result.headers()["x-fal-billable-units"], "0");
        let code = result.status().as_u16();
        let kind = result.headers().get("x-fal-error-type").cloned();
        let told = body(result).await;
        match fault {
            Fault::ModelError(error) => {
                assert_eq!(code, error.status());
                assert_eq!(told["detail"][0]["type"], error.name());
                assert_eq!(told["detail"][0]["loc"][0], "body");
                assert_eq!(status["error_type"], error.name());
            }
            Fault::RequestError(error) => {
                assert_eq!(code, error.status());
                assert!(told["detail"].is_string());
                assert_eq!(told["error_type"], error.name());
                assert_eq!(kind.expect("the header"), error.name());
                assert_eq!(status["error_type"], error.name());
            }
            Fault::StartTimeout => assert_eq!(code, 504),
            Fault::DetailString => {
                assert_eq!(code, 422);
                assert!(told["detail"].is_string());
            }
            Fault::Echo { .. } => assert_eq!(code, 422),
            Fault::PlainDetail => {
                assert_eq!(code, 422);
                assert_eq!(told["detail"][0].get("url"), None);
            }
            other => panic!("{other:?} is not a failure"),
        }
    }
    assert_eq!(bench.emulator.billable_units(), 0);
}

#[tokio::test]
async fn reading_can_fail_a_few_times() {
    let bench = Bench::start().await;
    bench.emulator.script_together([
        Fault::StatusErrors {
            status: 500,
            times: 2,
        },
        Fault::ResultErrors {
            status: 503,
            times: 1,
            retry_after: Some(7),
        },
        Fault::ResultCut,
    ]);
    let submitted = bench.submit(&input()).await;
    bench.emulator.wait_for_completed(1).await;
    let path = request_path(&submitted);
    for expected in [500, 500, 200, 200] {
        assert_eq!(
            bench.get(&format!("{path}/status")).await.status(),
            expected
        );
    }
    let failed = bench.get(&path).await;
    assert_eq!(failed.status(), 503);
    assert_eq!(failed.headers()["retry-after"], "7");
    assert!(bench.get(&path).await.bytes().await.is_err());
    assert_eq!(
        body(bench.get(&path).await).await["images"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

#[tokio::test]
async fn a_result_can_lie_and_a_file_can_come_late() {
    let bench = Bench::start().await;
    bench.emulator.script_together([
        Fault::ResultLies {
            kind: RequestError::InternalError,
            times: 1,
        },
        Fault::LayerMissing { times: 1 },
        Fault::LayerGarbled { times: 1 },
    ]);
    let submitted = bench.submit(&input()).await;
    bench.emulator.wait_for_completed(1).await;
    let path = request_path(&submitted);
    let status = body(bench.get(&format!("{path}/status")).await).await;
    assert!(status.get("error").is_none(), "{status}");
    let lie = bench.get(&path).await;
    assert_eq!(lie.status(), 500);
    assert_eq!(body(lie).await["error_type"], "internal_error");
    let output = body(bench.get(&path).await).await;
    let last = output["images"][3]["url"].as_str().expect("a URL");
    // The later fault of the two is the one that counts.
    let garbled = bench.get(last).await;
    assert_eq!(garbled.status(), 200);
    assert!(garbled.text().await.expect("a text").contains("moment"));
    assert_eq!(bench.get(last).await.headers()["content-type"], "image/png");
}

#[tokio::test]
async fn every_answer_can_repeat_the_prompt_in_every_shape() {
    let bench = Bench::start().await;
    for shape in EchoShape::ALL {
        for at in EchoAt::ALL {
            let (at, shape) = (*at, *shape);
            bench.emulator.script(Fault::Echo { at, shape });
            let call = bench.call(Method::POST, &format!("/{MODEL}"));
            let answered = call.json(&prompted("lighthouse")).send().await;
            let answered = answered.expect("an answer");
            let said = if at == EchoAt::Submit {
                answered.text().await.expect("a text")
            } else {
                let submitted = body(answered).await;
                let id = submitted["request_id"].as_str().expect("an id");
                bench.emulator.complete(id).await;
                let path = request_path(&submitted);
                let status = bench.get(&format!("{path}/status?logs=1")).await;
                let result = bench.get(&path).await;
                let mut said = status.text().await.expect("a text");
                if at != EchoAt::Status {
                    said = result.text().await.expect("a text");
                }
                said
            };
            assert!(said.contains("lighthouse"), "{at:?} {shape:?}: {said}");
        }
    }
}

#[tokio::test]
async fn a_cancellation_can_be_answered_as_the_generated_description_says() {
    let bench = Bench::with(Config {
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    bench.emulator.script(Fault::CancelSuccess);
    let submitted = bench.submit(&input()).await;
    let path = format!("{}/cancel", request_path(&submitted));
    let answered = bench.put(&path).await;
    assert_eq!(answered.status(), 200);
    assert_eq!(body(answered).await, json!({"success": true}));
    assert_eq!(bench.put(&path).await.status(), 400);
}

#[tokio::test]
async fn requests_and_results_can_be_forgotten() {
    let bench = Bench::start().await;
    bench
        .emulator
        .script_many([Fault::Forgotten, Fault::ResultExpired]);
    let forgotten = request_path(&bench.submit(&input()).await);
    let expired = request_path(&bench.submit(&input()).await);
    bench.emulator.wait_for_completed(2).await;
    for path in [
        forgotten.clone(),
        format!("{forgotten}/status"),
        format!("{forgotten}/status/stream"),
    ] {
        assert_eq!(bench.get(&path).await.status(), 404);
    }
    assert_eq!(
        bench.put(&format!("{forgotten}/cancel")).await.status(),
        404
    );
    assert_eq!(bench.get(&format!("{expired}/status")).await.status(), 200);
    assert_eq!(bench.get(&expired).await.status(), 404);
    assert_eq!(bench.emulator.billable_units(), 2);
}

#[tokio::test]
async fn a_cancellation_can_come_too_late() {
    let bench = Bench::with(Config {
        hold: true,
        ..Config::default()
    });
    let bench = bench.await;
    bench.emulator.script(Fault::CancelIgnored);
    let submitted = bench.submit(&input()).await;
    let path = request_path(&submitted);
    assert_eq!(bench.put(&format!("{path}/cancel")).await.status(), 202);
    bench
        .emulator
        .complete(submitted["request_id"].as_str().expect("an id"))
        .await;
    assert_eq!(bench.get(&path).await.status(), 200);
    assert_eq!(bench.emulator.billable_units(), 1);
    assert!(bench.emulator.cancelled().is_empty());
}

#[tokio::test]
async fn an_answer_can_wait_until_it_is_released() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::SubmitHeld);
    let client = bench
        .call(Method::POST, &format!("/{MODEL}"))
        .json(&input());
    let answered = tokio::spawn(client.send());
    let seen = bench.emulator.wait_for_submissions(1).await;
    // The run goes on behind the missing answer.
    bench.emulator.wait_for_completed(1).await;
    assert!(!answered.is_finished());
    bench.emulator.release(&seen[0].request_id);
    let answered = answered.await.expect("no panic").expect("an answer");
    assert_eq!(body(answered).await["request_id"], seen[0].request_id);
}

#[tokio::test]
async fn an_answer_can_be_garbled_although_the_request_runs() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::SubmitGarbled);
    let answered = bench.post(&format!("/{MODEL}"), &input()).await;
    assert_eq!(answered.status(), 200);
    assert!(answered.json::<Value>().await.is_err());
    bench.emulator.wait_for_completed(1).await;
    assert_eq!(bench.emulator.billable_units(), 1);
}

#[tokio::test]
async fn prompts_choose_their_faults_by_marker_or_by_rule() {
    let bench = Bench::start().await;
    let (code, told) = bench
        .finish(&prompted("a cat [[emulator:content_policy_violation]]"))
        .await;
    assert_eq!(code, 422);
    assert_eq!(told["detail"][0]["type"], "content_policy_violation");
    assert_eq!(told["detail"][0]["loc"], json!(["body", "prompt"]));

    bench
        .emulator
        .script_for_prompt("poison", Fault::EmptyImages);
    for _ in 0..2 {
        let (_, told) = bench.finish(&prompted("a poison apple")).await;
        assert_eq!(told["images"], json!([]));
    }
    let (_, told) = bench.finish(&prompted("an apple")).await;
    assert_eq!(told["images"].as_array().map(Vec::len), Some(4));
    let seen = bench.emulator.requests();
    assert_eq!(seen[1].faults, ["empty_images"]);
    assert!(seen[3].faults.is_empty());
}
