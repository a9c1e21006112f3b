//! A request's body, counted and timed while it comes in. It never holds more than one chunk, and
//! it ends: by its size, by silence, by its pace or by the whole time. Whoever keeps what came takes it from the
//! budget of all bodies (`body_budget`).

use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::damage::is_damage;
use crate::http::answer::error::ApiError;
use crate::http::state::body_budget::BodyBudget;
use crate::http::state::pace::{LEAST_RATE, Pace};
use crate::metrics::{Direction, OpenStream, RequestMetrics};

/// Bounds on one body.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Meter {
    /// Most bytes.
    pub(in crate::http) bytes: u64,
    /// Longest silence, where there is a bound beside the whole time; the least pace goes by it (`pace`).
    pub(in crate::http) idle: Option<Duration>,
    /// The whole time.
    pub(in crate::http) total: Duration,
}

/// Why a body was not received.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum BodyError {
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    #[error("the body came too slowly")]
    TooSlow,
    #[error("the body ended early")]
    Incomplete,
    #[error("the compressed body is damaged")]
    Damaged,
    #[error("no memory is left for the body now")]
    NoMemory,
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(limit) => Self::BodyTooLarge { limit },
            BodyError::TooSlow => Self::RequestTimeout,
            BodyError::Incomplete => Self::BodyIncomplete,
            BodyError::Damaged => Self::ContentEncodingInvalid,
            BodyError::NoMemory => Self::ServerBusy,
        }
    }
}

/// A body being received.
pub(in crate::http) struct MeteredBody {
    chunks: BodyDataStream,
    meter: Meter,
    deadline: Instant,
    pace: Option<Pace>,
    received: u64,
    /// Counts for as long as this is there.
    open: Option<OpenStream>,
}

impl MeteredBody {
    /// Begins to receive. A body that declares too large a size is refused before its first byte,
    /// so that a client which waits for `100 Continue` never sends it.
    pub(in crate::http) fn new(body: Body, meter: Meter) -> Result<Self, BodyError> {
        if body.size_hint().lower() > meter.bytes {
            return Err(BodyError::TooLarge(meter.bytes));
        }
        Ok(Self {
            chunks: body.into_data_stream(),
            meter,
            deadline: Instant::now() + meter.total,
            pace: meter.idle.map(|idle| Pace::new(idle, LEAST_RATE)),
            received: 0,
            open: None,
        })
    }

    /// Counts it among the open streams as long as it is there.
    pub(in crate::http) fn counted(mut self, metrics: &RequestMetrics) -> Self {
        self.open = Some(metrics.stream(Direction::In));
        self
    }

    /// The next bytes, or `None` at the end.
    pub(in crate::http) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let asked = Instant::now();
        let patience = self.pace.map(|pace| asked + pace.left());
        let until = patience.map_or(self.deadline, |end| end.min(self.deadline));
        let chunk = timeout_at(until, self.chunks.next())
            .await
            .map_err(|_| BodyError::TooSlow)?;
        let Some(chunk) = chunk else {
            return Ok(None);
        };
        let chunk = chunk.map_err(|error| {
            if is_damage(&error) {
                BodyError::Damaged
            } else {
                BodyError::Incomplete
            }
        })?;
        if let Some(pace) = &mut self.pace {
            pace.moved(asked.elapsed(), chunk.len());
        }
        self.received += chunk.len() as u64;
        if self.received > self.meter.bytes {
            return Err(BodyError::TooLarge(self.meter.bytes));
        }
        Ok(Some(chunk))
    }

    /// All of it in memory, for a body that is small by its limit.
    pub(in crate::http) async fn whole(mut self, budget: &BodyBudget) -> Result<Bytes, BodyError> {
        let (mut whole, mut held) = (BytesMut::new(), budget.none());
        while let Some(chunk) = self.next().await? {
            if !held.grow(chunk.len()) {
                return Err(BodyError::NoMemory);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The same as a stream, for a parser that wants one. It is never ready twice in a row: the
    /// parser (`multer`) takes all that is ready into its memory before it looks at any.
    pub(in crate::http) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
        futures_util::stream::try_unfold((self, false), |(mut body, again)| async move {
            if again {
                tokio::task::yield_now().await;
            }
            Ok(body.next().await?.map(|chunk| (chunk, (body, true))))
        })
    }
}
