//! Delivery of webhooks: one POST, then up to ten more while the answer is not 2xx, 7 s after the
//! first and twice as long each time (about two hours in all), 15 s for each answer.
//!
//! Faults of webhooks act here. Invariant: every try that ends is on the board's list.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::body::{body, python_json};
use crate::fault::Fault;
use crate::queue::{Outcome, Ticket, WebhookDelivery};
use crate::shared::Shared;

const RETRIES: u32 = 10;
const FIRST_DELAY: Duration = Duration::from_secs(7);
const ANSWER_TIME: Duration = Duration::from_secs(15);
const STALE_SECONDS: u64 = 600;

/// Tells the caller how the request ended, as often as scripted.
pub(crate) async fn deliver(shared: Arc<Shared>, ticket: Arc<Ticket>, outcome: Outcome) {
    let Some(url) = ticket.webhook.clone() else {
        return;
    };
    if ticket.meets(&Fault::WebhookNever) {
        return;
    }
    if ticket.meets(&Fault::WebhookRotatedKey) {
        shared.signing.rotate();
    }
    if ticket.meets(&Fault::WebhookUnknownJob) {
        send_unknown(&shared, &ticket, &url, &outcome).await;
    }
    let bytes = python_json(&body(&ticket, &outcome));
    insist(&shared, &ticket, &url, &bytes).await;
    if ticket.meets(&Fault::WebhookTwice) {
        insist(&shared, &ticket, &url, &bytes).await;
    }
}

/// A well-signed webhook about a request that nobody made, at a neighbouring URL.
async fn send_unknown(shared: &Arc<Shared>, ticket: &Ticket, url: &str, outcome: &Outcome) {
    let stranger = Uuid::now_v7().to_string();
    let mut about = body(ticket, outcome);
    about["request_id"] = stranger.clone().into();
    about["gateway_request_id"] = stranger.clone().into();
    let mut elsewhere = url.to_owned();
    if let Ok(mut parsed) = url::Url::parse(url) {
        if let Ok(mut segments) = parsed.path_segments_mut() {
            segments.pop().push(&stranger);
        }
        elsewhere = parsed.into();
    }
    let bytes = python_json(&about);
    post(shared, ticket, &stranger, &elsewhere, &bytes, 1).await;
}

/// Tries until the answer is 2xx or the tries are used up.
async fn insist(shared: &Arc<Shared>, ticket: &Ticket, url: &str, bytes: &[u8]) {
    let mut delay = FIRST_DELAY.div_f64(shared.config.webhook_speed.max(0.001));
    for attempt in 1..=RETRIES + 1 {
        let status = post(shared, ticket, &ticket.id, url, bytes, attempt).await;
        if status.is_some_and(|status| (200..300).contains(&status)) || attempt > RETRIES {
            return;
        }
        sleep_until(Instant::now() + delay).await;
        delay *= 2;
    }
}

/// One try, and its note on the board.
async fn post(
    shared: &Arc<Shared>,
    ticket: &Ticket,
    about: &str,
    url: &str,
    bytes: &[u8],
    attempt: u32,
) -> Option<u16> {
    let status = send(shared, ticket, about, url, bytes).await;
    {
        let mut board = shared.board();
        board.counters.webhooks += 1;
        board.webhooks.push(WebhookDelivery {
            request_id: about.to_owned(),
            url: url.to_owned(),
            attempt,
            status,
        });
        if about == ticket.id
            && let Some(job) = board.job_mut(&ticket.id)
        {
            job.webhooks_sent += 1;
        }
    }
    shared.changed();
    status
}

/// Signs now and sends; `None` when no answer came.
async fn send(
    shared: &Arc<Shared>,
    ticket: &Ticket,
    about: &str,
    url: &str,
    bytes: &[u8],
) -> Option<u16> {
    let mut seconds = shared.config.clock.now_ms() / 1000;
    if ticket.meets(&Fault::WebhookStale) {
        seconds = seconds.saturating_sub(STALE_SECONDS);
    }
    let forged = ticket.meets(&Fault::WebhookForged);
    let signed = shared.signing.sign(about, seconds, bytes, forged);
    let client = shared.outgoing.client_for(url).ok()?;
    let mut request = client
        .post(url)
        .timeout(ANSWER_TIME)
        .header("content-type", "application/json")
        .body(bytes.to_vec());
    if !ticket.meets(&Fault::WebhookUnsigned) {
        request = request
            .header("x-fal-webhook-request-id", signed.request_id)
            .header("x-fal-webhook-user-id", signed.user_id)
            .header("x-fal-webhook-timestamp", signed.timestamp)
            .header("x-fal-webhook-signature", signed.signature);
    }
    let answered = request.send().await.ok()?;
    Some(answered.status().as_u16())
}
