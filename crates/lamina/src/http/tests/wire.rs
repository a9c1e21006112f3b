//! The accept loop and its connections over raw sockets: what slow, leaving and impolite clients
//! get. Limits are small here; every wait ends with the other side's close, never with a guess.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// A server with a front door.
pub(super) struct Server {
    pub(super) app: TestServer,
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(app: TestServer, limits: ConnectionLimits) -> Self {
        Self::with_budget(app, limits, 1 << 20).await
    }

    /// The same with so many bytes for bodies.
    pub(super) async fn with_budget(
        app: TestServer,
        limits: ConnectionLimits,
        bodies: u64,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(
            listener,
            app.router.clone(),
            limits,
            BodyBudget::new(bodies),
            crate::metrics::RequestMetrics::default(),
            stop.clone(),
        ));
        Self {
            app,
            address,
            stop,
            served,
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes` on a connection of their own and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(bytes).await.unwrap();
        read_to_close(&mut socket).await
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap();
    }
}

/// The answer with the code of a full server; the test of places sees when it is given.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    let response = axum::response::IntoResponse::into_response(ApiError::TooManyConnections);
    let (parts, body) = response.into_parts();
    add(&Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    });
}

fn quick() -> ConnectionLimits {
    ConnectionLimits {
        header_read: Duration::from_millis(200),
        linger: Duration::from_millis(200),
        ..ConnectionLimits::default()
    }
}

/// What the server sent until it closed; a reset counts as a close.
async fn read_to_close(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut part).await {
        received.extend(&part[..count]);
    }
    String::from_utf8_lossy(&received).into_owned()
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        received.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(received).unwrap()
}

fn upload_head(length: usize) -> String {
    format!(
        "POST /api/upload HTTP/1.1\r\nhost: lamina.test\r\ncontent-type: image/png\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn half_a_header_is_answered_408_and_closed() {
    let server = Server::start(TestServer::new(), quick()).await;
    let answer = server.exchange(b"GET /healthz HTTP/1.1\r\nhost: lam").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("application/problem+json"));
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "request_timeout");
    server.stop().await;
}

#[tokio::test]
async fn a_header_that_drips_does_not_last_longer() {
    let server = Server::start(TestServer::new(), quick()).await;
    let socket = server.connect().await;
    let (mut reading, mut writing) = socket.into_split();
    let drip = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        writing
            .write_all(b"GET /healthz HTTP/1.1\r\n")
            .await
            .unwrap();
        while writing.write_all(b"x: y\r\n").await.is_ok() {
            pace.tick().await;
        }
    };
    let read = async {
        let mut received = Vec::new();
        let _ = reading.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    };
    let ((), answer) = tokio::join!(drip, read);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_without_a_word() {
    let server = Server::start(TestServer::new(), quick()).await;
    assert_eq!(server.exchange(b"").await, "");
    // Half of HTTP/2's greeting has no time limit in the protocol, so it is none of ours.
    assert_eq!(server.exchange(b"PRI * HTTP/2.0\r\n").await, "");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_and_not_for_ever() {
    let server = Server::start(TestServer::new(), quick()).await;
    let mut socket = server.connect().await;
    for _ in 0..3 {
        socket
            .write_all(b"HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert!(read_head(&mut socket).await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(read_to_close(&mut socket).await, "");
    server.stop().await;
}

#[tokio::test]
async fn an_upload_that_falls_silent_is_answered_408_and_closed() {
    let app = TestServer::with(|state| state.limits.upload_idle = Duration::from_millis(100));
    let server = Server::start(app, quick()).await;
    let answer = server
        .exchange((upload_head(1000) + "some").as_bytes())
        .await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("\"request_timeout\""));
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_drips_ends_with_its_whole_time() {
    let app = TestServer::with(|state| state.limits.json_total = Duration::from_millis(200));
    let server = Server::start(app, quick()).await;
    let socket = server.connect().await;
    let (mut reading, mut writing) = socket.into_split();
    let head = "POST /api/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
    let drip = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        writing.write_all(head.as_bytes()).await.unwrap();
        while writing.write_all(b" ").await.is_ok() {
            pace.tick().await;
        }
    };
    let read = async {
        let mut received = Vec::new();
        let _ = reading.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    };
    let ((), answer) = tokio::join!(drip, read);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn an_upload_of_a_byte_now_and_then_ends_as_one_that_fell_silent() {
    let app = TestServer::with(|state| {
        // Longer than each silence on any machine that runs this, and shorter than all of them.
        state.limits.upload_idle = Duration::from_secs(2);
        state.limits.upload_total = Duration::from_secs(3600);
    });
    let server = Server::start(app, quick()).await;
    let socket = server.connect().await;
    let (mut reading, mut writing) = socket.into_split();
    let drip = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        writing
            .write_all(upload_head(100_000).as_bytes())
            .await
            .unwrap();
        let mut sent = 0;
        while sent < 3_000 && writing.write_all(b"x").await.is_ok() {
            sent += 1;
            pace.tick().await;
        }
        sent
    };
    let read = async {
        let mut received = Vec::new();
        let _ = reading.read_to_end(&mut received).await;
        String::from_utf8_lossy(&received).into_owned()
    };
    let (sent, answer) = tokio::join!(drip, read);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(sent < 3_000);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_mid_body_leaves_nothing_behind() {
    let app = TestServer::with(|state| {
        state.limits.memory_bytes = 16;
        state.limits.upload_idle = Duration::from_secs(3600);
    });
    let limits = ConnectionLimits {
        drain: Duration::from_secs(3600),
        ..quick()
    };
    let server = Server::start(app, limits).await;
    for _ in 0..5 {
        let mut socket = server.connect().await;
        let part = upload_head(100_000) + &"x".repeat(50_000);
        socket.write_all(part.as_bytes()).await.unwrap();
        drop(socket);
    }
    let (address, spool) = (server.address, server.app.folder.path().join("spool"));
    // Stopping waits for every connection, so their handlers are over.
    let (blobs, _folder) = (server.app.blobs.clone(), &server.app.folder);
    server.stop.cancel();
    server.served.await.unwrap();
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0);
    assert!(blobs.owners().await.unwrap().uploads.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_why_not() {
    let app = TestServer::with(|state| state.images.max_bytes = 1000);
    let server = Server::start(app, quick()).await;
    let file = png(4, 4);
    let expect = "expect: 100-continue\r\n\r\n";
    let head = upload_head(file.len()).replacen("\r\n\r\n", &format!("\r\n{expect}"), 1);
    let mut socket = server.connect().await;
    socket.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(
        read_head(&mut socket).await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    socket.write_all(&file).await.unwrap();
    assert!(read_head(&mut socket).await.starts_with("HTTP/1.1 201 "));

    let head = upload_head(1001).replacen("\r\n\r\n", &format!("\r\n{expect}"), 1);
    let answer = server.exchange(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_still_gets_the_refusal() {
    let app = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key")]));
    let server = Server::start(app, ConnectionLimits::default()).await;
    let mut socket = server.connect().await;
    let body = vec![b'x'; 40 << 20];
    socket
        .write_all(upload_head(body.len()).as_bytes())
        .await
        .unwrap();
    // Forty megabytes do not fit into the buffers between two sockets, so without the lingering
    // close this write, or the read after it, would meet a reset.
    socket.write_all(&body).await.unwrap();
    let answer = read_to_close(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("\"unauthorized\""));
    server.stop().await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_says_that_the_connection_ends() {
    let app = TestServer::with(|state| state.keys = ApiKeys::new([("app", "key")]));
    let server = Server::start(app, ConnectionLimits::default()).await;
    let (small, large) = (b"x".repeat(9), b"x".repeat(1 << 20));
    for body in [&small, &large] {
        let mut socket = server.connect().await;
        let head = upload_head(body.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body).await.unwrap();
        let head = read_head(&mut socket).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
        assert!(head.contains("connection: close"), "{head}");
    }
    // One that is read to its end is no reason.
    let mut socket = server.connect().await;
    for _ in 0..2 {
        let head = "POST /hooks/fal/01999999-9999-7999-8999-999999999999/0199999999997999899999999999999f HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
        socket.write_all(head.as_bytes()).await.unwrap();
        let answer = read_head(&mut socket).await;
        assert!(!answer.contains("connection: close"), "{answer}");
        let length = answer.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        socket.read_exact(&mut vec![0; length]).await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_let_go() {
    let limits = ConnectionLimits {
        write_stall: Duration::from_millis(100),
        drain: Duration::from_secs(3600),
        ..quick()
    };
    let app = TestServer::new();
    let key = BlobKey::Source(app.row().await, MediaType::Png);
    app.blobs
        .put(&key, Bytes::from(vec![7; 16 << 20]))
        .await
        .unwrap();
    let link = app.link(&key);
    let server = Server::start(app, limits).await;
    let mut socket = server.connect().await;
    socket
        .write_all(format!("GET {link} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert!(read_head(&mut socket).await.starts_with("HTTP/1.1 200 "));
    // Reading nothing more, the only way that this connection ends is the server's.
    server.stop.cancel();
    server.served.await.unwrap();
    drop(socket);
}

#[tokio::test]
async fn two_hundred_slow_connections_are_freed_for_those_that_wait() {
    let limits = ConnectionLimits {
        connections: 200,
        ..quick()
    };
    let server = Server::start(TestServer::new(), limits).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut socket = server.connect().await;
        socket.write_all(b"GET / HT").await.unwrap();
        slow.push(socket);
    }
    // This one waits in the backlog until a slow one has been let go.
    let mut socket = server.connect().await;
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(
        read_to_close(&mut socket)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    for mut socket in slow {
        let answer = read_to_close(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_full_house_lets_an_idle_connection_go_for_the_next_and_answers_for_its_health() {
    let limits = ConnectionLimits {
        connections: 2,
        header_read: Duration::from_secs(3600),
        ..quick()
    };
    let server = Server::start(TestServer::new(), limits).await;
    // Two that say nothing, and one that asks: the one that was there first goes.
    let (mut first, second) = (server.connect().await, server.connect().await);
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: lamina.test\r\n\r\n");
    let mut third = server.connect().await;
    third
        .write_all(ask("/api/jobs/x").as_bytes())
        .await
        .unwrap();
    assert!(read_head(&mut third).await.starts_with("HTTP/1.1 404 "));
    assert_eq!(read_to_close(&mut first).await, "");
    // Two that have bodies under way, so that none is idle.
    drop((second, third));
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut socket = server.connect().await;
        let head = upload_head(1000);
        let head = head.replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
        socket.write_all(head.as_bytes()).await.unwrap();
        assert!(read_head(&mut socket).await.starts_with("HTTP/1.1 100 "));
        busy.push(socket);
    }
    let answer = server.exchange(ask("/api/jobs/x").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("too_many_connections") && answer.contains("retry-after: 3"));
    assert!(
        answer.contains("x-content-type-options: nosniff"),
        "{answer}"
    );
    for path in ["/healthz", "/readyz"] {
        let answer = server.exchange(ask(path).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    drop(busy);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_ends_idle_connections_and_lets_a_running_request_finish() {
    let limits = ConnectionLimits {
        header_read: Duration::from_secs(3600),
        drain: Duration::from_secs(3600),
        ..ConnectionLimits::default()
    };
    let server = Server::start(TestServer::new(), limits).await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(b"HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_head(&mut idle).await;
    let file = png(4, 4);
    let mut running = server.connect().await;
    let expect =
        upload_head(file.len()).replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    running.write_all(expect.as_bytes()).await.unwrap();
    read_head(&mut running).await;

    server.stop.cancel();
    assert_eq!(read_to_close(&mut fresh).await, "");
    assert_eq!(read_to_close(&mut idle).await, "");
    assert!(!server.served.is_finished());
    running.write_all(&file).await.unwrap();
    let answer = read_to_close(&mut running).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    server.served.await.unwrap();
}

#[tokio::test]
async fn a_request_that_outlasts_the_grace_is_cut_off() {
    let limits = ConnectionLimits {
        drain: Duration::from_millis(100),
        ..ConnectionLimits::default()
    };
    let server = Server::start(TestServer::new(), limits).await;
    let mut socket = server.connect().await;
    socket
        .write_all((upload_head(1000) + "some").as_bytes())
        .await
        .unwrap();
    server.stop().await;
    assert_eq!(read_to_close(&mut socket).await, "");
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_as_well() {
    let server = Server::start(TestServer::new(), quick()).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("http://{}/api/jobs/x", server.address);
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.version(), axum::http::Version::HTTP_2);
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.unwrap().contains("job_not_found"));
    server.stop().await;
}

#[tokio::test]
async fn a_header_block_without_an_end_is_refused() {
    let server = Server::start(TestServer::new(), ConnectionLimits::default()).await;
    let mut socket = server.connect().await;
    let line = format!("x: {}\r\n", "y".repeat(8000));
    let _ = socket.write_all(b"GET / HTTP/1.1\r\n").await;
    for _ in 0..64 {
        if socket.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let answer = read_to_close(&mut socket).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    server.stop().await;
}

/// Runs itself again in a process of its own, whose descriptors it can use up.
#[test]
fn a_process_without_descriptors_accepts_again_as_soon_as_it_has_one() {
    const CHILD: &str = "LAMINA_TEST_WITHOUT_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        return runtime.block_on(without_descriptors());
    }
    let name = std::thread::current().name().unwrap().to_owned();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{child:?}"
    );
}

async fn without_descriptors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (app, stop, log) = (
        TestServer::new(),
        CancellationToken::new(),
        observe::Log::default(),
    );
    let served = serve(
        listener,
        app.router.clone(),
        quick(),
        BodyBudget::new(1 << 20),
        crate::metrics::RequestMetrics::default(),
        stop.clone(),
    );
    let limit = rustix::process::Rlimit {
        current: Some(80),
        ..rustix::process::getrlimit(rustix::process::Resource::Nofile)
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let client = async {
        let mut held = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            held.push(file);
        }
        // One descriptor for the client's end, none for the server's.
        held.pop();
        let mut socket = TcpStream::connect(address).await.unwrap();
        let ask = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        socket.write_all(ask).await.unwrap();
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !log.text().contains("no connection can be accepted") {
            look.tick().await;
        }
        held.clear();
        let answer = read_to_close(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        stop.cancel();
    };
    log.during(async { tokio::join!(served, client) }).await;
    assert_eq!(
        log.text().matches("no connection can be accepted").count(),
        1
    );
}
