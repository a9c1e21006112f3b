//! Repeating a call that may be repeated: status, result, cancel and the two steps of an upload.
//!
//! Exponential back-off with full jitter (a uniform draw between zero and the current step), at
//! least as long as the server's `Retry-After`, bounded in count and in time. A submit never comes
//! here. A caller with a durable queue of its own switches this off ([`Retry::off`]).

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tokio::time::Instant;

use crate::Error;

/// How often and how long a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// All attempts together, the first included; 0 and 1 both mean "never repeat". Default 4.
    pub attempts: usize,
    /// The first step of the back-off; each further step is twice as long. Default 500 ms.
    pub min_delay: Duration,
    /// The longest step. Default 8 s. A longer `Retry-After` is honoured all the same.
    pub max_delay: Duration,
    /// No attempt starts later than this after the first one. Default 30 s. A call can therefore
    /// take this plus one `request_timeout`.
    pub total: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            total: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// One attempt only.
    #[must_use]
    pub fn off() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// Runs `call` until it succeeds, fails in a way that `again` does not want repeated, or the
    /// limits are reached; then the last error is returned.
    pub(crate) async fn run<T, F, Fut>(
        &self,
        what: &'static str,
        again: impl Fn(&Error) -> bool,
        call: F,
    ) -> Result<T, Error>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let started = Instant::now();
        let steps = ExponentialBuilder::new()
            .with_min_delay(self.min_delay)
            .with_max_delay(self.max_delay)
            .with_max_times(self.attempts.saturating_sub(1))
            .build();
        call.retry(steps)
            .when(|error| again(error))
            .adjust(|error, step| {
                let delay = delay(step?, error.retry_after(), fastrand::f64());
                (started.elapsed().saturating_add(delay) <= self.total).then_some(delay)
            })
            .notify(|error, delay| {
                tracing::debug!(
                    fal.call = what,
                    retry.wait_ms = delay.as_millis(),
                    error = %error,
                    "call to fal failed, repeating it"
                );
            })
            .await
    }
}

/// Full jitter over `step`, but never earlier than the server asked.
fn delay(step: Duration, retry_after: Option<Duration>, draw: f64) -> Duration {
    step.mul_f64(draw.clamp(0.0, 1.0))
        .max(retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_drawn_from_the_whole_step_and_never_undercuts_retry_after() {
        let step = Duration::from_secs(4);
        assert_eq!(delay(step, None, 0.0), Duration::ZERO);
        assert_eq!(delay(step, None, 0.5), Duration::from_secs(2));
        assert_eq!(delay(step, None, 1.0), step);
        let asked = Some(Duration::from_secs(3));
        assert_eq!(delay(step, asked, 0.0), Duration::from_secs(3));
        assert_eq!(delay(step, asked, 1.0), step);
    }
}
