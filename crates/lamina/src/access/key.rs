//! An API key: made here, shown once, and kept as its SHA-256 alone.
//!
//! No slow, salted hash: those make guessing dear where a secret is short or chosen by a person. A
//! key of lamina's has 244 random bits, which nobody guesses at any price, so slowness would only
//! be a lever for whoever wants to load the service, paid at every request.

use std::fmt;
use std::hash::{Hash, Hasher};

use aws_lc_rs::{constant_time, digest};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::jobs::OwnerId;

/// What every key begins with, so that people and scanners for leaked secrets know one.
const PREFIX: &str = "lam_";
/// Most bytes of an owner's name.
const NAME_BYTES: usize = 64;

/// A new key, as long as its text is known.
#[derive(Debug)]
pub struct ApiKey {
    text: SecretString,
    digest: KeyDigest,
}

impl ApiKey {
    /// A fresh key from the system's random source: `lam_` and 64 hex digits, 244 bits of them
    /// random (two UUIDv4).
    #[must_use]
    pub fn random() -> Self {
        let (first, second) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let text = format!("{PREFIX}{first}{second}");
        Self {
            digest: KeyDigest::of(&text),
            text: SecretString::from(text),
        }
    }

    /// The key itself, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> &KeyDigest {
        &self.digest
    }
}

/// The SHA-256 of a key. Comparing two takes the same time whatever they hold. A map finds one by
/// a hash under a key of its own process (SipHash), so that nobody who sends keys and takes the
/// time learns anything of those that are known.
#[derive(Clone, Eq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key as it was sent.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }

    /// A digest as the store holds it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyDigest {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

/// Names a key without being of any use to whoever reads it: the first 12 hex digits of its
/// digest. Whoever finds a key somewhere can tell which one it is with `sha256sum`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// The name of the key with this digest.
    #[must_use]
    pub fn of(digest: &KeyDigest) -> Self {
        Self(const_hex::encode(&digest.0[..6]))
    }

    /// A name as somebody wrote it; whether there is such a key, the store knows.
    #[must_use]
    pub fn named(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What [`owner_name`] takes, for whoever wrote another.
pub const OWNER_NAME: &str = "a name of 1 to 64 bytes, without colon, comma and control characters and without space around it";

/// An owner's name as a key may have it: 1 to 64 bytes, no control characters, no space around it,
/// and neither of the signs that `API_KEYS` (`name:key,name:key`) is read by, so that an owner can
/// have keys in both places.
#[must_use]
pub fn owner_name(text: &str) -> Option<OwnerId> {
    let fits = (1..=NAME_BYTES).contains(&text.len()) && text.trim() == text;
    let plain = !text.contains(|sign: char| sign.is_control() || sign == ':' || sign == ',');
    (fits && plain).then(|| OwnerId::named(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_its_prefix_and_does_not_show_itself() {
        let (key, other) = (ApiKey::random(), ApiKey::random());
        assert!(key.expose().starts_with("lam_") && key.expose().len() == 68);
        assert_ne!(key.digest(), other.digest());
        assert_eq!(KeyDigest::of(key.expose()), *key.digest());
        let shown = format!("{key:?}");
        assert!(!shown.contains(&key.expose()[4..]), "{shown}");
    }

    #[test]
    fn the_name_of_a_key_is_what_sha256sum_begins_with() {
        let id = KeyId::of(&KeyDigest::of("abc"));
        assert_eq!(id.as_str(), "ba7816bf8f01");
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(owner_name("app").is_some() && owner_name("the app 2").is_some());
        for wrong in ["", " app", "a\nb", "a:b", "a,b", &"x".repeat(65)] {
            assert!(owner_name(wrong).is_none(), "{wrong:?}");
        }
    }
}
