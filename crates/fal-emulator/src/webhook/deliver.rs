//! Delivery of webhooks: one POST, then up to thirty more while the answer is not 2xx and the result
//! is still kept: 7 s after the first, twice as long each time up to ten minutes; 15 s for the first
//! answer, 120 s for later ones. A redirect is not followed and ends the delivery; so does, where the
//! configuration says so, a private address.
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

const RETRIES: u32 = 30;
const FIRST_DELAY: Duration = Duration::from_secs(7);
const LONGEST_DELAY: Duration = Duration::from_secs(600);
const FIRST_ANSWER_TIME: Duration = Duration::from_secs(15);
const LATER_ANSWER_TIME: Duration = Duration::from_secs(120);
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
    if shared.config.public_webhooks && is_private(url) {
        return;
    }
    let speed = shared.config.webhook_speed.max(0.001);
    let (mut delay, longest) = (FIRST_DELAY.div_f64(speed), LONGEST_DELAY.div_f64(speed));
    for attempt in 1..=RETRIES + 1 {
        let status = post(shared, ticket, &ticket.id, url, bytes, attempt).await;
        // A redirect is as final as a success.
        let ended = status.is_some_and(|status| (200..400).contains(&status));
        if ended || attempt > RETRIES || !kept(shared, ticket) {
            return;
        }
        sleep_until(Instant::now() + delay).await;
        delay = (delay * 2).min(longest);
    }
}

fn kept(shared: &Arc<Shared>, ticket: &Ticket) -> bool {
    let aged_ms = shared.config.clock.aged_ms();
    let board = shared.board();
    board
        .any_job(&ticket.id)
        .is_some_and(|job| job.result_kept(aged_ms))
}

/// Whether the address is one that is not on the public internet, as far as it is written there.
fn is_private(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => true,
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
    let answer_time = if attempt == 1 {
        FIRST_ANSWER_TIME
    } else {
        LATER_ANSWER_TIME
    };
    let status = send(shared, ticket, about, url, bytes, answer_time).await;
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
    answer_time: Duration,
) -> Option<u16> {
    let mut seconds = shared.config.clock.now_ms() / 1000;
    if ticket.meets(&Fault::WebhookStale) {
        seconds = seconds.saturating_sub(STALE_SECONDS);
    }
    let forged = ticket.meets(&Fault::WebhookForged);
    let signed = shared.signing.sign(about, seconds, bytes, forged);
    let client = shared.outgoing.webhook_client_for(url).ok()?;
    let mut request = client
        .post(url)
        .timeout(answer_time)
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
