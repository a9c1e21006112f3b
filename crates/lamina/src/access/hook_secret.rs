//! What signs an owner's outgoing webhooks, in the form that <https://www.standardwebhooks.com> gives it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// 32 bytes, 244 bits of them random (two UUIDv4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HookSecret([u8; 32]);

impl HookSecret {
    /// A fresh one from the system's random source.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        bytes[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Self(bytes)
    }

    /// One that was kept.
    #[must_use]
    pub const fn kept(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// To keep it, and to sign with.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `whsec_` and base64, for the owner alone.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret")
    }
}
