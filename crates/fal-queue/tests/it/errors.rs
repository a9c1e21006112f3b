//! Every error type and every error body that fal is known for, over the wire.

use std::collections::HashSet;
use std::time::Duration;

use fal_queue::{Class, Client, Detail, Error, ErrorType};
use serde_json::{Value, json};

use crate::server::{Reply, Server, reply};
use crate::{client, model};

/// A server with an empty script and a client of it; making a client is the slow part.
struct Asked {
    server: Server,
    client: Client,
}

impl Asked {
    async fn start() -> Self {
        let server = Server::start([]).await;
        let client = client(&server.url);
        Self { server, client }
    }

    async fn failed(&self, answer: Reply) -> Error {
        self.server.push(answer);
        let result = self.client.result::<Value>(&model(), "r").await;
        result.expect_err("the answer is an error")
    }
}

async fn failed(answer: Reply) -> Error {
    Asked::start().await.failed(answer).await
}

/// Model errors: name, status, and whether another run may help when no header says so.
const MODEL: &[(&str, u16, bool)] = &[
    ("internal_server_error", 500, true),
    ("generation_timeout", 504, true),
    ("downstream_service_error", 500, true),
    ("downstream_service_unavailable", 500, true),
    ("content_policy_violation", 422, false),
    ("image_too_small", 422, false),
    ("image_too_large", 422, false),
    ("image_load_error", 422, false),
    ("file_download_error", 422, false),
    ("face_detection_error", 422, false),
    ("file_too_large", 422, false),
    ("greater_than", 422, false),
    ("greater_than_equal", 422, false),
    ("less_than", 422, false),
    ("less_than_equal", 422, false),
    ("multiple_of", 422, false),
    ("sequence_too_short", 422, false),
    ("sequence_too_long", 422, false),
    ("one_of", 422, false),
    ("feature_not_supported", 422, false),
    ("invalid_archive", 422, false),
    ("archive_file_count_below_minimum", 422, false),
    ("archive_file_count_exceeds_maximum", 422, false),
    ("audio_duration_too_long", 422, false),
    ("audio_duration_too_short", 422, false),
    ("video_duration_too_long", 422, false),
    ("video_duration_too_short", 422, false),
    ("unsupported_image_format", 422, false),
    ("unsupported_audio_format", 422, false),
    ("unsupported_video_format", 422, false),
    ("no_media_generated", 422, false),
    ("missing", 422, false),
    ("value_error", 422, false),
    ("input_value_error", 422, false),
];

/// Request errors: name, status, class.
const REQUEST: &[(&str, u16, Class)] = &[
    ("request_timeout", 504, Class::Retryable),
    ("startup_timeout", 504, Class::Retryable),
    ("runner_scheduling_failure", 503, Class::Retryable),
    ("runner_connection_timeout", 503, Class::Retryable),
    ("runner_disconnected", 503, Class::Retryable),
    ("runner_connection_refused", 503, Class::Retryable),
    ("runner_connection_error", 503, Class::Retryable),
    ("runner_incomplete_response", 502, Class::Retryable),
    ("runner_server_error", 500, Class::Retryable),
    ("internal_error", 500, Class::Retryable),
    ("client_disconnected", 499, Class::Cancelled),
    ("client_cancelled", 499, Class::Cancelled),
    ("bad_request", 400, Class::Permanent),
];

