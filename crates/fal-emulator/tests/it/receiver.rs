//! A webhook's receiver: keeps every delivery byte for byte and answers as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Default)]
struct Inbox {
    deliveries: Vec<Delivery>,
    statuses: VecDeque<u16>,
}

/// A receiver on an own port.
pub(crate) struct Receiver {
    inbox: Arc<Mutex<Inbox>>,
    url: String,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Answers with these statuses, then with 200.
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox {
            statuses: statuses.iter().copied().collect(),
            ..Inbox::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let app = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inbox));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serving");
        });
        Self { inbox, url, task }
    }

    /// The URL to ask for, as a query for a submission.
    pub(crate) fn query(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let encoded: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        format!("?fal_webhook={encoded}")
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.inbox.lock().expect("the inbox").deliveries.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut inbox = inbox.lock().expect("the inbox");
    let path = uri.to_string();
    inbox.deliveries.push(Delivery {
        path,
        headers,
        body,
    });
    let status = inbox.statuses.pop_front().unwrap_or(200);
    StatusCode::from_u16(status).expect("a status")
}

impl Delivery {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("ASCII")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Whether any key of the set signed this delivery, as fal's documentation prescribes.
    pub(crate) fn is_signed_by(&self, jwks: &Value) -> bool {
        let hash = hex(digest(&SHA256, &self.body).as_ref());
        let message = format!(
            "{}\n{}\n{}\n{hash}",
            self.header("x-fal-webhook-request-id"),
            self.header("x-fal-webhook-user-id"),
            self.header("x-fal-webhook-timestamp"),
        );
        let signature = unhex(self.header("x-fal-webhook-signature"));
        jwks["keys"].as_array().expect("keys").iter().any(|key| {
            let x = key["x"].as_str().expect("x");
            let public = URL_SAFE.decode(x).expect("padded base64url");
            let key = UnparsedPublicKey::new(&ED25519, public);
            key.verify(message.as_bytes(), &signature).is_ok()
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text, text.to_lowercase());
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hex")
        })
        .collect()
}
