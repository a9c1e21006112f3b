//! HTTP/2 over raw sockets, frame by frame: clients that keep a connection by pings alone, take nothing
//! of an answer, or flood. Limits are small here; every wait ends with what the server does.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wire::Server;
use super::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const ENHANCE_YOUR_CALM: u32 = 11;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

struct Client(TcpStream);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A GET, its header fields without compression (RFC 7541, 6.2.2).
fn get(path: &str) -> Vec<u8> {
    ask(0x82, path)
}

/// A POST.
fn post(path: &str) -> Vec<u8> {
    ask(0x83, path)
}

/// A request by the indexed field of its method (RFC 7541, appendix A).
fn ask(method: u8, path: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // Length in one octet is enough for 126 letters; a link is longer.
    let path = if path.len() < 127 {
        text(path)
    } else {
        let rest = path.len() - 127;
        let (low, high) = (rest % 128, rest / 128);
        let length = if high > 0 {
            vec![
                0x7F,
                0x80 | u8::try_from(low).unwrap(),
                u8::try_from(high).unwrap(),
            ]
        } else {
            vec![0x7F, u8::try_from(low).unwrap()]
        };
        [&length, path.as_bytes()].concat()
    };
    [
        &[method, 0x86, 0x04][..],
        &path,
        &[0x01],
        &text("lamina.test"),
    ]
    .concat()
}

impl Client {
    async fn begin(server: &Server, settings: &[(u16, u32)]) -> Self {
        let mut socket = server.connect().await;
        let pairs = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
        let begin = [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            &frame(SETTINGS, 0, 0, &pairs.collect::<Vec<_>>()),
        ];
        socket.write_all(&begin.concat()).await.unwrap();
        Self(socket)
    }

    async fn send(&mut self, bytes: &[u8]) {
        // The server may have ended the connection; what it said is read then.
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame, after the polite answer to it; `None` when the server has closed.
    async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        let read = Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        };
        if read.flags & ACK == 0 {
            match read.kind {
                SETTINGS => self.send(&frame(SETTINGS, ACK, 0, &[])).await,
                PING => self.send(&frame(PING, ACK, 0, &read.payload)).await,
                _ => {}
            }
        }
        Some(read)
    }

    /// Frames up to the first that is meant; panics when the server closes before.
    async fn until(&mut self, meant: impl Fn(&Frame) -> bool) -> Frame {
        let looking = async {
            loop {
                let read = self.next().await.expect("the server closed");
                if meant(&read) {
                    return read;
                }
            }
        };
        // Far above what any of it takes: it ends a test that would wait for ever.
        tokio::time::timeout(Duration::from_secs(60), looking)
            .await
            .expect("the server sends what is meant")
    }

    /// Answers what is asked until the server closes; the error of its GOAWAY, the latest.
    async fn read_to_close(&mut self) -> Option<u32> {
        let reading = async {
            let mut said = None;
            while let Some(read) = self.next().await {
                if read.kind == GOAWAY {
                    said = Some(u32::from_be_bytes(read.payload[4..8].try_into().unwrap()));
                }
            }
            said
        };
        // As above.
        tokio::time::timeout(Duration::from_secs(60), reading)
            .await
            .expect("the server closes")
    }
}

/// Limits under which nothing ends by itself.
fn patient() -> ConnectionLimits {
    let hour = Duration::from_secs(3600);
    ConnectionLimits {
        header_read: hour,
        write_stall: hour,
        drain: hour,
        ..ConnectionLimits::default()
    }
}

