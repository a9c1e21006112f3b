//! An answer's body as a connection sends it: the request is under way until it is gone, and it is
//! noted since when the client has not taken what there was. It changes no byte.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::activity::Busy;
use crate::http::state::pace::Pace;

/// Whether it is the client that an answer waits for, and for how long yet.
#[derive(Debug)]
pub(super) struct Taking(Mutex<State>);

#[derive(Debug)]
struct State {
    pace: Pace,
    /// Since when the client could have taken so many bytes and did not.
    waits: Option<(Instant, usize)>,
}

impl Taking {
    pub(super) fn new(pace: Pace) -> Self {
        Self(Mutex::new(State { pace, waits: None }))
    }

    /// Waits until the client has taken too little for too long.
    pub(super) async fn stalled(&self) {
        loop {
            let (left, since) = {
                let state = self.lock();
                (state.pace.left(), state.waits.map(|(since, _)| since))
            };
            match since {
                Some(since) if since.elapsed() >= left => return,
                Some(since) => sleep_until(since + left).await,
                // A wait that begins meanwhile is looked at then; that is late enough for it.
                None => sleep_until(Instant::now() + left).await,
            }
        }
    }

    fn offered(&self, bytes: usize) {
        self.lock().waits = Some((Instant::now(), bytes));
    }

    /// Whoever asks for more has taken what there was.
    fn asked(&self) {
        let mut state = self.lock();
        if let Some((since, bytes)) = state.waits.take() {
            state.pace.moved(since.elapsed(), bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            taking.offered(0);
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
        if let Some(taking) = &self.taking {
            taking.asked();
        }
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let (Some(taking), Poll::Ready(Some(Ok(frame)))) = (&self.taking, &frame) {
            taking.offered(frame.data_ref().map_or(0, Bytes::len));
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
