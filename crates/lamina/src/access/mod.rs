//! Who may use the service, and how much: API keys as the store holds them, limits of an owner,
//! days of spending. Pure, like `jobs`: it holds no state, reads no clock and asks no store. Whose
//! request it is, and whether it is one too many, is `http`'s; what a day has cost is `store`'s.

mod hook_secret;
mod key;
mod limits;
mod rate;
mod spend;
mod storage;

pub use hook_secret::HookSecret;
pub use key::{ApiKey, KeyDigest, KeyId, OWNER_NAME, owner_name};
pub use limits::{LimitRules, OwnerLimits, Rule};
pub use rate::{Rate, RateError};
pub use spend::{SpendCaps, UtcDay, parse_usd, usd};
pub use storage::{StorageCaps, StorageRules};