#[tokio::test]
async fn a_connection_that_only_answers_pings_is_closed_as_an_idle_one() {
    let limits = ConnectionLimits {
        header_read: Duration::from_millis(200),
        ping: Duration::from_millis(20),
        linger: Duration::from_millis(200),
        ..patient()
    };
    let server = Server::start(TestServer::new(), limits).await;
    let mut silent = Client::begin(&server, &[]).await;
    assert_eq!(silent.read_to_close().await, Some(0));
    // After an answer as well.
    let mut asked = Client::begin(&server, &[]).await;
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &get("/healthz"));
    asked.send(&ask).await;
    asked.until(|read| read.kind == HEADERS).await;
    assert_eq!(asked.read_to_close().await, Some(0));
    // Half a header block is no request.
    let mut half = Client::begin(&server, &[]).await;
    half.send(&frame(HEADERS, END_STREAM, 1, &get("/healthz")))
        .await;
    half.read_to_close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_used_all_the_time_ends_too() {
    let limits = ConnectionLimits {
        longest_life: Duration::from_millis(100),
        ..patient()
    };
    let server = Server::start(TestServer::new(), limits).await;
    let mut busy = Client::begin(&server, &[]).await;
    let mut streams = (1..200_000).step_by(2);
    let ended = loop {
        let stream = streams.next().expect("it lasted for 100,000 requests");
        let ask = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/healthz"));
        busy.send(&ask).await;
        let read = busy
            .until(|read| matches!(read.kind, HEADERS | GOAWAY))
            .await;
        if read.kind == GOAWAY {
            break read;
        }
    };
    assert_eq!(ended.stream, 0);
    // It is asked politely: no error (RFC 9113, 7).
    assert_eq!(ended.payload[4..8], [0; 4]);
    busy.read_to_close().await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_reset_and_the_others_go_on() {
    let limits = ConnectionLimits {
        write_stall: Duration::from_millis(100),
        ..patient()
    };
    let app = TestServer::new();
    let key = BlobKey::Source(app.row().await, MediaType::Png);
    let file = Bytes::from(vec![7; 4 << 20]);
    app.blobs.put(&key, file).await.unwrap();
    let link = app.link(&key);
    let server = Server::start(app, limits).await;
    for window in [0, 1000] {
        let mut client = Client::begin(&server, &[(INITIAL_WINDOW_SIZE, window)]).await;
        let ask = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(&link));
        client.send(&ask(1)).await;
        let reset = client.until(|read| read.kind == RST_STREAM).await;
        assert_eq!(reset.stream, 1);
        let head = frame(HEADERS, END_HEADERS | END_STREAM, 3, &get("/nothing"));
        client.send(&head).await;
        client
            .until(|read| read.kind == HEADERS && read.stream == 3)
            .await;
    }
    // Whoever takes a little now and then is let go on.
    let mut slow = Client::begin(&server, &[(INITIAL_WINDOW_SIZE, 16 << 10)]).await;
    let ask = frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&link));
    slow.send(&ask).await;
    let mut taken = 0;
    while taken < 1 << 20 {
        let data = slow
            .until(|read| [DATA, RST_STREAM].contains(&read.kind))
            .await;
        assert_eq!(data.kind, DATA);
        taken += data.payload.len();
        let more = u32::try_from(data.payload.len()).unwrap().to_be_bytes();
        for stream in [0, 1] {
            slow.send(&frame(WINDOW_UPDATE, 0, stream, &more)).await;
        }
    }
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_of_which_too_little_is_taken_is_reset() {
    let limits = ConnectionLimits {
        write_stall: Duration::from_secs(2),
        // So much that no client of this test keeps it, however quick.
        least_rate: 1 << 30,
        ..patient()
    };
    let app = TestServer::new();
    let key = BlobKey::Source(app.row().await, MediaType::Png);
    app.blobs
        .put(&key, Bytes::from(vec![7; 16 << 20]))
        .await
        .unwrap();
    let link = app.link(&key);
    let server = Server::start(app, limits).await;
    let mut slow = Client::begin(&server, &[(INITIAL_WINDOW_SIZE, 4 << 10)]).await;
    slow.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&link)))
        .await;
    let mut taken = 0;
    loop {
        let read = slow
            .until(|read| [DATA, RST_STREAM].contains(&read.kind))
            .await;
        if read.kind == RST_STREAM {
            break;
        }
        taken += read.payload.len();
        assert!(taken < 16 << 20, "it was let go on to the end");
        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(50)).await;
        let more = u32::try_from(read.payload.len()).unwrap().to_be_bytes();
        for stream in [0, 1] {
            slow.send(&frame(WINDOW_UPDATE, 0, stream, &more)).await;
        }
    }
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn an_upload_of_a_byte_now_and_then_ends_here_too() {
    let app = TestServer::with(|state| {
        state.limits.upload_idle = Duration::from_secs(2);
        state.limits.upload_total = Duration::from_secs(3600);
    });
    let server = Server::start(app, patient()).await;
    let mut client = Client::begin(&server, &[]).await;
    client
        .send(&frame(HEADERS, END_HEADERS, 1, &post("/api/upload")))
        .await;
    let mut sent = 0;
    let answer = loop {
        client.send(&frame(DATA, 0, 1, b"x")).await;
        sent += 1;
        assert!(sent < 3_000, "it was let go on");
        let soon = tokio::time::Instant::now() + Duration::from_millis(20);
        // A frame that has begun to come is read to its end.
        let come = tokio::time::timeout_at(soon, client.0.readable()).await;
        if come.is_ok() {
            let read = client.next().await.expect("the server closed");
            if read.kind == HEADERS {
                break read;
            }
        }
    };
    // `:status: 408` is no indexed field, so it stands in the block as it is, or in Huffman's code.
    let literal = [b"408".as_slice(), &[0x68, 0x0f, 0x7f]];
    assert!(
        literal
            .iter()
            .any(|status| answer.payload.windows(3).any(|bytes| bytes == *status)),
        "{:x?}",
        answer.payload
    );
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn what_a_client_may_send_ahead_comes_from_the_budget_of_bodies() {
    for (budget, wanted) in [(1 << 20, Some((256 << 10) - 65_535)), (0, None)] {
        let server = Server::with_budget(TestServer::new(), patient(), budget).await;
        let mut client = Client::begin(&server, &[]).await;
        let settings = client.until(|read| read.kind == SETTINGS).await;
        let value = |wanted: u16| {
            let found = settings
                .payload
                .chunks(6)
                .find(|pair| pair[..2] == wanted.to_be_bytes());
            found.map(|pair| u32::from_be_bytes(pair[2..].try_into().unwrap()))
        };
        assert_eq!(value(INITIAL_WINDOW_SIZE), Some(64 << 10));
        assert_eq!(value(MAX_CONCURRENT_STREAMS), Some(64));
        client
            .send(&frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1,
                &get("/healthz"),
            ))
            .await;
        let mut window = None;
        loop {
            let read = client.next().await.unwrap();
            match read.kind {
                WINDOW_UPDATE if read.stream == 0 => {
                    window = Some(u32::from_be_bytes(read.payload[..4].try_into().unwrap()));
                }
                HEADERS => break,
                _ => {}
            }
        }
        assert_eq!(window, wanted);
        drop(client);
        server.stop().await;
    }
}

