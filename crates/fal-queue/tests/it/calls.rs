//! Status, result and cancel with every quirk that fal is known for.

use std::time::Duration;

use fal_queue::models::qwen_image_layered::Output;
use fal_queue::{CancelOutcome, Class, Client, Config, Error, ErrorType, LogLine, Metrics, Status};
use serde_json::{Value, json};

use crate::raw::{Act, Raw, nobody};
use crate::server::{Reply, Server, reply};
use crate::{client, config, model};

const ID: &str = "0190e7b1-0000-7000-8000-0123456789ab";

async fn status_of(answer: Reply) -> Result<Status, Error> {
    let server = Server::start([answer]).await;
    client(&server.url).status(&model(), ID, false).await
}

async fn result_of(answer: Reply) -> Result<fal_queue::Output<Value>, Error> {
    let server = Server::start([answer]).await;
    client(&server.url).result(&model(), ID).await
}

#[tokio::test]
async fn requests_live_under_owner_and_alias_whatever_the_sub_path() {
    let server = Server::start([
        reply(202, json!({"status": "IN_QUEUE"})),
        reply(202, json!({"status": "IN_QUEUE"})),
        reply(200, json!({})),
        reply(200, json!({"status": "OK"})),
    ])
    .await;
    let client = client(&server.url);
    let lora = "fal-ai/qwen-image-layered/lora".parse().unwrap();
    client.status(&lora, ID, false).await.unwrap();
    client.status(&lora, ID, true).await.unwrap();
    client.result::<Value>(&lora, ID).await.unwrap();
    client.cancel(&lora, ID).await.unwrap();
    let seen: Vec<_> = server
        .seen()
        .iter()
        .map(|s| format!("{} {}", s.method, s.target))
        .collect();
    let base = format!("/fal-ai/qwen-image-layered/requests/{ID}");
    assert_eq!(
        seen,
        [
            format!("GET {base}/status?logs=0"),
            format!("GET {base}/status?logs=1"),
            format!("GET {base}"),
            format!("PUT {base}/cancel"),
        ]
    );
    for seen in server.seen() {
        assert_eq!(
            seen.header("authorization"),
            Some("Key kid-1:ksecret-0123456789")
        );
    }
    assert_eq!(server.seen()[3].header("content-length"), Some("0"));
}

