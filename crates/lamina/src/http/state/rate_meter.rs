//! One owner's request rate: a token bucket (GCRA, by `governor`), and the headers that tell a
//! client where it stands.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-10, an Internet-Draft:
//! `RateLimit-Policy: "default";q=40;w=2` for 40 requests in 2 seconds, and
//! `RateLimit: "default";r=39;t=1` for 39 left of them and a second until all are there again. On a
//! refusal `t` is the time of `Retry-After`, as its section on servers asks.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::access::Rate;
use crate::http::answer::error::ApiError;

/// What is left of the quota.
pub(in crate::http) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quota.
pub(in crate::http) const RATE_LIMIT_POLICY: HeaderName =
    HeaderName::from_static("ratelimit-policy");

/// An upload is counted once, when it is begun; what belongs to it may be so many times as much: a
/// question where it stands, an end, and a try or two.
const UPLOADS_SHARE: NonZeroU32 = NonZeroU32::new(4).unwrap();

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Counts one owner's requests. One 64-bit number of state, and no entry for anybody who has no
/// key: memory is bounded by the number of owners.
#[derive(Debug)]
pub(in crate::http) struct RateMeter {
    bucket: Bucket,
    clock: DefaultClock,
    rate: Rate,
    /// The quota's name in the headers.
    name: &'static str,
    policy: HeaderValue,
    /// Until when whoever used up the quota by what was of no use is not heard, in `clock`'s time.
    not_heard: AtomicU64,
    begun: Instant,
}

/// What a request is told about the rate.
#[derive(Clone, Debug)]
pub(in crate::http) struct RateState {
    name: &'static str,
    policy: HeaderValue,
    remaining: u32,
    seconds: u64,
}

impl RateMeter {
    /// A meter of which nothing is used; `None` for a rate too fast to be counted, which is none.
    pub(in crate::http) fn new(rate: Rate) -> Option<Self> {
        Self::named("default", rate)
    }

    /// The meter of requests to resumable uploads that were begun.
    pub(in crate::http) fn of_uploads(rate: Rate) -> Option<Self> {
        Self::named("uploads", rate.times(UPLOADS_SHARE))
    }

    fn named(name: &'static str, rate: Rate) -> Option<Self> {
        let quota = Quota::with_period(rate.interval())?.allow_burst(rate.burst());
        let policy = format!(
            "\"{name}\";q={};w={}",
            rate.burst(),
            whole_seconds(rate.window())
        );
        Some(Self {
            bucket: RateLimiter::direct(quota).with_middleware(),
            clock: DefaultClock::default(),
            rate,
            name,
            policy: HeaderValue::try_from(policy).ok()?,
            not_heard: AtomicU64::new(0),
            begun: Instant::now(),
        })
    }

    /// The rate it counts by.
    pub(in crate::http) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts a request; how the owner stands then, and whether the request is one too many.
    pub(in crate::http) fn count(&self) -> (RateState, Result<(), ApiError>) {
        let rate_state = |remaining, wait| RateState {
            name: self.name,
            policy: self.policy.clone(),
            remaining,
            seconds: whole_seconds(wait),
        };
        match self.bucket.check() {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                let used = self.rate.burst().get().saturating_sub(left);
                (rate_state(left, self.rate.interval() * used), Ok(()))
            }
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                let rate_state = rate_state(0, wait);
                let retry_after = u32::try_from(rate_state.seconds).unwrap_or(u32::MAX);
                let error = ApiError::RateLimited {
                    rate: self.rate,
                    retry_after,
                };
                (rate_state, Err(error))
            }
        }
    }
}

impl RateMeter {
    /// Counts a request that is within the rate; `None`, and nothing counted, for one that is one too many.
    pub(in crate::http) fn count_if_allowed(&self) -> Option<RateState> {
        let (rate_state, counted) = self.count();
        counted.ok().map(|()| rate_state)
    }

    /// Counts what has been done already and was of no use: over the quota, nothing more is heard
    /// until there is room for it.
    pub(in crate::http) fn count_done(&self) -> (RateState, Result<(), ApiError>) {
        let (rate_state, counted) = self.count();
        if counted.is_err() {
            let until = self.begun.elapsed() + Duration::from_secs(rate_state.seconds);
            let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
            self.not_heard.fetch_max(until, Ordering::Relaxed);
        }
        (rate_state, counted)
    }

    /// Whether something may be done that [`count_done`](Self::count_done) may count.
    pub(in crate::http) fn is_heard(&self) -> bool {
        self.begun.elapsed().as_millis() >= u128::from(self.not_heard.load(Ordering::Relaxed))
    }
}

impl RateState {
    /// Puts it on an answer.
    pub(in crate::http) fn write(self, headers: &mut HeaderMap) {
        let Self {
            name,
            policy,
            remaining,
            seconds,
        } = self;
        let rate_state = format!("\"{name}\";r={remaining};t={seconds}");
        if let Ok(rate_state) = HeaderValue::try_from(rate_state) {
            headers.insert(RATE_LIMIT, rate_state);
            headers.insert(RATE_LIMIT_POLICY, policy);
        }
    }
}

/// Rounded up: whoever comes back then is not too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_counted_down_and_then_refused() {
        let meter = RateMeter::new("1/h burst 2".parse().unwrap()).unwrap();
        let shown = |rate_state: RateState| {
            let mut headers = HeaderMap::new();
            rate_state.write(&mut headers);
            let text = |name| headers[name].to_str().unwrap().to_owned();
            (text(RATE_LIMIT), text(RATE_LIMIT_POLICY))
        };
        let policy = "\"default\";q=2;w=7200".to_owned();
        for expected in ["\"default\";r=1;t=3600", "\"default\";r=0;t=7200"] {
            let (rate_state, counted) = meter.count();
            assert!(counted.is_ok());
            assert_eq!(shown(rate_state), (expected.to_owned(), policy.clone()));
        }
        let (rate_state, counted) = meter.count();
        let error = counted.unwrap_err();
        assert_eq!(error.code(), "rate_limited");
        let after = error.row().retry_after.unwrap();
        assert!((3590..=3600).contains(&after), "{after}");
        assert_eq!(shown(rate_state).0, format!("\"default\";r=0;t={after}"));
    }
}
