//! One connection from its first byte to its last: HTTP/1 or HTTP/2 without TLS. It ends when the
//! client is silent or slow for too long, in either direction, or when the service stops. It knows
//! nothing of routes.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::error::ApiError;
use super::limits::ConnectionLimits;
use super::problem::{PROBLEM_JSON, Problem};

/// How an HTTP/2 client begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most bytes of an unread request that are still taken off the wire after its answer.
const LINGER_BYTES: usize = 64 << 20;

type Io = TokioIo<Pin<Box<TimeoutStream<TcpStream>>>>;

enum Version {
    Http1,
    Http2,
}

/// Runs a connection to its end.
pub(super) async fn run(
    socket: TcpStream,
    router: Router,
    limits: &ConnectionLimits,
    stop: &CancellationToken,
) {
    // Answers are written whole; waiting to fill packets only delays them.
    let _ = socket.set_nodelay(true);
    let first = tokio::select! {
        first = timeout(limits.header_read, version(&socket)) => first,
        () = stop.cancelled() => return,
    };
    let Ok(Some(version)) = first else { return };
    let mut stream = TimeoutStream::new(socket);
    stream.set_write_timeout(Some(limits.write_stall));
    let io = TokioIo::new(Box::pin(stream));
    match version {
        Version::Http1 => one(io, router, limits, stop).await,
        Version::Http2 => two(io, router, limits, stop).await,
    }
}

/// Which protocol the client speaks, by its first bytes, which stay where they are. `None` when it
/// closes, or begins as no client does.
async fn version(socket: &TcpStream) -> Option<Version> {
    let mut first = [0; PREFACE.len()];
    let count = socket.peek(&mut first).await.ok()?;
    match &first[..count] {
        [] => None,
        whole if whole == PREFACE => Some(Version::Http2),
        // The preface is sent in one piece; HTTP/2 has no time limit of its own for the rest.
        part if part.len() > 3 && PREFACE.starts_with(part) => None,
        _ => Some(Version::Http1),
    }
}

async fn one(io: Io, router: Router, limits: &ConnectionLimits, stop: &CancellationToken) {
    let service = service_fn(move |request| answer(router.clone(), request));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .keep_alive(true)
        .max_buf_size(limits.buffer_bytes.max(8192))
        .serve_connection(io, service);
    let mut stopping = pin!(stop.cancelled());
    let mut told = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = &mut stopping, if !told => {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
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

async fn two(io: Io, router: Router, limits: &ConnectionLimits, stop: &CancellationToken) {
    let service = service_fn(move |request| answer(router.clone(), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(limits.ping))
        .keep_alive_timeout(limits.ping)
        .max_concurrent_streams(128)
        .max_header_list_size(u32::try_from(limits.buffer_bytes).unwrap_or(64 << 10));
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Boxed, because hyper wants a future that can be moved.
fn answer(
    router: Router,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<Body>, Infallible>>>> {
    Box::pin(router.oneshot(request.map(Body::new)))
}

/// Closes our half and takes what the client still sends off the wire for a moment. Closing with
/// unread bytes would reset the connection, and the client would never see the answer that says
/// why its upload was refused.
async fn linger(mut stream: Pin<Box<TimeoutStream<TcpStream>>>, limits: &ConnectionLimits) {
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
