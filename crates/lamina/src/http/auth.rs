//! Who is asking. Keys are kept as SHA-256 and compared in constant time over all entries; a key
//! is 32 random bytes, so a slow hash would only be a lever for whoever wants to load the service.
//! It decides identity, not rights: an owner sees exactly what it owns.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::browser::refuse_strangers_pages;
use super::edge::Edge;
use super::error::ApiError;
use crate::jobs::OwnerId;

/// The configured API keys; none of them as text.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    owner: OwnerId,
    sha256: [u8; 32],
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.owner)
    }
}

impl ApiKeys {
    /// No keys: everybody is the owner `anonymous`.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Keys by the names of their owners. A name may have several keys, so that one can be
    /// replaced without an interruption.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entries = pairs
            .into_iter()
            .map(|(name, key)| Entry {
                owner: OwnerId::named(name),
                sha256: sha256(key),
            })
            .collect();
        Self { entries }
    }

    /// Whether anybody may ask.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.entries.is_empty()
    }

    /// The owner of a key. Looks at every entry, whichever matches.
    fn owner_of(&self, key: &str) -> Option<OwnerId> {
        let given = sha256(key);
        self.entries.iter().fold(None, |found, entry| {
            let same = constant_time::verify_slices_are_equal(&entry.sha256, &given).is_ok();
            if same {
                Some(entry.owner.clone())
            } else {
                found
            }
        })
    }

    fn identify(&self, request: &Request) -> Result<OwnerId, ApiError> {
        if self.is_anonymous() {
            return Ok(OwnerId::anonymous());
        }
        let header = request.headers().get(AUTHORIZATION);
        let key = header
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, key)| key.trim());
        key.and_then(|key| self.owner_of(key))
            .ok_or(ApiError::Unauthorized {
                sent: header.is_some(),
            })
    }
}

fn sha256(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    bytes
}

/// Lets a request pass with its owner, or answers 401; without keys, refuses what strangers' pages
/// send. Stands before every `/api` route. The
/// owner is put on the answer as well, for the log line.
pub(super) async fn authenticate(
    State(edge): State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let owner = edge.keys.identify(&request)?;
    if edge.keys.is_anonymous() {
        refuse_strangers_pages(&edge, request.method(), request.uri(), request.headers())?;
    }
    request.extensions_mut().insert(Caller(owner.clone()));
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Caller(owner));
    Ok(response)
}

/// Whoever sent an authenticated request.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) OwnerId);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // A route outside the authenticated part that asks for its caller is a defect; it fails
        // closed.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::Internal("a route without authentication".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_owner_and_no_other() {
        let keys = ApiKeys::new([("a", "first"), ("b", "second"), ("b", "third")]);
        assert_eq!(keys.owner_of("first"), Some(OwnerId::named("a")));
        assert_eq!(keys.owner_of("second"), Some(OwnerId::named("b")));
        assert_eq!(keys.owner_of("third"), Some(OwnerId::named("b")));
        assert_eq!(keys.owner_of("First"), None);
        assert_eq!(keys.owner_of(""), None);
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let shown = format!("{:?}", ApiKeys::new([("app", "very-secret")]));
        assert!(shown.contains("app") && !shown.contains("very-secret"));
    }
}
