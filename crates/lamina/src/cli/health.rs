//! `lamina health`: asks the lamina of this configuration whether it is well, for probes in a
//! container that has no shell and no curl. It reads `HOST` and `PORT` and nothing else, needs no
//! key, starts nothing and ends in bounded time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{finish, say};
use crate::config::Config;

/// An answer is a line of JSON; another service's may be anything.
const ANSWER_BYTES: usize = 64 << 10;

/// Arguments of `lamina health`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask whether it can take work (/readyz), not only whether it answers (/healthz)
    #[arg(long)]
    ready: bool,
    /// Address it listens on (HOST)
    #[arg(long)]
    host: Option<String>,
    /// Port it listens on (PORT)
    #[arg(long)]
    port: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Args {
    pub(super) fn run(self, file: Option<&Path>) -> ExitCode {
        let over = [("HOST", &self.host), ("PORT", &self.port)];
        let over = over
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        // A container runtime knows 0 and 1; 2 is reserved.
        let listen = Config::listen(file, over).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("it is not known where to ask: {}", errors.join("; "))
        });
        finish(listen.and_then(|listen| self.ask(listen)))
    }

    fn ask(&self, listen: SocketAddr) -> Result<(), String> {
        if listen.port() == 0 {
            return Err(
                "PORT is 0, so the port was chosen when lamina started; name it with --port"
                    .to_owned(),
            );
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the async runtime cannot start: {error}"))?;
        let (path, well) = if self.ready {
            ("/readyz", "is ready")
        } else {
            ("/healthz", "is well")
        };
        let within = Duration::from_secs(self.timeout);
        let mut failed = String::new();
        for door in doors(listen) {
            let url = format!("http://{door}{path}");
            let asked = runtime.block_on(async { timeout(within, answer(door, path)).await });
            match asked {
                Ok(Ok((StatusCode::OK, _))) => {
                    say(&format!("lamina {well} ({url})"));
                    return Ok(());
                }
                Ok(Ok((status, text))) => return Err(unwell(&url, status, &text)),
                Ok(Err(error)) => {
                    failed = format!(
                        "{url} does not answer: {error}; is lamina running, and are HOST and PORT those that it was started with?"
                    );
                }
                Err(_) => {
                    return Err(format!(
                        "{url} did not answer within {} s",
                        within.as_secs()
                    ));
                }
            }
        }
        Err(failed)
    }
}

/// Where a service that listens there can be reached from this machine.
fn doors(listen: SocketAddr) -> Vec<SocketAddr> {
    let addresses = match listen.ip() {
        IpAddr::V4(any) if any.is_unspecified() => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        // On most systems :: takes both; where IPv6 is switched off there is no ::1.
        IpAddr::V6(any) if any.is_unspecified() => vec![
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::LOCALHOST),
        ],
        one => vec![one],
    };
    let doors = addresses.into_iter();
    doors
        .map(|address| SocketAddr::new(address, listen.port()))
        .collect()
}

async fn answer(door: SocketAddr, path: &str) -> Result<(StatusCode, Bytes), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let socket = TcpStream::connect(door).await.map_err(|e| text(&e))?;
    let connected = http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = connected.map_err(|e| text(&e))?;
    // It ends with the runtime, and an error on it shows in the answer.
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(HOST, door.to_string())
        .body(Empty::<Bytes>::new())
        .map_err(|e| text(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| text(&e))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await;
    Ok((head.status, body.map_err(|e| text(&e))?.to_bytes()))
}

/// The part of a problem that is for people.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

fn unwell(url: &str, status: StatusCode, text: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(text) {
        Ok(problem) => format!("{url} answers {}: {}", status.as_u16(), problem.detail),
        Err(_) => format!(
            "{url} answers {}, and not as lamina does; is that port another program's?",
            status.as_u16()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_listens_everywhere_is_asked_on_loopback() {
        let doors = |listen: &str| {
            let found = doors(listen.parse().unwrap()).into_iter();
            found.map(|door| door.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(doors("0.0.0.0:80"), ["127.0.0.1:80"]);
        assert_eq!(doors("[::]:80"), ["[::1]:80", "127.0.0.1:80"]);
        assert_eq!(doors("10.1.2.3:80"), ["10.1.2.3:80"]);
    }
}