#[test]
fn the_two_tables_are_all_the_types_there_are() {
    let listed = MODEL
        .iter()
        .map(|row| row.0)
        .chain(REQUEST.iter().map(|row| row.0));
    let listed: HashSet<&str> = listed.collect();
    let known: HashSet<&str> = ErrorType::KNOWN.iter().map(ErrorType::as_str).collect();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn every_model_error_is_read_and_classified() {
    let asked = Asked::start().await;
    for &(name, status, again) in MODEL {
        let body = json!({"detail": [{
            "loc": ["body", "image_url"], "msg": "some sentence", "type": name,
            "url": format!("https://docs.fal.ai/errors/#{name}"),
            "ctx": {"max_size": 10}, "input": "https://example.com/a.png",
        }]});
        let error = asked.failed(reply(status, &body)).await;
        assert!(matches!(error, Error::Model(_)), "{name}: {error}");
        assert!(error.describes_run());
        assert_eq!(error.error_type().unwrap().as_str(), name);
        assert_eq!(
            error.error_type().unwrap().documented_status(),
            Some(status)
        );
        let expected = if again {
            Class::Retryable
        } else {
            Class::Permanent
        };
        assert_eq!(error.class(), expected, "{name}");
        // A header overrules the table, under either name and spelling.
        for (header, value, class) in [
            ("x-fal-retryable", "true", Class::Retryable),
            ("x-fal-needs-retry", "1", Class::Retryable),
            ("X-Fal-Retryable", "false", Class::Permanent),
            ("x-fal-needs-retry", "False", Class::Permanent),
            ("x-fal-retryable", "perhaps", expected),
        ] {
            let error = asked.failed(reply(status, &body).with(header, value)).await;
            assert_eq!(error.class(), class, "{name} with {header}: {value}");
        }
    }
}

#[tokio::test]
async fn every_request_error_is_read_from_body_or_header() {
    let asked = Asked::start().await;
    for &(name, status, class) in REQUEST {
        let in_body = reply(
            status,
            json!({"detail": "some sentence", "error_type": name}),
        );
        let in_header =
            reply(status, json!({"detail": "some sentence"})).with("x-fal-error-type", name);
        for answer in [in_body, in_header] {
            let error = asked.failed(answer).await;
            let fits = match class {
                Class::Cancelled => matches!(error, Error::Cancelled(_)),
                _ => matches!(error, Error::Request(_)),
            };
            assert!(fits, "{name}: {error:?}");
            assert!(error.describes_run());
            assert_eq!(error.error_type().unwrap().as_str(), name);
            assert_eq!(
                error.error_type().unwrap().documented_status(),
                Some(status)
            );
            assert_eq!(error.class(), class, "{name}");
        }
    }
}

#[tokio::test]
async fn items_keep_what_helps_and_lose_the_echo() {
    let picture = "iVBORw0KGgo".repeat(10_000);
    let body = json!({"detail": [
        {"loc": ["body", "images", 0, "url"], "msg": "too small", "type": "image_too_small",
         "ctx": {"min_height": 256, "min_width": 256, "note": picture}, "input": picture},
        {"loc": ["body", "num_layers"], "msg": "too many", "type": "less_than_equal", "ctx": {"le": 10}},
    ]});
    let error = failed(reply(422, &body)).await;
    let Detail::Items(items) = &error.failure().unwrap().detail else {
        panic!("no items: {error:?}");
    };
    assert_eq!(items[0].loc, ["body", "images", "0", "url"]);
    assert_eq!(items[0].ctx["min_height"], json!(256));
    assert_eq!(items[1].error_type, Some(ErrorType::LessThanEqual));
    assert!(format!("{error:?}").len() < 1500, "{error:?}");
    assert_eq!(
        error.to_string(),
        "the model failed (HTTP 422, image_too_small)"
    );
    assert_eq!(
        error.failure().unwrap().message(),
        "too small (image_too_small at body.images.0.url); \
         too many (less_than_equal at body.num_layers)"
    );
}

#[tokio::test]
async fn plain_framework_items_are_read_too() {
    let asked = Asked::start().await;
    for item in [
        json!({"loc": ["body", "image_url"], "msg": "field required", "type": "value_error.missing"}),
        json!({"loc": ["body", "image_url"], "msg": "Field required", "type": "missing", "input": {}}),
    ] {
        let error = asked.failed(reply(422, json!({"detail": [item]}))).await;
        assert_eq!(error.error_type(), Some(&ErrorType::Missing));
        assert_eq!(error.class(), Class::Permanent);
    }
    for item in [
        json!({}),
        json!({"loc": "body", "msg": null, "type": 7, "ctx": "x"}),
    ] {
        let error = asked.failed(reply(422, json!({"detail": [item]}))).await;
        assert!(matches!(error, Error::Model(_)), "{error:?}");
        assert_eq!(
            (error.error_type(), error.class()),
            (None, Class::Permanent)
        );
    }
    let unknown = json!({"detail": [{"loc": [], "msg": "m", "type": "brand_new"}]});
    let error = asked.failed(reply(500, &unknown)).await;
    assert_eq!(
        error.error_type(),
        Some(&ErrorType::Other("brand_new".into()))
    );
    assert_eq!(
        error.class(),
        Class::Retryable,
        "an unknown type leaves the decision to the status"
    );
}

#[tokio::test]
async fn a_service_behind_the_model_is_judged_by_its_status() {
    let asked = Asked::start().await;
    let body = json!({"detail": [{"loc": [], "msg": "m", "type": "downstream_service_error"}]});
    for (status, class) in [(400, Class::Permanent), (500, Class::Retryable)] {
        let error = asked.failed(reply(status, &body)).await;
        assert_eq!(error.class(), class, "{status}");
    }
}

#[tokio::test]
async fn one_hopeless_item_makes_the_whole_hopeless() {
    let body = json!({"detail": [
        {"loc": [], "msg": "a", "type": "internal_server_error"},
        {"loc": [], "msg": "b", "type": "content_policy_violation"},
    ]});
    assert_eq!(failed(reply(500, body)).await.class(), Class::Permanent);
}

#[tokio::test]
async fn a_422_with_a_sentence_is_permanent() {
    let error = failed(reply(422, json!({"detail": "Unprocessable"}))).await;
    assert!(matches!(&error, Error::Http(f) if f.detail == Detail::Text("Unprocessable".into())));
    assert_eq!(error.class(), Class::Permanent);
}

#[tokio::test]
async fn the_key_and_the_account_have_classes_of_their_own() {
    let asked = Asked::start().await;
    for (status, text, class) in [
        (401, "No user found for Key ID and Secret", Class::Auth),
        (
            401,
            "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
            Class::Auth,
        ),
        (
            403,
            "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
            Class::Locked,
        ),
        (
            403,
            "User is locked. Reason: Admin lock. Please contact support@fal.ai",
            Class::Locked,
        ),
        (403, "User is locked. Reason: TOP_UP.", Class::Locked),
        (403, "Exhausted balance", Class::Locked),
        (402, "Payment required", Class::Locked),
        (403, "The key has no scope for this", Class::Auth),
        (403, "Access is blocked by policy", Class::Auth),
    ] {
        let error = asked.failed(reply(status, json!({"detail": text}))).await;
        assert_eq!(error.class(), class, "{text}");
        assert!(!error.describes_run());
    }
    let error = asked.failed(reply(403, "")).await;
    assert!(matches!(error, Error::Forbidden(_)), "{error}");
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let asked = Asked::start().await;
    let error = asked
        .failed(reply(429, json!({"detail": "slow down"})).with("retry-after", "7"))
        .await;
    assert!(matches!(error, Error::RateLimited(_)), "{error}");
    assert_eq!(error.class(), Class::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    // A date counts from the answer's own date.
    let error = asked
        .failed(
            reply(429, "")
                .with("date", "Wed, 21 Oct 2015 07:28:00 GMT")
                .with("retry-after", "Wed, 21 Oct 2015 07:29:30 GMT"),
        )
        .await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    for (odd, expected) in [
        ("soon", None),
        ("-5", None),
        ("Wed, 21 Oct 1998 07:28:00 GMT", Some(Duration::ZERO)),
        ("999999999999", Some(Duration::from_secs(86_400))),
    ] {
        let error = asked.failed(reply(503, "").with("retry-after", odd)).await;
        assert_eq!(error.retry_after(), expected, "{odd}");
    }
}

#[tokio::test]
async fn a_start_time_out_of_the_callers_own_is_final() {
    let body = json!({"detail": "Request timed out", "error_type": "request_timeout"});
    let own = reply(504, &body)
        .with("x-fal-request-timeout-type", "user")
        .with("x-fal-needs-retry", "1");
    let error = failed(own).await;
    assert!(error.failure().unwrap().user_timeout);
    assert_eq!(error.class(), Class::Permanent);
    let error = failed(reply(504, &body).with("x-fal-request-timeout-type", "system")).await;
    assert!(!error.failure().unwrap().user_timeout);
    assert_eq!(error.class(), Class::Retryable);
}

#[tokio::test]
async fn an_answer_of_a_proxy_is_kept_short() {
    let asked = Asked::start().await;
    let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body>\r\n</html>";
    let error = asked
        .failed(reply(502, page).with("content-type", "text/html"))
        .await;
    assert!(
        matches!(&error, Error::Http(f) if matches!(&f.detail, Detail::Unreadable(t) if t.contains("nginx")))
    );
    assert_eq!(error.class(), Class::Retryable);
    assert!(!error.to_string().contains('\n'));
    let error = asked.failed(reply(500, "why ".repeat(10_000))).await;
    assert!(error.to_string().len() < 400, "{error}");
    for body in [
        "",
        "null",
        "\"Unauthorized\"",
        "{}",
        "[]",
        r#"{"detail": {}}"#,
        r#"{"detail": []}"#,
        "\u{0}\u{1}",
    ] {
        let error = asked.failed(reply(500, body)).await;
        assert!(matches!(error, Error::Http(_)), "{body}: {error:?}");
    }
    for name in ["message", "error"] {
        let error = asked
            .failed(reply(500, json!({ name: "in other words" })))
            .await;
        assert_eq!(error.failure().unwrap().message(), "in other words");
    }
}

#[tokio::test]
async fn the_status_decides_where_nothing_else_does() {
    let asked = Asked::start().await;
    for (status, class) in [
        (400, Class::Permanent),
        (405, Class::Permanent),
        (408, Class::Retryable),
        (409, Class::Retryable),
        (413, Class::Permanent),
        (499, Class::Cancelled),
        (500, Class::Retryable),
        (503, Class::Retryable),
        (520, Class::Retryable),
    ] {
        assert_eq!(
            asked.failed(reply(status, "")).await.class(),
            class,
            "{status}"
        );
    }
}
