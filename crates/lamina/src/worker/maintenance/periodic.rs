//! The skeleton of everything that sweeps: run once, then again after a period or when it is
//! woken; one log line only when something was done.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Runs `sweep` until `stop`. A sweep returns what it did; the default means nothing.
pub(in crate::worker) async fn every<C, F, E>(
    name: &'static str,
    period: Duration,
    wake: Option<&Notify>,
    stop: &CancellationToken,
    sweep: impl Fn() -> F,
) where
    C: Default + PartialEq + Debug,
    E: std::fmt::Display,
    F: Future<Output = Result<C, E>>,
{
    while !stop.is_cancelled() {
        let woken = async {
            match wake {
                Some(wake) => wake.notified().await,
                None => std::future::pending().await,
            }
        };
        // Whatever a sweep asks may hang; what it leaves undone is done after the next start.
        let swept = tokio::select! {
            swept = sweep() => swept,
            () = stop.cancelled() => return,
        };
        match swept {
            Ok(counts) if counts == C::default() => {}
            Ok(counts) => tracing::info!(sweeper = name, ?counts, "swept"),
            Err(error) => {
                tracing::error!(sweeper = name, %error, "a sweep failed and will be repeated");
            }
        }
        tokio::select! {
            () = woken => {}
            () = sleep_until(Instant::now() + period) => {}
            () = stop.cancelled() => {}
        }
    }
}
