//! A socket that waits for its reader as long as that keeps a pace: a write that makes none fails with
//! `TimedOut`. Reading and the bytes are left as they are.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::http::state::pace::Pace;

/// The socket.
pub(super) struct PacedStream<S> {
    inner: S,
    pace: Pace,
    /// Since when a write waits, and what ends the wait.
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> PacedStream<S> {
    pub(super) fn new(inner: S, pace: Pace) -> Self {
        Self {
            inner,
            pace,
            waits: None,
        }
    }

    /// Notes how a write went; one that waits ends when the patience does.
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = written else {
            let left = self.pace.left();
            let (_, over) = self.waits.get_or_insert_with(|| {
                let now = Instant::now();
                (now, Box::pin(sleep_until(now + left)))
            });
            ready!(over.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        let waited = self.waits.take().map(|(since, _)| since.elapsed());
        if let Ok(bytes) = &written {
            self.pace.moved(waited.unwrap_or_default(), *bytes);
        }
        Poll::Ready(written)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// A socket has nothing to flush, and its shutdown waits for nobody.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Writes to somebody who takes one byte at a time, and waits in between; how it ended.
    async fn written(longest: Duration, bytes: usize, wait: Duration) -> io::Result<()> {
        let (ours, mut theirs) = tokio::io::duplex(1);
        let reader = tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                sleep_until(Instant::now() + wait).await;
            }
        });
        let mut stream = PacedStream::new(ours, Pace::new(longest, 1_000));
        let written = stream.write_all(&vec![7; bytes]).await;
        drop(stream);
        reader.await.unwrap();
        written
    }

    #[tokio::test]
    async fn whoever_takes_a_byte_now_and_then_is_left() {
        let wait = Duration::from_millis(20);
        let error = written(Duration::from_millis(200), 10_000, wait).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        written(Duration::from_secs(3600), 20, wait).await.unwrap();
    }
}
