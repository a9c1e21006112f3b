//! Who may use the service, as configured: keys, limits, and the refusal to serve strangers by
//! accident.

use secrecy::ExposeSecret as _;

use crate::access::KeyDigest;
use crate::config::Config;
use crate::http::KeyRules;
use crate::jobs::OwnerId;

/// The rules for keys and limits.
pub(super) fn key_rules(config: &Config) -> KeyRules {
    let digest = |key: &secrecy::SecretString| KeyDigest::of(key.expose_secret());
    KeyRules {
        configured: config
            .api_keys
            .iter()
            .map(|(name, key)| (OwnerId::named(name), digest(key)))
            .collect(),
        admins: config.admin_key.iter().map(digest).collect(),
        closed: !config.listen.ip().is_loopback() && !config.allow_anonymous,
        limits: config.limits,
        daily_microusd: config.spend.owner_microusd,
    }
}

/// Whether nobody could use the service: it is reached from outside, so callers need keys, and
/// there is neither one nor a way to make one over the network. `has_keys`: whether the database
/// ever had a key; then the service starts, closed, so that revoking the last key ends no process.
#[must_use]
pub(crate) fn nobody_may_call(config: &Config, has_keys: bool) -> bool {
    let rules = key_rules(config);
    rules.closed && rules.configured.is_empty() && rules.admins.is_empty() && !has_keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_needs_keys_or_a_word() {
        let nobody = |more: &[(&str, &str)], has_keys| {
            let options = [("HOST", "0.0.0.0")].iter().chain(more).copied();
            nobody_may_call(&Config::from_pairs(options).unwrap(), has_keys)
        };
        assert!(nobody(&[], false));
        assert!(!nobody(&[], true));
        assert!(!nobody(&[("ALLOW_ANONYMOUS", "true")], false));
        assert!(!nobody(&[("API_KEYS", "app:0123456789abcdef")], false));
        assert!(!nobody(&[("ADMIN_KEY", "0123456789abcdef")], false));
        assert!(!nobody(&[("HOST", "127.0.0.1")], false));
    }
}
