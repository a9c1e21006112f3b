//! fal's webhooks: signed by a real emulator, and everything that is not.

use fal_emulator::{Config, Emulator, SourceCheck};
use fal_queue::models::qwen_image_layered::{Input, MODEL};
use fal_queue::webhook::Verifier;
use fal_queue::{Client, SubmitOptions};
use tokio::net::TcpListener;

use super::*;
use crate::clock::SystemClock;
use crate::store::{QueueStore as _, SubmissionStore as _};

fn verifier(jwks_url: &str) -> Arc<Verifier> {
    let config = fal_queue::Config {
        jwks_url: jwks_url.parse().unwrap(),
        ..fal_queue::Config::default()
    };
    Arc::new(Verifier::new(&Client::new(config).unwrap()))
}

fn hook(job: &JobId, nonce: &Nonce) -> String {
    format!("/hooks/fal/{job}/{}", nonce.as_str())
}

async fn deliver(server: &TestServer, path: &str, body: &str) -> Answer {
    server
        .send(request("POST", path).body(body.to_owned().into()).unwrap())
        .await
}

/// An open submission of a new job, as after a crash between call and answer.
async fn open_submission(server: &TestServer) -> (JobId, Nonce) {
    let id = server.created().await;
    let lease = server.lease(Phase::Prepare).await;
    let output = StepOutput::Source(SourceInfo {
        media_type: MediaType::Png,
        width: 2,
        height: 2,
        bytes: 70,
    });
    server.apply(&lease, Phase::Submit, output, None).await;
    let nonce = Nonce::random();
    let now = server.clock.now();
    let opened = server
        .store
        .submission_open(
            &lease,
            &nonce,
            crate::store::Call::at(0),
            SpendCaps::default(),
            now.into(),
        )
        .await
        .unwrap();
    assert_eq!(opened, Opening::Opened);
    assert_eq!(
        server.store.lease_release(&lease).await.unwrap(),
        FencedWrite::Applied
    );
    (id, nonce)
}

async fn adopted(server: &TestServer) -> Option<RequestId> {
    let minute = Duration::from_secs(60);
    let now = server.clock.now();
    let claimed = server
        .store
        .job_claim("w", vec![Want::any(Stage::Submit, 1)], now, minute)
        .await
        .unwrap();
    claimed[0].submission.clone().unwrap().request
}

#[tokio::test]
async fn a_webhook_adopts_the_submission_whose_answer_was_lost() {
    let server = TestServer::new();
    let (id, nonce) = open_submission(&server).await;
    let answer = deliver(
        &server,
        &hook(&id, &nonce),
        r#"{"request_id":"r-7","status":"OK","payload":{}}"#,
    )
    .await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, serde_json::json!({"received": true}))
    );
    assert_eq!(adopted(&server).await, Some(RequestId("r-7".to_owned())));
}

#[tokio::test]
async fn a_webhook_for_an_unknown_job_or_nonce_is_received_and_changes_nothing() {
    let server = TestServer::new();
    let (id, _) = open_submission(&server).await;
    let body = r#"{"request_id":"r-7","status":"ERROR","error":"x"}"#;
    for path in [
        hook(&id, &Nonce::random()),
        hook(&JobId::new(T0), &Nonce::random()),
    ] {
        assert_eq!(deliver(&server, &path, body).await.status, StatusCode::OK);
    }
    assert_eq!(adopted(&server).await, None);
}

#[tokio::test]
async fn what_is_no_address_or_no_webhook_is_refused() {
    let server = TestServer::new();
    let (id, nonce) = open_submission(&server).await;
    let good = hook(&id, &nonce);
    assert_eq!(deliver(&server, "/hooks/fal/x/y", "{}").await.code().0, 404);
    for body in ["", "{}", "[]", r#"{"request_id":"","status":"OK"}"#] {
        let answer = deliver(&server, &good, body).await;
        assert_eq!(answer.code(), (400, "invalid_json".into()), "{body}");
    }
    let large = " ".repeat((1 << 20) + 1);
    assert_eq!(deliver(&server, &good, &large).await.code().0, 413);
    let strange = hook(&JobId::new(T0), &Nonce::random());
    let large = " ".repeat((64 << 10) + 1);
    assert_eq!(deliver(&server, &strange, &large).await.code().0, 413);
}

/// A body of which no byte may be asked for.
fn untouchable() -> Body {
    Body::from_stream(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<Result<Bytes, std::convert::Infallible>>> {
            panic!("the body was read")
        },
    ))
}

