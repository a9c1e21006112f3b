//! What must hold of any delivery and of any key document. Compiled for tests, which run it over
//! the seeds kept beside lamina's fuzz targets, and for those targets. No network: the verifier is
//! given its keys, and was just told that there are no newer ones.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::Runtime;

use super::cache::Cache;
use super::keys::KeySet;
use super::{
    REQUEST_ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE_SECONDS, USER_ID_HEADER,
    VerifiedWebhook, Verifier, WebhookBody, WebhookError, signed_message,
};
use crate::{Client, Config};

/// When the seeds' deliveries were signed, in seconds.
const NOW: i64 = 1_795_356_717;

const NAMES: [&str; 4] = [
    REQUEST_ID_HEADER,
    USER_ID_HEADER,
    TIMESTAMP_HEADER,
    SIGNATURE_HEADER,
];

/// fal's part: its key, and who knows the public half of it.
struct Parties {
    runtime: Runtime,
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

static PARTIES: LazyLock<Parties> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed");
    let keys = KeySet::of(pair.public_key().as_ref());
    let client = Client::new(Config::default()).expect("the defaults make a client");
    Parties {
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime"),
        pair,
        verifier: Verifier {
            cache: Cache::holding(client, keys, NOW),
        },
    }
});

impl Parties {
    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<VerifiedWebhook, WebhookError> {
        self.runtime
            .block_on(self.verifier.verify(headers, body, NOW))
    }

    /// The one signature that the key makes; there is no second, altered one that verifies.
    fn signature(&self, texts: [&str; 3], body: &[u8]) -> String {
        let message = signed_message(texts[0], texts[1], texts[2], body);
        let signature = self.pair.sign(message.as_bytes());
        signature
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// A byte of choices; then lines with the four headers and the rest as body, or bytes that become
/// a genuine delivery and one change to it.
pub fn delivery(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    if choice & 1 == 0 {
        received(*choice, rest);
    } else {
        changed(rest);
    }
}

/// Whatever verifies was signed: these ids, this time and this body, by this key, in time.
fn received(choice: u8, rest: &[u8]) {
    let mut lines = rest.splitn(5, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in NAMES {
        let value = lines.next().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if choice & 2 > 0 {
        headers.append(
            NAMES[usize::from(choice >> 2 & 3)],
            HeaderValue::from_static("0"),
        );
    }
    let body = lines.next().unwrap_or_default();
    let verdict = PARTIES.verify(&headers, body);
    let Ok(verified) = verdict else {
        return;
    };
    assert!(verified.timestamp.abs_diff(NOW) <= TOLERANCE_SECONDS);
    let text = |name| {
        assert_eq!(headers.get_all(name).iter().count(), 1);
        headers[name].to_str().expect("what verified is text")
    };
    let [id, user, time, signature] = NAMES.map(text);
    assert_eq!((id, user), (&*verified.request_id, &*verified.user_id));
    assert_eq!(time.parse(), Ok(verified.timestamp));
    let genuine = PARTIES.signature([id, user, time], body);
    assert_eq!(signature.to_ascii_lowercase(), genuine);
    if let Ok(body) = WebhookBody::parse(body) {
        // What an output would show is not shown.
        assert!(!format!("{body:?}").contains("payload:"));
    }
}

/// A genuine delivery verifies; with one byte of anything changed it does not.
fn changed(bytes: &[u8]) {
    let Some(([skew, id, user, which, at, by], body)) = bytes.split_first_chunk::<6>() else {
        return;
    };
    let time = (NOW + i64::from(*skew as i8)).to_string();
    let (id, user) = (format!("id-{id}"), format!("user {user}"));
    let signature = PARTIES.signature([&id, &user, &time], body);
    let mut texts = [id, user, time, signature].map(String::into_bytes);
    let mut body = body.to_vec();
    assert!(
        PARTIES
            .verify(&headers(&texts).expect("plain"), &body)
            .is_ok()
    );
    let target = match usize::from(*which) % 5 {
        4 if body.is_empty() => return,
        4 => &mut body,
        header => &mut texts[header],
    };
    let place = usize::from(*at) % target.len();
    let before = target[place];
    target[place] = *by;
    let same = before == *by || *which % 5 == 3 && before.eq_ignore_ascii_case(by);
    if let Some(headers) = headers(&texts) {
        assert_eq!(PARTIES.verify(&headers, &body).is_ok(), same);
    }
}

fn headers(texts: &[Vec<u8>; 4]) -> Option<HeaderMap> {
    let pairs = NAMES.into_iter().zip(texts);
    pairs
        .map(|(name, text)| {
            let value = HeaderValue::from_bytes(text).ok()?;
            Some((HeaderName::from_static(name), value))
        })
        .collect()
}

/// Any document: no panic, neither in reading it nor in the use of its keys, and a bounded number.
pub fn key_document(document: &[u8]) {
    if let Ok(keys) = KeySet::parse(document) {
        assert!((1..=16).contains(&keys.len()));
        assert!(document.len() <= 64 << 10);
        let message = signed_message("id", "user", "1", b"body");
        // What it says is of no interest: whoever writes this document decides who may sign.
        keys.verify(message.as_bytes(), &[0; 64]);
    }
}

#[cfg(test)]
mod tests {
    fn seeds(target: &str, check: fn(&[u8])) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lamina/fuzz/seeds/");
        let files = std::fs::read_dir(format!("{folder}{target}")).unwrap();
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            check(&std::fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 2, "{target} has {count} seeds");
    }

    #[test]
    fn the_seeds_of_the_delivery_target_hold() {
        seeds("webhooks", super::delivery);
    }

    #[test]
    fn the_seeds_of_the_key_document_target_hold() {
        seeds("webhook_keys", super::key_document);
    }
}
