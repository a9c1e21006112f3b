//! An answer's body as a connection sends it: the request is under way until it is gone, and it is
//! noted since when the client has not taken what there was. It changes no byte.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::activity::Busy;

/// Whether it is the client that an answer waits for.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Since when the client could have taken something and did not.
    waits_since: Mutex<Option<Instant>>,
}

impl Taking {
    /// Waits until the client has taken nothing for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let since = *self.lock();
            match since {
                Some(since) if since.elapsed() >= limit => return,
                Some(since) => sleep_until(since + limit).await,
                None => sleep_until(Instant::now() + limit).await,
            }
        }
    }

    fn offered(&self) {
        *self.lock() = Some(Instant::now());
    }

    fn asked(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.waits_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body.
pub(super) struct AnswerBody {
    inner: Body,
    taking: Option<Arc<Taking>>,
    _busy: Busy,
}

impl AnswerBody {
    pub(super) fn new(inner: Body, busy: Busy, taking: Option<Arc<Taking>>) -> Self {
        if let Some(taking) = &taking {
            taking.offered();
        }
        Self {
            inner,
            taking,
            _busy: busy,
        }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let Some(taking) = &self.taking {
            match &frame {
                Poll::Ready(Some(Ok(_))) => taking.offered(),
                Poll::Ready(_) | Poll::Pending => taking.asked(),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
