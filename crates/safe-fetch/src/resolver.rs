//! Host names to addresses that were checked.
//!
//! The HTTP client asks here and connects to nothing else, so there is no moment between the check
//! of an address and its use in which the name could change its answer.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address;
use super::policy::FetchPolicy;

/// More addresses of one name than this are not tried.
const MAX_ADDRESSES: usize = 16;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for the addresses of a name: the system in service, a script in tests.
pub(super) type Lookup = Arc<dyn Fn(String) -> Answer + Send + Sync>;

/// The system's own resolver, on a blocking thread.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Which of a name's addresses may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public addresses and those that a setting allows: for the ports 80 and 443.
    Public,
    /// Only those that a setting allows: for every other port.
    AllowedOnly,
}

/// A resolver that answers with checked addresses only.
pub(super) struct CheckedResolver {
    pub(super) policy: Arc<FetchPolicy>,
    pub(super) reach: Reach,
    pub(super) lookup: Lookup,
}

/// Every address of a name was refused; travels inside the client's error.
#[derive(Debug, Clone, Copy)]
pub(super) enum RefusedName {
    Range(&'static str),
    Port,
}

impl fmt::Display for RefusedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => write!(f, "the name has {range} addresses only"),
            Self::Port => write!(f, "the name has no address that is allowed on this port"),
        }
    }
}

impl std::error::Error for RefusedName {}

/// The name was not found; travels inside the client's error.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnknownName;

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name was not found")
    }
}

impl std::error::Error for UnknownName {}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = (self.lookup)(name.as_str().to_owned());
        let policy = Arc::clone(&self.policy);
        let reach = self.reach;
        Box::pin(async move {
            let found = answer.await.map_err(|_| UnknownName)?;
            if found.is_empty() {
                return Err(UnknownName.into());
            }
            let mut refused = RefusedName::Port;
            let mut checked = Vec::new();
            for address in found.into_iter().take(MAX_ADDRESSES) {
                let verdict = match address::check_public(address) {
                    _ if policy.is_allowed(address) => Ok(()),
                    Ok(()) if reach == Reach::Public => Ok(()),
                    Ok(()) => Err(RefusedName::Port),
                    Err(range) => Err(RefusedName::Range(range)),
                };
                match verdict {
                    Ok(()) => checked.push(SocketAddr::new(address, 0)),
                    Err(reason) => refused = reason,
                }
            }
            if checked.is_empty() {
                return Err(refused.into());
            }
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}