#[tokio::test]
async fn floods_end_their_connection() {
    let server = Server::start(TestServer::new(), patient()).await;
    // Opened and reset at once, again and again (CVE-2023-44487).
    let mut resets = Client::begin(&server, &[]).await;
    let mut flood = Vec::new();
    for stream in (1..4001).step_by(2) {
        flood.extend(frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream,
            &get("/healthz"),
        ));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    resets.send(&flood).await;
    assert_eq!(resets.read_to_close().await, Some(ENHANCE_YOUR_CALM));
    // A header block that never ends (CVE-2024-27316).
    let mut endless = Client::begin(&server, &[]).await;
    let field = [&[0x00, 1, b'a', 126][..], &[b'b'; 126]].concat();
    let block = field.repeat(100);
    endless
        .send(&frame(HEADERS, END_STREAM, 1, &get("/healthz")))
        .await;
    for _ in 0..64 {
        endless.send(&frame(CONTINUATION, 0, 1, &block)).await;
    }
    assert!(
        endless
            .read_to_close()
            .await
            .is_some_and(|error| error != 0)
    );
    server.stop().await;
}

#[tokio::test]
async fn an_event_stream_whose_client_takes_nothing_is_reset_and_others_go_on() {
    let app = TestServer::with(|state| state.limits.event_silence = Duration::from_millis(20));
    let id = app.created().await;
    let limits = ConnectionLimits {
        write_stall: Duration::from_millis(100),
        ..patient()
    };
    let server = Server::start(app, limits).await;
    // Room for the beginning of an event.
    let mut client = Client::begin(&server, &[(INITIAL_WINDOW_SIZE, 100)]).await;
    let events = get(&format!("/api/jobs/{id}/events"));
    let asked = frame(HEADERS, END_HEADERS | END_STREAM, 1, &events);
    client.send(&asked).await;
    let reset = client.until(|read| read.kind == RST_STREAM).await;
    assert_eq!(reset.stream, 1);
    let health = frame(HEADERS, END_HEADERS | END_STREAM, 3, &get("/healthz"));
    client.send(&health).await;
    client
        .until(|read| read.kind == HEADERS && read.stream == 3)
        .await;
    let open = "lamina_http_event_streams{kind=\"stream\"} 0";
    assert!(server.app.metrics.text().contains(open));
    drop(client);
    server.stop().await;
}
