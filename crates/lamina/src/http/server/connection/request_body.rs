//! A request's body as handlers get it, which tells whether it was read to its end. HTTP/1 cannot go
//! on behind a body that was not, so the answer has to say that the connection ends. It changes no byte.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};

/// The body.
pub(super) struct RequestBody {
    inner: Incoming,
    ended: Arc<AtomicBool>,
}

impl RequestBody {
    /// The body, and whether it has been read to its end.
    pub(super) fn new(inner: Incoming) -> (Self, Arc<AtomicBool>) {
        let ended = Arc::new(AtomicBool::new(inner.is_end_stream()));
        let told = Arc::clone(&ended);
        (Self { inner, ended }, told)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        let is_last = matches!(frame, Poll::Ready(None)) || self.inner.is_end_stream();
        if is_last {
            self.ended.store(true, Ordering::Relaxed);
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
