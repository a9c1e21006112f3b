//! The safe way to open a stranger's URL.
//!
//! A URL that came from outside may point into the network that the program runs in, at something
//! endless or at something that answers a byte a minute. [`Fetcher`] opens none of these: every address
//! is checked in every spelling, before the connection that uses it; every redirect is a new URL;
//! bytes and time are bounded while they pass. [`FetchPolicy::check_url`] gives the part of the
//! verdict that needs no network, so that a request can be refused when it is made.
//!
//! It does not look into what it fetched, keeps nothing between fetches and sends nothing of the
//! caller's. Invariant: no connection is ever made to an address that was not checked.
//!
//! ```
//! use safe_fetch::{FetchError, FetchPolicy, Fetched, Fetcher};
//!
//! let policy = FetchPolicy { max_bytes: 5 << 20, ..FetchPolicy::default() };
//! // A cloud's metadata service, in one of the spellings of its address.
//! let refused = policy.check_url(&"https://0xA9FEA9FE/latest/meta-data/".parse()?).unwrap_err();
//! assert_eq!(refused.code(), "fetch_address_refused");
//!
//! // One for the whole program; it is cheap to clone.
//! let fetcher = Fetcher::new(policy);
//! async fn picture(fetcher: &Fetcher) -> Result<Fetched, FetchError> {
//!     let url = "https://images.example/cat.png".parse().expect("a URL");
//!     // The same check, of whatever the name resolves to as well, and of every redirect.
//!     fetcher.fetch(&url).await
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod address;
mod coding;
mod deliver;
mod error;
mod fetcher;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/checks.rs"]
pub mod fuzzing;
mod policy;
mod resolver;
mod send_error;

pub use deliver::Delivered;
pub use error::{FetchClass, FetchError, FetchSetupError, Refusal, ShownUrl};
pub use fetcher::{Fetched, Fetcher};
pub use policy::{FetchPolicy, InvalidPrefix, SourcePrefix};

/// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
