//! Identifiers, each its own type so that one cannot stand for another. Job and upload ids are
//! UUIDv7: they sort by creation time and are safe to show. A nonce is a secret.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use super::UnixMs;

fn uuid_v7(now: UnixMs) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, millis / 1000, nanos))
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id that sorts by `now`.
            #[must_use]
            pub fn new(now: UnixMs) -> Self {
                Self(uuid_v7(now))
            }

            /// When the id was made, as it says itself; `None` for an id that is no UUIDv7.
            #[must_use]
            pub fn made_at(&self) -> Option<UnixMs> {
                let (secs, nanos) = self.0.get_timestamp()?.to_unix();
                let millis = secs.checked_mul(1000)?.checked_add(u64::from(nanos / 1_000_000))?;
                i64::try_from(millis).ok().map(UnixMs)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// Names one job.
    JobId
);
impl JobId {
    /// All its bits, for whoever needs another id of the same job.
    #[must_use]
    pub const fn as_u128(&self) -> u128 {
        self.0.as_u128()
    }
}

uuid_id!(
    /// Names one upload.
    UploadId
);

/// Whoever authenticated: the name beside an API key, or `anonymous`.
/// Cheap to clone, since every request carries one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerId(Arc<str>);

impl OwnerId {
    /// The owner of everything when no API keys are configured.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    /// An owner by name, as configuration and the store hold it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The engine's own name for a submission; opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 122 random bits that tie one submission to its webhook. It stands in the webhook's URL, so it
/// is shown to the engine alone and never logged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh nonce from the system's random source.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The text that stands in the webhook's URL and in the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(|uuid| Self(uuid.simple().to_string()))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_sort_by_the_time_they_were_made() {
        let early = JobId::new(UnixMs(1_000));
        let late = JobId::new(UnixMs(2_000));
        assert!(early < late);
        assert_eq!(late.made_at(), Some(UnixMs(2_000)));
        assert_eq!(early.to_string().parse::<JobId>().unwrap(), early);
    }

    #[test]
    fn a_nonce_does_not_show_itself() {
        let nonce = Nonce::random();
        assert!(!format!("{nonce:?}").contains(nonce.as_str()));
        assert_eq!(nonce.as_str().parse::<Nonce>().unwrap(), nonce);
    }
}
