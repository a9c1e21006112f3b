//! Ed25519 signing keys and the key set that publishes them.
//!
//! Keys live as long as the emulator and never leave it. Invariant: the newest key signs, and the
//! key set holds it and the one before it.

use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use crate::shared::lock;

/// The four signed headers, in the order of their lines in the message.
pub(crate) struct Signed {
    pub(crate) request_id: String,
    pub(crate) user_id: String,
    pub(crate) timestamp: String,
    /// Lower-case hex of 64 bytes.
    pub(crate) signature: String,
}

/// The keys of one emulator.
pub(crate) struct SigningKeys {
    /// Newest last.
    published: Mutex<Vec<Ed25519KeyPair>>,
    stranger: Ed25519KeyPair,
}

impl SigningKeys {
    pub(crate) fn new() -> Self {
        Self {
            published: Mutex::new(vec![fresh()]),
            stranger: fresh(),
        }
    }

    /// Signs from now on with a new key; the key set keeps the last one too.
    pub(crate) fn rotate(&self) {
        let mut keys = lock(&self.published);
        keys.push(fresh());
        if keys.len() > 2 {
            keys.remove(0);
        }
    }

    /// The key set. `x` carries its padding, as fal's does.
    pub(crate) fn jwks(&self) -> Value {
        let keys = lock(&self.published);
        let describe = |key: &Ed25519KeyPair| json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE.encode(key.public_key())});
        json!({"keys": keys.iter().rev().map(describe).collect::<Vec<_>>()})
    }

    /// Signs a body: request id, user id, timestamp and the hex SHA-256 of the body, one per line.
    pub(crate) fn sign(
        &self,
        request_id: &str,
        timestamp: u64,
        body: &[u8],
        forged: bool,
    ) -> Signed {
        let user_id = "emulator-user".to_owned();
        let timestamp = timestamp.to_string();
        let hash = hex(digest(&SHA256, body).as_ref());
        let message = format!("{request_id}\n{user_id}\n{timestamp}\n{hash}");
        let keys = lock(&self.published);
        let key = if forged {
            &self.stranger
        } else {
            keys.last().expect("there is always a key")
        };
        Signed {
            request_id: request_id.to_owned(),
            user_id,
            timestamp,
            signature: hex(key.sign(message.as_bytes()).as_ref()),
        }
    }
}

fn fresh() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().expect("the system's random source works")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
