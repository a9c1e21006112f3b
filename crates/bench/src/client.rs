//! The cheapest HTTP/1.1 client that is still one: requests are bytes made beforehand, answers are
//! read to the end of their `content-length`. No chunked bodies, no pipelining, no redirects, no
//! retry. An HTTP library's client would cost more than the routes it measures.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A kept-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The body as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(self.body).context("the answer is not JSON")
    }
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = Vec::with_capacity(64 << 10);
        Ok(Self { stream, buffer })
    }

    /// Sends one request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, head, length) = loop {
            self.fill().await?;
            if let Some(found) = parse_head(&self.buffer)? {
                break found;
            }
        };
        while self.buffer.len() < head + length {
            self.fill().await?;
        }
        let body = &self.buffer[head..head + length];
        Ok(Answer { status, body })
    }

    /// Like [`Self::exchange`], for answers that must have this status.
    pub(crate) async fn expect(
        &mut self,
        request: &[u8],
        status: u16,
    ) -> anyhow::Result<Answer<'_>> {
        let answer = self.exchange(request).await?;
        if answer.status != status {
            let text = String::from_utf8_lossy(answer.body);
            bail!("answered {} instead of {status}: {text}", answer.status);
        }
        Ok(answer)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => bail!("the connection was closed within an answer"),
            _ => Ok(()),
        }
    }
}

/// Status, length of the head and length of the body, once the head is complete.
fn parse_head(bytes: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("a header is not text")?;
    let status = head.get(9..12).and_then(|code| code.parse().ok());
    // hyper, which is on the other side in every row, writes names in lower case.
    let length = head
        .split_once("\r\ncontent-length: ")
        .map_or("0", |(_, rest)| rest.lines().next().unwrap_or_default());
    let length = length.parse().context("an answer without a length")?;
    Ok(Some((status.context("no status")?, end + 4, length)))
}

/// A GET of `path`, with further header lines, each ended by CRLF.
pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n").into_bytes()
}

/// A POST of JSON.
pub(crate) fn post(path: &str, json: &Value) -> Vec<u8> {
    let body = json.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A POST of a file.
pub(crate) fn post_bytes(path: &str, kind: &str, file: &[u8]) -> Vec<u8> {
    let length = file.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(file);
    request
}

/// The path of an absolute URL on loopback.
pub(crate) fn path_of(url: &str) -> anyhow::Result<&str> {
    let (_, rest) = url.split_once("://").context("not a URL")?;
    Ok(rest.find('/').map_or("/", |slash| &rest[slash..]))
}
