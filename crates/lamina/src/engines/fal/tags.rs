//! What a submission is tagged with, so that fal's list of requests can say whose it is. The list does not promise to name
//! tags; where it does, they decide.

use aws_lc_rs::digest;

use crate::jobs::Nonce;

pub(super) const JOB: &str = "lamina-job";
pub(super) const NONCE: &str = "lamina-nonce";

/// The nonce opens the webhook's address, so only its digest is told to whoever can read tags.
pub(super) fn nonce_tag(nonce: &Nonce) -> String {
    let digest = digest::digest(&digest::SHA256, nonce.as_str().as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_ref()[..16]);
    format!("{:032x}", u128::from_be_bytes(half))
}

/// Whether the tags are those of this submission; `None` where they do not say.
pub(super) fn ours(tags: &[(String, String)], job: &str, nonce: &str) -> Option<bool> {
    let value = |wanted| {
        let mut named = tags.iter().filter(|(name, _)| name == wanted);
        named.next().map(|(_, value)| value.as_str())
    };
    match (value(JOB), value(NONCE)) {
        (_, Some(tag)) => Some(tag == nonce),
        (Some(tag), None) if tag != job => Some(false),
        (Some(_) | None, None) => None,
    }
}
