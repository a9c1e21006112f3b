//! How much may be kept. Pure numbers; what is kept, `store` knows.

use super::Rule;

/// What is configured; [`Rule::Auto`] of the total is what the disk has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageRules {
    /// Of all owners together.
    pub total_bytes: Rule<u64>,
    pub owner_bytes: Option<u64>,
    /// Of one owner's uploads that nobody has looked at.
    pub incoming_bytes: Option<u64>,
}

impl StorageRules {
    /// The bounds, where so many bytes are kept already and the disk has so many left; `None` where
    /// what is kept does not lie on a disk of this machine. A tenth of what is left stays for others.
    #[must_use]
    pub fn caps(&self, kept: u64, free: Option<u64>) -> StorageCaps {
        StorageCaps {
            total_bytes: match self.total_bytes {
                Rule::Auto => free.map(|free| kept.saturating_add(free - free / 10)),
                Rule::Off => None,
                Rule::At(bytes) => Some(bytes),
            },
            owner_bytes: self.owner_bytes,
            incoming_bytes: self.incoming_bytes,
        }
    }
}

/// Bounds on the bytes that are kept; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageCaps {
    /// Of all owners together.
    pub total_bytes: Option<u64>,
    pub owner_bytes: Option<u64>,
    /// Of those, what nobody has looked at and lies on this machine's disk: tickets and resumable
    /// uploads, whether or not their bytes have come.
    pub incoming_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_bounds_all_owners_together_unless_something_is_set() {
        let total = |rule, free| {
            let rules = StorageRules {
                total_bytes: rule,
                ..StorageRules::default()
            };
            rules.caps(50, free).total_bytes
        };
        assert_eq!(total(Rule::Auto, Some(1000)), Some(950));
        assert_eq!(total(Rule::Auto, None), None);
        assert_eq!(total(Rule::Off, Some(1000)), None);
        assert_eq!(total(Rule::At(7), None), Some(7));
    }
}
