//! Event streams over raw sockets: who is quiet is left alone, and who does not read is not waited for.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep_until};

use super::wire::Server;
use super::*;

/// Limits that a stream must outlast.
fn quick() -> ConnectionLimits {
    ConnectionLimits {
        header_read: Duration::from_millis(100),
        write_stall: Duration::from_millis(100),
        drain: Duration::from_secs(3600),
        ..ConnectionLimits::default()
    }
}

/// A server whose one job is at its engine.
async fn started() -> (Server, JobId) {
    started_with(quick()).await
}

async fn started_with(limits: ConnectionLimits) -> (Server, JobId) {
    let app = TestServer::with(|state| {
        state.limits.event_silence = Duration::from_millis(50);
    });
    let id = app.created().await;
    app.accept(None).await;
    (Server::start(app, limits).await, id)
}

fn ask(id: JobId) -> Vec<u8> {
    format!("GET /api/jobs/{id}/events HTTP/1.1\r\nhost: lamina.test\r\n\r\n").into_bytes()
}

/// Reads until the server has said this, behind what was read before.
async fn read_until(socket: &mut TcpStream, text: &mut String, wanted: &str) {
    let (mut part, mut seen) = (vec![0; 1 << 16], 0);
    // Only what is new is looked at: whoever looks through megabytes at each read takes seconds for them, and is cut off.
    while !text[seen..].contains(wanted) {
        seen = text.floor_char_boundary(text.len().saturating_sub(wanted.len()));
        let count = socket.read(&mut part).await.unwrap();
        assert!(count > 0, "the server closed before {wanted}");
        text.push_str(&String::from_utf8_lossy(&part[..count]));
    }
}

fn streams(app: &TestServer) -> bool {
    let open = "lamina_http_event_streams{kind=\"stream\"} 0";
    !app.metrics.text().contains(open)
}

/// Changes what the job's owner sees.
async fn change(app: &TestServer, position: u32) {
    let lease = app.lease(Phase::Wait).await;
    let waiting = StepOutput::Waiting {
        fraction: None,
        queue_position: Some(position),
    };
    app.apply(&lease, Phase::Wait, waiting, None).await;
}

/// Completes it with so many layers.
async fn complete(app: &TestServer, layers: u32) {
    let lease = app.lease(Phase::Wait).await;
    app.apply(&lease, Phase::Collect, StepOutput::None, None)
        .await;
    let lease = app.lease(Phase::Collect).await;
    let layers = (0..layers).map(|order| Layer {
        order,
        file: order,
        labels: LayerLabels::default(),
        media_type: MediaType::Png,
        width: 640,
        height: 480,
        bytes: 70,
        sha256: "00ff".repeat(16),
        bbox: None,
        coverage: 0.25,
        thumbhash: None,
        fidelity_bytes: None,
    });
    let layers = StepOutput::Layers(layers.collect(), None);
    app.apply(&lease, Phase::Completed, layers, None).await;
}

#[tokio::test]
async fn a_quiet_stream_outlasts_the_limits_of_connections() {
    let (server, id) = started().await;
    let (mut socket, mut text) = (server.connect().await, String::new());
    socket.write_all(&ask(id)).await.unwrap();
    read_until(&mut socket, &mut text, "event: status").await;
    // Ten times what an idle connection has, or a client that takes nothing.
    sleep_until(Instant::now() + Duration::from_secs(1)).await;
    change(&server.app, 3).await;
    read_until(&mut socket, &mut text, "\"queue_position\":3").await;
    assert!(text.contains("event: progress"), "{text}");
    assert!(text.contains(":\n\n"), "{text}");
    server.app.delete(&format!("/api/jobs/{id}")).await;
    read_until(&mut socket, &mut text, "\r\n0\r\n\r\n").await;
    assert!(text.contains("event: deleted"), "{text}");
    // The stream has ended, the connection has not.
    let health = b"GET /healthz HTTP/1.1\r\nhost: lamina.test\r\n\r\n";
    socket.write_all(health).await.unwrap();
    text.clear();
    read_until(&mut socket, &mut text, "HTTP/1.1 200 OK").await;
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_stream_loses_it() {
    // Longer than one that reads is kept from it on a busy machine.
    let (server, id) = started_with(ConnectionLimits {
        write_stall: Duration::from_secs(5),
        ..quick()
    })
    .await;
    let slow = TcpSocket::new_v4().unwrap();
    slow.set_recv_buffer_size(4096).unwrap();
    let mut slow = slow.connect(server.address).await.unwrap();
    slow.write_all(&ask(id)).await.unwrap();
    let (mut reader, mut text) = (server.connect().await, String::new());
    reader.write_all(&ask(id)).await.unwrap();
    read_until(&mut reader, &mut text, "event: status").await;
    // More than every buffer on the way holds.
    complete(&server.app, 20_000).await;
    read_until(&mut reader, &mut text, "\r\n0\r\n\r\n").await;
    let whole = text.len();
    assert!(whole > 8 << 20, "{whole} bytes prove nothing");
    drop(reader);
    // It ends when no connection is left: the slow one was cut, for nobody waits so long here.
    server.stop().await;
    let (mut got, mut part) = (0, vec![0; 1 << 16]);
    while let Ok(count @ 1..) = slow.read(&mut part).await {
        got += count;
    }
    assert!(got < whole, "{got} of {whole}");
}

#[tokio::test]
async fn a_client_that_leaves_is_not_waited_for() {
    let (server, id) = started().await;
    let (mut socket, mut text) = (server.connect().await, String::new());
    socket.write_all(&ask(id)).await.unwrap();
    read_until(&mut socket, &mut text, "event: status").await;
    assert!(streams(&server.app));
    drop(socket);
    while streams(&server.app) {
        sleep_until(Instant::now() + Duration::from_millis(5)).await;
    }
    assert!(!server.app.store.changes().has_listeners());
    server.stop().await;
}

/// The answers with codes of their own.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    let app = TestServer::with(|state| {
        state.limits.event_streams = 1;
        state.limits.event_streams_per_owner = Some(0);
    });
    let id = app.created().await;
    let events = format!("/api/jobs/{id}/events");
    add(&app.get(&events).await);
    let html = request("GET", &events).header("accept", "text/html");
    add(&app.send(html.body(Body::empty()).unwrap()).await);
    let app = TestServer::with(|state| state.limits.event_streams = 0);
    let id = app.created().await;
    add(&app.get(&format!("/api/jobs/{id}?wait=1")).await);
}

#[tokio::test]
async fn the_stream_of_all_jobs_tells_progress_that_only_time_makes() {
    let (server, _) = started().await;
    let (mut socket, mut text) = (server.connect().await, String::new());
    socket
        .write_all(b"GET /api/events HTTP/1.1\r\nhost: lamina.test\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut socket, &mut text, "event: status").await;
    assert!(!text.contains("event: progress"), "{text}");
    server.app.clock.advance(Duration::from_secs(10));
    read_until(&mut socket, &mut text, "event: progress").await;
    read_until(&mut socket, &mut text, "\"progress\":0.441").await;
    // Nothing moves a bar while the time stands, and the same is not told again.
    text.clear();
    let twice = Instant::now() + Duration::from_secs(5);
    tokio::time::timeout_at(twice, read_until(&mut socket, &mut text, "event: progress"))
        .await
        .unwrap_err();
    drop(socket);
    server.stop().await;
}
