//! A line between a client and the service that breaks in the middle.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of a connection after so many bytes from the client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    /// Both ends are cut.
    Cut(usize),
    /// Nothing more goes through until the service hangs up; then both ends are cut.
    Hold(usize),
    /// The client is cut, and the service is not told: its end stays open, and silent.
    Dead(usize),
}

/// Ends when dropped.
pub(crate) struct Proxy {
    pub(crate) base: String,
    breaks: Arc<Mutex<VecDeque<Break>>>,
    broken: Mutex<mpsc::UnboundedReceiver<()>>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A line to `service` that carries whatever comes, but for the first connections with a body of
    /// some size, which break one after the other.
    pub(crate) async fn to(service: SocketAddr, breaks: &[Break]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let breaks = Arc::new(Mutex::new(breaks.iter().copied().collect()));
        let (signal, broken) = mpsc::unbounded_channel();
        let serving = tokio::spawn(serve(listener, service, Arc::clone(&breaks), signal));
        Self {
            base,
            breaks,
            broken: Mutex::new(broken),
            serving,
        }
    }

    /// Breaks that are still to come.
    pub(crate) fn left(&self) -> usize {
        self.breaks.lock().unwrap().len()
    }

    /// Whether a break has come that was not asked for yet.
    pub(crate) fn has_broken(&self) -> bool {
        self.broken.lock().unwrap().try_recv().is_ok()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    listener: TcpListener,
    service: SocketAddr,
    breaks: Arc<Mutex<VecDeque<Break>>>,
    signal: mpsc::UnboundedSender<()>,
) {
    // Dropped with this task, and its connections with it.
    let mut lines = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (breaks, signal) = (Arc::clone(&breaks), signal.clone());
        lines.spawn(async move {
            // A service that is down is a client that is cut.
            if let Ok(service) = TcpStream::connect(service).await {
                line(client, service, &breaks, &signal).await;
            }
        });
    }
}

async fn line(
    client: TcpStream,
    service: TcpStream,
    breaks: &Mutex<VecDeque<Break>>,
    signal: &mpsc::UnboundedSender<()>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_service, mut to_service) = service.into_split();
    let up = async {
        let (mut seen, mut buffer) = (0, vec![0; 16 << 10]);
        loop {
            let count = from_client.read(&mut buffer).await.unwrap_or(0);
            if count == 0 || to_service.write_all(&buffer[..count]).await.is_err() {
                return None;
            }
            seen += count;
            let due = {
                let mut breaks = breaks.lock().unwrap();
                let due = breaks.front().is_some_and(|next| match *next {
                    Break::Cut(after) | Break::Hold(after) | Break::Dead(after) => seen > after,
                });
                if due { breaks.pop_front() } else { None }
            };
            if due.is_some() {
                let _ = signal.send(());
                return due;
            }
        }
    };
    let down = async {
        let _ = tokio::io::copy(&mut from_service, &mut to_client).await;
    };
    let broken = tokio::select! {
        broken = up => broken,
        () = down => return,
    };
    match broken {
        Some(Break::Cut(_)) | None => {}
        Some(Break::Hold(_)) => {
            let mut rest = Vec::new();
            let _ = from_service.read_to_end(&mut rest).await;
        }
        Some(Break::Dead(_)) => {
            drop((from_client, to_client));
            std::future::pending::<()>().await;
        }
    }
}
