//! How much an owner may do. Limits are the owner's, not one key's: two keys of one name, as there
//! are while a key is replaced, share them.

use super::Rate;

/// What was set for one owner; `None` is the service's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnerLimits {
    /// Requests.
    pub rate: Option<Rate>,
    /// Jobs that are neither completed nor failed, at once.
    pub max_jobs: Option<u32>,
    /// Spending in a UTC day, in millionths of a US dollar; 0 allows what is free alone.
    pub daily_microusd: Option<u64>,
    /// Bytes that are kept at once, promised ones too; 0 keeps nothing.
    pub storage_bytes: Option<u64>,
}

impl OwnerLimits {
    /// These limits where they say something, else those of `before`.
    #[must_use]
    pub fn over(self, before: Self) -> Self {
        Self {
            rate: self.rate.or(before.rate),
            max_jobs: self.max_jobs.or(before.max_jobs),
            daily_microusd: self.daily_microusd.or(before.daily_microusd),
            storage_bytes: self.storage_bytes.or(before.storage_bytes),
        }
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An option that bounds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule<T> {
    /// The usual bound where callers have keys; none where anybody may call, that is on loopback.
    #[default]
    Auto,
    /// No bound.
    Off,
    /// This bound, for everybody.
    At(T),
}

impl<T: Copy> Rule<T> {
    /// The bound of a caller; `usual` is what `Auto` means for one with a key.
    #[must_use]
    pub fn bound(self, has_key: bool, usual: T) -> Option<T> {
        match self {
            Self::Auto => has_key.then_some(usual),
            Self::Off => None,
            Self::At(bound) => Some(bound),
        }
    }
}

/// What holds for owners for whom nothing was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitRules {
    /// Requests.
    pub rate: Rule<Rate>,
    /// Jobs at once.
    pub max_jobs: Rule<u32>,
}