#[tokio::test]
async fn without_a_key_no_authorization_is_sent() {
    let server = Server::start([reply(200, json!({"status": "COMPLETED"}))]).await;
    let client = Client::new(Config {
        key: None,
        ..config(&server.url)
    })
    .unwrap();
    client.status(&model(), ID, false).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn an_id_that_could_lead_elsewhere_is_not_sent() {
    let client = client(&nobody().await);
    for id in ["", ".", "..", "a/b", "a?b", "a%2fb", "ü", &"a".repeat(201)] {
        let error = client.status(&model(), id, false).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{id}: {error}");
        assert_eq!(error.class(), Class::Permanent);
    }
}

#[tokio::test]
async fn a_waiting_request_has_a_position_or_not() {
    for (position, expected) in [
        (json!(3), Some(3)),
        (json!(null), None),
        (json!(-1), None),
        (json!("x"), None),
    ] {
        let body = json!({"status": "IN_QUEUE", "request_id": ID, "queue_position": position, "logs": null});
        assert_eq!(
            status_of(reply(202, body)).await.unwrap(),
            Status::InQueue { position: expected }
        );
    }
    let bare = status_of(reply(202, json!({"status": "IN_QUEUE"})))
        .await
        .unwrap();
    assert_eq!(bare, Status::InQueue { position: None });
}

#[tokio::test]
async fn a_running_request_has_log_lines_in_either_form() {
    let body = json!({"status": "IN_PROGRESS", "metrics": {}, "logs": [
        {"message": "step 1", "level": "INFO", "source": "USER", "timestamp": "2025-01-01T00:00:00.123456"},
        {"timestamp": "2025-01-01T00:00:01", "message": "step 2", "labels": {}},
        {"level": "INFO"},
        "text",
    ]});
    let line = |message: &str, level: Option<&str>, timestamp: &str| LogLine {
        message: message.into(),
        level: level.map(Into::into),
        timestamp: Some(timestamp.into()),
    };
    assert_eq!(
        status_of(reply(202, body)).await.unwrap(),
        Status::InProgress {
            logs: vec![
                line("step 1", Some("INFO"), "2025-01-01T00:00:00.123456"),
                line("step 2", None, "2025-01-01T00:00:01"),
            ]
        }
    );
    for logs in [json!(null), json!({}), json!("none")] {
        let body = json!({"status": "IN_PROGRESS", "logs": logs});
        assert_eq!(
            status_of(reply(202, body)).await.unwrap(),
            Status::InProgress { logs: vec![] }
        );
    }
}

#[tokio::test]
async fn completed_covers_success_and_failure() {
    let body = json!({"status": "COMPLETED", "logs": [], "metrics": {"inference_time": 12.5}, "response_url": null});
    assert_eq!(
        status_of(reply(200, body)).await.unwrap(),
        Status::Completed {
            error: None,
            error_type: None,
            logs: vec![],
            metrics: Metrics {
                inference_seconds: Some(12.5)
            },
        }
    );
    let body = json!({"status": "COMPLETED", "error": "Runner gone", "error_type": "runner_disconnected", "metrics": {"inference_time": null}});
    assert_eq!(
        status_of(reply(200, body)).await.unwrap(),
        Status::Completed {
            error: Some("Runner gone".into()),
            error_type: Some(ErrorType::RunnerDisconnected),
            logs: vec![],
            metrics: Metrics::default(),
        }
    );
    let body = json!({"status": "COMPLETED", "error": {"detail": "odd"}, "error_type": null});
    let Status::Completed { error, .. } = status_of(reply(200, body)).await.unwrap() else {
        panic!("not completed");
    };
    assert_eq!(error.as_deref(), Some(r#"{"detail":"odd"}"#));
}

#[tokio::test]
async fn the_code_speaks_where_the_body_is_silent() {
    let done = status_of(reply(200, json!({"request_id": ID})))
        .await
        .unwrap();
    assert!(
        matches!(done, Status::Completed { error: None, .. }),
        "{done:?}"
    );
    for body in [json!({"request_id": ID}), json!({"status": "WARMING_UP"})] {
        let pending = status_of(reply(202, body)).await.unwrap();
        assert_eq!(pending, Status::InProgress { logs: vec![] });
    }
    // The body wins over the code where both speak.
    let waiting = status_of(reply(
        200,
        json!({"status": "IN_QUEUE", "queue_position": 0}),
    ))
    .await
    .unwrap();
    assert_eq!(waiting, Status::InQueue { position: Some(0) });
    let error = status_of(reply(200, json!({"status": "EXPLODED"})))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexpected(_)), "{error}");
    let error = status_of(reply(200, "<html>")).await.unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
}

#[tokio::test]
async fn a_result_comes_with_its_id_and_its_price() {
    let output = json!({"images": [], "seed": 17454220438242315174_u64});
    let answer = reply(200, &output)
        .with("x-fal-request-id", ID)
        .with("x-fal-billable-units", "1.5");
    let result = result_of(answer).await.unwrap();
    assert_eq!(result.value, output);
    assert_eq!(result.request_id.as_deref(), Some(ID));
    assert_eq!(result.billable_units, Some(1.5));
    for odd in ["", "many", "inf", "NaN"] {
        let answer = reply(200, "{}").with("x-fal-billable-units", odd);
        assert_eq!(
            result_of(answer).await.unwrap().billable_units,
            None,
            "{odd}"
        );
    }
    // JSON under another media type is JSON all the same.
    let server = Server::start([reply(200, "[1]").with("content-type", "text/plain")]).await;
    let result = client(&server.url)
        .result::<Vec<u8>>(&model(), ID)
        .await
        .unwrap();
    assert_eq!((result.value, result.request_id), (vec![1], None));
}

#[tokio::test]
async fn an_output_is_read_however_bare_or_odd_it_is() {
    let body = json!({
        "images": [
            {"url": "https://v3b.fal.media/files/b/0a1b2c3d/x.png", "content_type": "image/png",
             "file_name": "x.png", "file_size": 1234, "width": 640, "height": 480},
            {"url": "data:image/png;base64,AAAA", "file_name": null, "file_size": null, "width": 640.0, "height": "480"},
            {"url": "https://v3.fal.media/files/cat/y.png"},
        ],
        "seed": 17454220438242315174_u64,
        "timings": {"inference": 14.2},
        "has_nsfw_concepts": [false, true, false],
        "prompt": null,
        "brand_new_field": [],
    });
    let server = Server::start([
        reply(200, &body),
        reply(
            200,
            json!({"images": [], "seed": -1, "has_nsfw_concepts": null, "timings": []}),
        ),
    ])
    .await;
    let client = client(&server.url);
    let output = client.result::<Output>(&model(), ID).await.unwrap().value;
    assert_eq!(output.seed, Some(17454220438242315174));
    assert_eq!(output.has_nsfw_concepts, Some(vec![false, true, false]));
    assert_eq!(output.prompt, None);
    assert_eq!(output.timings.unwrap()["inference"], json!(14.2));
    let [first, second, third] = output.images.try_into().unwrap();
    assert_eq!(
        (first.width, first.height, first.file_size),
        (Some(640), Some(480), Some(1234))
    );
    assert_eq!((second.file_name.as_ref(), second.height), (None, None));
    assert_eq!(third.content_type, None);
    assert!(!format!("{second:?}").contains("AAAA"));
    let odd = client.result::<Output>(&model(), ID).await.unwrap().value;
    assert_eq!(
        (odd.seed, odd.has_nsfw_concepts, odd.timings),
        (None, None, None)
    );
}

#[tokio::test]
async fn a_result_asked_for_too_early_is_not_ready() {
    for (status, body) in [
        (400, json!({"detail": "Request is still in progress"})),
        (400, json!({"detail": "The request is not completed yet"})),
        (400, json!({"detail": "request IN_QUEUE"})),
        (
            400,
            json!({"detail": "Request is still in progress", "error_type": "bad_request"}),
        ),
        (202, json!({"status": "IN_PROGRESS"})),
    ] {
        let error = result_of(reply(status, &body)).await.unwrap_err();
        assert!(matches!(error, Error::NotReady(_)), "{body}: {error}");
        assert_eq!(error.class(), Class::NotReady);
    }
    // Another 400 is none of that.
    let error = result_of(reply(400, json!({"detail": "bad header"})))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Http(_)), "{error}");
    let progress_bar = json!({"detail": [{"loc": ["body"], "msg": "upload still in progress", "type": "downstream_service_error"}]});
    let error = result_of(reply(400, progress_bar)).await.unwrap_err();
    assert!(matches!(error, Error::Model(_)), "{error}");
}

