//! The only way to open a stranger's URL.
//!
//! A URL that came from outside may point into the network lamina runs in, at something endless or
//! at something that answers a byte a minute. [`Fetcher`] opens none of these: every address is
//! checked in every spelling, before the connection that uses it; every redirect is a new URL;
//! bytes and time are bounded while they pass. [`FetchPolicy::check_url`] gives the part of the
//! verdict that needs no network, so that a request can be refused when it is made.
//!
//! It does not look into what it fetched, keeps nothing between fetches and sends nothing of the
//! caller's. Invariant: no connection is ever made to an address that was not checked.

mod address;
mod coding;
mod error;
mod fetcher;
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/checks/fetch.rs"]
pub(crate) mod fuzzing;
mod policy;
mod resolver;
mod send_error;

pub use error::{FetchClass, FetchError, FetchSetupError, Refusal, ShownUrl};
pub use fetcher::{Fetched, Fetcher};
pub use policy::{FetchPolicy, InvalidPrefix, SourcePrefix};

#[cfg(test)]
mod tests;
