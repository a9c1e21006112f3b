//! The client of fal and how the engine uses it, as configured.

use std::sync::Arc;
use std::time::Duration;

use fal_queue::webhook::Verifier;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, FalConfig};
use crate::engines::FalSettings;
use crate::tls;
use crate::trace;

/// A result names its layers in a few kilobytes. Only where they come inside it, which lamina does not
/// ask for, is it larger; one is read for each job that waits, so it is bounded for a whole service.
const MOST_ANSWER_BYTES: usize = 8 << 20;

/// A client of fal that repeats nothing by itself.
pub(crate) fn fal_client(fal: &FalConfig) -> Result<fal_queue::Client, fal_queue::ConfigError> {
    fal_queue::Client::new(fal_queue::Config {
        key: Some(fal.key.clone()),
        queue_url: fal.queue_url.clone(),
        rest_url: fal.rest_url.clone(),
        jwks_url: fal.jwks_url.clone(),
        platform_url: fal.platform_url.clone(),
        admin_key: fal.admin_key.clone(),
        // The worker retries durably; two schedules on top of each other would multiply.
        retry: fal_queue::Retry::off(),
        max_answer_bytes: MOST_ANSWER_BYTES,
        tls: tls::client_config().ok(),
        trace_parent: Some(trace::parent_header),
        ..fal_queue::Config::default()
    })
}

/// Longest pause between two tries to have fal's keys.
const KEYS_PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked whether they are to be renewed.
const KEYS_CHECK: Duration = Duration::from_secs(3600);

/// Has the keys that webhooks are checked with at hand from the start on, and renews them in time, so
/// that no webhook waits for them. Failures are logged where they happen.
pub(super) async fn keep_webhook_keys(
    verifier: Option<Arc<Verifier>>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let Some(verifier) = verifier else { return };
    let mut pause = Duration::from_secs(1);
    loop {
        let fetched = verifier.prefetch(clock.wall().as_secs());
        let wait = match stop.run_until_cancelled(fetched).await {
            None => return,
            Some(Ok(())) => KEYS_CHECK,
            Some(Err(_)) => {
                pause = (2 * pause).min(KEYS_PAUSE);
                pause
            }
        };
        let slept = stop.run_until_cancelled(sleep_until(Instant::now() + wait));
        if slept.await.is_none() {
            return;
        }
    }
}

pub(super) fn fal_settings(fal: &FalConfig, config: &Config) -> FalSettings {
    FalSettings {
        model: fal.model.clone(),
        way: fal.way,
        public_url: config.public_url.clone(),
        engine_timeout: config.engine_timeout,
        webhooks: fal.webhooks,
        price_microusd: fal.price_microusd,
    }
}
