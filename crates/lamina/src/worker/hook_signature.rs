//! Signatures of outgoing webhooks, as <https://www.standardwebhooks.com> has them: over the message's id, the second
//! of the attempt and the body, by HMAC-SHA256 with each secret that is valid.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::jobs::UnixMs;
use crate::store::{Delivery, HookSettings};

/// The headers of an attempt at `now`.
pub(super) fn headers(
    delivery: &Delivery,
    settings: &HookSettings,
    now: UnixMs,
) -> Vec<(&'static str, String)> {
    let timestamp = now.as_secs();
    let signed = format!("{}.{timestamp}.{}", delivery.id, delivery.body);
    let old = settings.old.filter(|(_, until)| now < *until);
    let secrets = std::iter::once(settings.secret).chain(old.map(|(secret, _)| secret));
    let signatures: Vec<String> = secrets
        .map(|secret| signature(secret.as_bytes(), &signed))
        .collect();
    vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", delivery.id.clone()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

fn signature(secret: &[u8], signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reference library of Standard Webhooks signs the same message.
    #[test]
    fn a_signature_is_that_of_the_reference_library() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&secret, signed), right);
    }
}