#[tokio::test]
async fn an_unknown_or_expired_request_is_not_found() {
    for status in [404, 410] {
        let error = result_of(reply(status, json!({"detail": "Request not found"})))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{error}");
        let error = status_of(reply(status, "")).await.unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
    }
}

#[tokio::test]
async fn a_result_of_the_wrong_shape_is_permanent_and_a_cut_one_is_not() {
    let server = Server::start([reply(200, json!({"pictures": []}))]).await;
    let error = client(&server.url)
        .result::<Output>(&model(), ID)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexpected(_)), "{error}");
    assert_eq!(error.class(), Class::Permanent);
    let cut = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"images\": [{\"url\": \"htt".to_vec();
    let raw = Raw::start([Act::Say(cut)]).await;
    let error = client(&raw.url)
        .result::<Output>(&model(), ID)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Malformed(_)), "{error}");
    assert_eq!(error.class(), Class::Retryable);
}

#[tokio::test]
async fn an_answer_is_read_up_to_the_limit_only() {
    let exact = format!("\"{}\"", "x".repeat(998));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{exact} \r\n0\r\n\r\n",
        exact.len() + 1
    );
    let server = Server::start([reply(200, &exact), reply(200, format!("{exact} "))]).await;
    let small = |base| {
        Client::new(Config {
            max_answer_bytes: 1000,
            ..config(base)
        })
        .unwrap()
    };
    let client = small(&server.url);
    assert_eq!(
        client
            .result::<String>(&model(), ID)
            .await
            .unwrap()
            .value
            .len(),
        998
    );
    let error = client.result::<String>(&model(), ID).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000 }), "{error}");
    let raw = Raw::start([Act::Say(chunked.into_bytes())]).await;
    let error = small(&raw.url)
        .result::<String>(&model(), ID)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000 }), "{error}");
}

#[tokio::test]
async fn a_result_that_drips_ends_in_a_time_out() {
    let raw = Raw::start([Act::Drip(
        b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec(),
    )])
    .await;
    let client = Client::new(Config {
        request_timeout: Duration::from_secs(2),
        ..config(&raw.url)
    })
    .unwrap();
    let error = client.result::<Value>(&model(), ID).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
}

#[tokio::test]
async fn a_cancellation_has_four_outcomes_and_none_is_an_error() {
    use CancelOutcome::{AlreadyCompleted, NotFound, Ok as Gone, Requested};
    for (status, body, outcome) in [
        (200, json!({"status": "OK"}), Gone),
        (202, json!({"status": "CANCELLATION_REQUESTED"}), Requested),
        (200, json!({"status": "CANCELLATION_REQUESTED"}), Requested),
        (
            400,
            json!({"status": "ALREADY_COMPLETED"}),
            AlreadyCompleted,
        ),
        (404, json!({"status": "NOT_FOUND"}), NotFound),
        (404, json!({"detail": "Request not found"}), NotFound),
        (202, json!(null), Requested),
        (204, json!(null), Gone),
    ] {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let server = Server::start([reply(status, &body)]).await;
        let got = client(&server.url).cancel(&model(), ID).await.unwrap();
        assert_eq!(got, outcome, "{status} {body}");
    }
    for (status, class) in [
        (400, Class::Permanent),
        (401, Class::Auth),
        (500, Class::Retryable),
    ] {
        let server = Server::start([reply(status, json!({"detail": "no"}))]).await;
        let error = client(&server.url).cancel(&model(), ID).await.unwrap_err();
        assert_eq!(error.class(), class);
    }
}
