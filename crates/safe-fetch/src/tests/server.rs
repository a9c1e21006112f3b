//! A small server that says exactly what a test tells it to, byte by byte.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use crate::{FetchError, FetchPolicy, Fetched, Fetcher};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// These bytes, then the connection ends.
    Bytes(Vec<u8>),
    /// These bytes, then the next request of the connection.
    ThenNext(Vec<u8>),
    /// These bytes, then nothing more for ever.
    ThenSilence(Vec<u8>),
    /// These bytes, then one of the second kind again and again, at this interval.
    ThenDrip(Vec<u8>, Vec<u8>, Duration),
    /// These bytes, then as many of the second kind as are taken.
    ThenEndless(Vec<u8>, Vec<u8>),
}

impl Reply {
    pub(super) fn ok(body: &[u8]) -> Self {
        Self::status(
            "200 OK",
            &[("Content-Length", &body.len().to_string())],
            body,
        )
    }

    pub(super) fn status(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        Self::Bytes([head(status, headers).as_bytes(), body].concat())
    }

    pub(super) fn redirect(location: &str) -> Self {
        Self::status(
            "302 Found",
            &[("Location", location), ("Content-Length", "0")],
            b"",
        )
    }
}

/// A status line and headers.
pub(super) fn head(status: &str, headers: &[(&str, &str)]) -> String {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status}\r\n{lines}\r\n")
}

/// Listens until it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves on a free port of 127.0.0.1; `script` sees the path with its query.
    pub(super) async fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(super) async fn start_at(
        address: &str,
        script: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let task = tokio::spawn({
            let (connections, requests) = (Arc::clone(&connections), Arc::clone(&requests));
            async move {
                // Dropped with this task, which ends the connections too.
                let mut open = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                    open.spawn(async move {
                        let _ = serve(stream, &*script, &requests).await;
                    });
                }
            }
        });
        Self {
            address,
            connections,
            requests,
            task,
        }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// How often anybody connected.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests' heads, in order.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(&str) -> Reply + Send + Sync),
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    while one(&mut stream, script, requests).await? {}
    stream.shutdown().await
}

/// Answers a request; whether another may come.
async fn one(
    stream: &mut TcpStream,
    script: &(dyn Fn(&str) -> Reply + Send + Sync),
    requests: &Mutex<Vec<String>>,
) -> std::io::Result<bool> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(false);
        }
        request.push(byte[0]);
        // A TLS greeting has no blank line; it gets an answer that is no TLS.
        if request.starts_with(&[0x16]) {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await?;
            return Ok(false);
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    // What is left unread when it closes would reset the connection, and the answer with it.
    let head = request.to_ascii_lowercase();
    let length = head.split_once("content-length: ");
    if let Some((_, rest)) = length {
        let length = rest.lines().next().and_then(|length| length.parse().ok());
        stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
    }
    requests.lock().unwrap().push(request);
    match script(&path) {
        Reply::Bytes(bytes) => stream.write_all(&bytes).await?,
        Reply::ThenNext(bytes) => {
            stream.write_all(&bytes).await?;
            return Ok(true);
        }
        Reply::ThenSilence(bytes) => {
            stream.write_all(&bytes).await?;
            std::future::pending::<()>().await;
        }
        Reply::ThenDrip(bytes, drop, every) => {
            stream.write_all(&bytes).await?;
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                stream.write_all(&drop).await?;
            }
        }
        Reply::ThenEndless(bytes, more) => {
            stream.write_all(&bytes).await?;
            loop {
                stream.write_all(&more).await?;
            }
        }
    }
    Ok(false)
}

/// A policy that reaches 127.0.0.1, and nothing else that is not public.
pub(super) fn local_policy() -> FetchPolicy {
    FetchPolicy {
        allow_http: true,
        allow_nets: vec!["127.0.0.1/32".parse().unwrap()],
        connect_timeout: Duration::from_secs(30),
        first_byte_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(30),
        total_timeout: Duration::from_secs(30),
        ..FetchPolicy::default()
    }
}

/// Trusts nobody: the tests' server speaks no TLS, and a system may have no certificate authorities.
pub(super) fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

pub(super) fn fetcher(policy: FetchPolicy) -> Fetcher {
    Fetcher::with_tls(policy, tls()).unwrap()
}

pub(super) async fn fetch(policy: FetchPolicy, url: &Url) -> Result<Fetched, FetchError> {
    let outcome = fetcher(policy).fetch(url).await;
    if let Err(error) = &outcome {
        assert_sound(error);
    }
    outcome
}

/// What holds for every error: a known code, a whole sentence, and no secret of the URL.
pub(super) fn assert_sound(error: &FetchError) {
    assert!(FetchError::CODES.contains(&error.code()), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.len() > 40, "{sentence}");
    for text in [sentence, format!("{error:?}")] {
        assert!(!text.contains("TOPSECRET"), "{text}");
    }
}
