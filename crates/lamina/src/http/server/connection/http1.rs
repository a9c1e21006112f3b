//! HTTP/1 on one connection. hyper's own clock ends headers that do not come and connections that
//! stay idle; the stream's ends answers that nobody takes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Io, PacedStream, Served, answer};
use crate::http::answer::error::ApiError;
use crate::http::answer::problem::{PROBLEM_JSON, Problem};
use crate::http::state::limits::ConnectionLimits;

/// Most bytes of an unread request that are still taken off the wire after its answer.
const LINGER_BYTES: usize = 64 << 20;

pub(super) async fn run(
    io: Io,
    served: Served,
    limits: &ConnectionLimits,
    stop: &CancellationToken,
) {
    let activity = Arc::clone(&served.activity);
    let service = service_fn(move |request| answer(served.clone(), request, None));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .keep_alive(true)
        .max_buf_size(limits.buffer_bytes.max(8192))
        .serve_connection(io, service);
    let mut stopping = pin!(stop.cancelled());
    let mut leaving = pin!(activity.evicted.cancelled());
    let mut told = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break Some(ended),
            () = &mut stopping, if !told => {
                told = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut leaving, if !told => {
                if activity.idle_since().is_some() {
                    break None;
                }
                // What began since is finished, and nothing after it.
                told = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let Some(ended) = ended else {
        // Another waits for the place; whoever was in the middle of a header is told.
        if !parts.read_buf.is_empty() {
            let _ = timeout(limits.linger, stream.write_all(&slow_header())).await;
        }
        return;
    };
    match ended {
        Ok(()) if told => drop(stream.shutdown().await),
        Ok(()) => linger(stream, limits).await,
        // A client that was silent gets no answer; one that began a request is told.
        Err(error) if error.is_timeout() && !parts.read_buf.is_empty() => {
            let _ = stream.write_all(&slow_header()).await;
            linger(stream, limits).await;
        }
        Err(error) => tracing::debug!(%error, "a connection ended early"),
    }
}

/// Closes our half and takes what the client still sends off the wire for a moment. Closing with
/// unread bytes would reset the connection, and the client would never see the answer that says
/// why its upload was refused.
async fn linger(mut stream: PacedStream<TcpStream>, limits: &ConnectionLimits) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let (mut sink, mut taken) = (vec![0; 16 << 10], 0);
        while let Ok(count @ 1..) = stream.read(&mut sink).await {
            taken += count;
            if taken > LINGER_BYTES {
                break;
            }
        }
    };
    let _ = timeout(limits.linger, drain).await;
}

/// The answer to a header that came too slowly. No request exists yet, so it is written by hand.
fn slow_header() -> Vec<u8> {
    let body = Problem::of(ApiError::RequestTimeout).to_json();
    let mut answer = format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend(body);
    answer
}
