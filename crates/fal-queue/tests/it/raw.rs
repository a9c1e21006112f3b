//! A TCP server without manners: for each connection it reads one request and does what it is
//! told, in order; further connections are refused by closing the listener.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

pub(crate) enum Act {
    /// Close without reading or writing.
    Hang,
    /// Read the request, write these bytes, close.
    Say(Vec<u8>),
    /// Read the request, write these bytes, keep the connection open in silence.
    SayAndHold(Vec<u8>),
    /// Read the request, write the bytes, then one more space every 20 ms for ever.
    Drip(Vec<u8>),
}

pub(crate) struct Raw {
    pub(crate) url: Url,
    task: JoinHandle<usize>,
}

impl Raw {
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let acts: Vec<Act> = acts.into_iter().collect();
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            let mut requests = 0;
            for act in acts {
                let (mut stream, _) = listener.accept().await.unwrap();
                if !matches!(act, Act::Hang) {
                    read_request(&mut stream).await;
                    requests += 1;
                }
                match act {
                    Act::Hang => {}
                    Act::Say(bytes) => stream.write_all(&bytes).await.unwrap(),
                    Act::SayAndHold(bytes) => {
                        stream.write_all(&bytes).await.unwrap();
                        open.push(stream);
                    }
                    Act::Drip(bytes) => {
                        stream.write_all(&bytes).await.unwrap();
                        let mut tick = tokio::time::interval(Duration::from_millis(20));
                        // Ends when the client gives up.
                        while stream.write_all(b" ").await.is_ok() {
                            tick.tick().await;
                        }
                    }
                }
            }
            drop(listener);
            // Held connections stay open until the client closes them.
            for mut stream in open {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            }
            requests
        });
        Self {
            url: url.parse().unwrap(),
            task,
        }
    }

    /// How many requests were read, after every act was played.
    pub(crate) async fn requests(self) -> usize {
        crate::soon("every act to be played", self.task)
            .await
            .unwrap()
    }
}

/// A port of this machine where nobody listens.
pub(crate) async fn nobody() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap()
}

async fn read_request(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "the client closed before its request was whole");
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if body.len() >= length {
                return;
            }
        }
    }
}
