//! Who does what an operator may: for the line in the log that every action leaves.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::access::{KeyDigest, KeyId};
use crate::http::state::api_keys::Admission;

/// `operator` for `ADMIN_KEY` and for the command line of the same machine; for a key of the store its owner and its id,
/// which is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Who(String);

impl Who {
    pub(super) fn of(admission: &Admission, key: &str) -> Self {
        Self(match admission {
            Admission::Owner(owner) => {
                let id = KeyId::of(&KeyDigest::of(key));
                format!("{owner}, key {id}")
            }
            Admission::Operator => "operator".to_owned(),
            Admission::Refused | Admission::Unknown => "nobody".to_owned(),
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    /// The door has put it there; a route without the door would name nobody.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let who = parts.extensions.get::<Self>().cloned();
        Ok(who.unwrap_or_else(|| Self::of(&Admission::Unknown, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::OwnerId;

    #[test]
    fn a_key_is_named_by_its_owner_and_its_id_and_never_by_itself() {
        let admission = Admission::Owner(OwnerId::named("app"));
        let who = Who::of(&admission, "test");
        // printf test | sha256sum
        assert_eq!(who.to_string(), "app, key 9f86d081884c");
        assert_eq!(
            Who::of(&Admission::Operator, "a secret").to_string(),
            "operator"
        );
    }
}
