//! fal's public keys, read from a JWKS document.
//!
//! The live document pads its base64url, the standard does not: both are read. Keys of another
//! kind are skipped; a document without any usable key is an error, so that it never replaces a
//! good set.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;

/// A document larger than this is none of fal's.
const LARGEST_DOCUMENT: usize = 64 << 10;

/// Every key costs one verification per forged webhook, so their number has a bound.
const MOST_KEYS: usize = 16;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A set of Ed25519 keys; any of them may have signed.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<[u8; 32]>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JWKS document; the error is a sentence.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > LARGEST_DOCUMENT {
            return Err(format!("the key document has {} bytes", document.len()));
        }
        let document: Document = serde_json::from_slice(document)
            .map_err(|_| "the key document is not a JWKS".to_owned())?;
        let keys: Vec<_> = document
            .keys
            .iter()
            .filter_map(key)
            .take(MOST_KEYS)
            .collect();
        if keys.is_empty() {
            return Err("the key document holds no Ed25519 key".to_owned());
        }
        Ok(Self { keys })
    }

    /// The set of one public key.
    #[cfg(any(test, fuzzing))]
    pub(super) fn of(key: &[u8]) -> Self {
        let keys = vec![key.try_into().expect("an Ed25519 key has 32 bytes")];
        Self { keys }
    }

    /// How many keys there are.
    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// True if any key made `signature` over `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(message, signature)
                .is_ok()
        })
    }
}

/// The 32 bytes of an Ed25519 signing key; `kty`, `crv` and `use` count where they are given.
fn key(jwk: &Value) -> Option<[u8; 32]> {
    for (name, wanted) in [("kty", "OKP"), ("crv", "Ed25519"), ("use", "sig")] {
        if jwk.get(name).is_some_and(|given| given != wanted) {
            return None;
        }
    }
    BASE64URL
        .decode(jwk.get("x")?.as_str()?)
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(document: &Value) -> Result<usize, String> {
        KeySet::parse(document.to_string().as_bytes()).map(|set| set.keys.len())
    }

    #[test]
    fn padded_and_unpadded_keys_are_the_same_and_others_are_skipped() {
        let unpadded = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let padded = format!("{unpadded}=");
        assert_eq!(
            count(&json!({"keys": [{"x": unpadded}, {"x": padded}]})),
            Ok(2)
        );
        assert_eq!(
            count(&json!({"keys": [
                {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "a", "x": padded},
                {"kty": "OKP", "crv": "X25519", "x": padded},
                {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
                {"use": "enc", "x": padded},
                {"x": "c2hvcnQ"},
                {"x": "not base64!"},
                {"x": 7},
                "text",
            ]})),
            Ok(1)
        );
    }

    #[test]
    fn a_document_without_a_usable_key_is_an_error() {
        assert!(count(&json!({"keys": []})).is_err());
        assert!(count(&json!({"keys": [{"kty": "RSA"}]})).is_err());
        assert!(count(&json!([])).is_err());
        assert!(KeySet::parse(b"<html>").is_err());
        let padding = " ".repeat(LARGEST_DOCUMENT);
        assert!(KeySet::parse(padding.as_bytes()).is_err());
    }
}