#[tokio::test]
async fn what_its_headers_refuse_is_not_read() {
    let verifier = verifier("http://127.0.0.1:9/jwks.json");
    let server = TestServer::with(|state| state.webhooks = Some(verifier));
    let (id, nonce) = open_submission(&server).await;
    for path in [hook(&id, &nonce), hook(&id, &Nonce::random())] {
        let unsigned = request("POST", &path).body(untouchable()).unwrap();
        assert_eq!(server.send(unsigned).await.status, 401);
        let stale = request("POST", &path)
            .header("x-fal-webhook-request-id", "r")
            .header("x-fal-webhook-user-id", "u")
            .header("x-fal-webhook-timestamp", 0)
            .header("x-fal-webhook-signature", "00".repeat(64));
        let answer = server.send(stale.body(untouchable()).unwrap()).await;
        assert_eq!(answer.status, 403);
    }
}

#[tokio::test]
async fn a_stranger_s_body_is_taken_where_no_memory_is_left_and_fal_s_must_wait() {
    let server = TestServer::with(|state| state.bodies = BodyBudget::new(0));
    let (id, nonce) = open_submission(&server).await;
    let body = r#"{"request_id":"r-7","status":"OK"}"#;
    let strange = hook(&id, &Nonce::random());
    assert_eq!(deliver(&server, &strange, body).await.status, 200);
    let answer = deliver(&server, &hook(&id, &nonce), body).await;
    assert_eq!(answer.code(), (503, "server_busy".into()));
}

#[tokio::test]
async fn a_signed_webhook_of_the_emulator_is_taken_and_a_changed_one_is_not() {
    let emulator = Emulator::start(Config {
        source_check: SourceCheck::Skip,
        ..Config::default()
    })
    .await
    .unwrap();
    let verifier = verifier(&emulator.jwks_url());
    // The emulator signs with the time of day.
    let now = SystemClock::default().now();
    let server = TestServer::at(now, |state| state.webhooks = Some(verifier));
    let (id, nonce) = open_submission(&server).await;
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits::default();
    let served = tokio::spawn(serve(
        listener,
        server.router.clone(),
        limits,
        BodyBudget::new(1 << 20),
        crate::metrics::RequestMetrics::default(),
        stop.clone(),
    ));

    let client = Client::new(fal_queue::Config {
        queue_url: emulator.queue_url().parse().unwrap(),
        ..fal_queue::Config::with_key(emulator.key())
    })
    .unwrap();
    let options = SubmitOptions {
        webhook_url: Some(
            format!("http://{address}{}", hook(&id, &nonce))
                .parse()
                .unwrap(),
        ),
        ..SubmitOptions::default()
    };
    let input = Input::new("https://example.com/a.png");
    let submitted = client
        .submit(&MODEL.parse().unwrap(), &input, &options)
        .await
        .unwrap();
    let delivered = emulator.wait_for_webhooks(1).await;
    assert_eq!(delivered[0].status, Some(200), "{:?}", delivered[0]);
    assert_eq!(
        adopted(&server).await,
        Some(RequestId(submitted.request_id))
    );

    let forged = request("POST", &hook(&id, &nonce))
        .header("x-fal-webhook-request-id", "r")
        .header("x-fal-webhook-user-id", "u")
        .header("x-fal-webhook-timestamp", now.as_secs())
        .header("x-fal-webhook-signature", "00".repeat(64));
    let body = r#"{"request_id":"r","status":"OK"}"#;
    let answer = server.send(forged.body(body.into()).unwrap()).await;
    assert_eq!(answer.code(), (403, "webhook_signature_invalid".into()));

    stop.cancel();
    served.await.unwrap();
    emulator.stop().await;
}

/// The answers with the codes of webhooks, for the table of codes.
pub(super) async fn codes(seen: &mut impl FnMut(&Answer)) {
    // Nothing listens on this port, which was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let verifier = verifier(&format!("http://{free}/jwks.json"));
    let server = TestServer::with(|state| state.webhooks = Some(verifier));
    let path = hook(&JobId::new(T0), &Nonce::random());
    let body = r#"{"request_id":"r","status":"OK"}"#;
    seen(&deliver(&server, &path, body).await);
    for timestamp in [T0.as_secs(), 0] {
        let signed = request("POST", &path)
            .header("x-fal-webhook-request-id", "r")
            .header("x-fal-webhook-user-id", "u")
            .header("x-fal-webhook-timestamp", timestamp)
            .header("x-fal-webhook-signature", "00".repeat(64));
        seen(&server.send(signed.body(body.into()).unwrap()).await);
    }
}
