//! Which keys there are, at once: those of the configuration and those of the store, as a map that
//! is replaced whole when a key is made or revoked. A request costs one SHA-256 and one look-up;
//! the store is not asked.
//!
//! One process owns the store, and every change of a key passes through it, so the map is true at
//! the moment the change is answered. A service that ever had a key is never open again: revoking
//! the last one must not let everybody in.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::rate_meter::RateMeter;
use crate::access::{KeyDigest, LimitRules, OwnerLimits};
use crate::jobs::OwnerId;
use crate::store::{KeyRecord, Store, StoreError};

/// `RATE_LIMIT=auto`, for callers with a key: enough for an app that shows many jobs at once.
const USUAL_RATE: &str = "50/s burst 100";
/// `MAX_JOBS_PER_KEY=auto`, for callers with a key.
const USUAL_JOBS: u32 = 100;

/// What the configuration says of keys and limits.
#[derive(Clone, Debug, Default)]
pub struct KeyRules {
    /// Keys of owners.
    pub configured: Vec<(OwnerId, KeyDigest)>,
    /// Keys that open `/api/admin` and nothing else.
    pub admins: Vec<KeyDigest>,
    /// Whether a key is wanted even while there is none.
    pub closed: bool,
    /// Limits of owners for whom nothing was set.
    pub limits: LimitRules,
    /// Most that an owner may spend in a day, for whom nothing was set, in millionths of a dollar.
    pub daily_microusd: Option<u64>,
}

/// The keys that the service knows; none of them as text.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    rules: Arc<KeyRules>,
    ring: Arc<RwLock<Arc<Ring>>>,
    /// Held while the map is made, so that an older one never replaces a newer one.
    loading: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Ring {
    /// By digest; the flag says whether the key opens `/api/admin`.
    keys: HashMap<KeyDigest, (Arc<Account>, bool)>,
    /// Whoever comes without a key, where that is allowed.
    anonymous: Option<Arc<Account>>,
    /// Whether the store ever had a key.
    ever_had_keys: bool,
    /// Who has a key of the store that the configuration gives to somebody else.
    shared: Option<(String, String)>,
}

/// One owner, as its requests are judged.
#[derive(Debug)]
pub(in crate::http) struct Account {
    pub(in crate::http) owner: OwnerId,
    /// Jobs at once.
    pub(in crate::http) max_jobs: Option<u32>,
    /// Spending in a day.
    pub(in crate::http) daily_microusd: Option<u64>,
    pub(in crate::http) meter: Option<RateMeter>,
    /// Of requests to resumable uploads that were begun.
    pub(in crate::http) uploads: Option<RateMeter>,
}

/// Who may do what an operator may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) enum Admission {
    /// `ADMIN_KEY`, or the command line on the same machine.
    Operator,
    /// A key of this owner with the right.
    Owner(OwnerId),
    /// A key without the right.
    Refused,
    /// No key that is known.
    Unknown,
}

impl ApiKeys {
    /// No keys: everybody is the owner `anonymous`.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::by(KeyRules::default())
    }

    /// Keys by the names of their owners, without limits. A name may have several keys, so that
    /// one can be replaced without an interruption.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pair = |(name, key)| (OwnerId::named(name), KeyDigest::of(key));
        Self::by(KeyRules {
            configured: pairs.into_iter().map(pair).collect(),
            limits: LimitRules {
                rate: crate::access::Rule::Off,
                max_jobs: crate::access::Rule::Off,
            },
            ..KeyRules::default()
        })
    }

    /// By these rules, and with no key of the store yet.
    #[must_use]
    pub fn by(rules: KeyRules) -> Self {
        let ring = Ring::of(&rules, &[], &[], &Ring::default());
        Self {
            rules: Arc::new(rules),
            ring: Arc::new(RwLock::new(Arc::new(ring))),
            loading: Arc::default(),
        }
    }

    /// The same keys, and one more that opens `/api/admin`.
    pub(in crate::http) fn also_admitting(&self, admin: &KeyDigest) -> Self {
        let mut rules = KeyRules::clone(&self.rules);
        rules.admins.push(admin.clone());
        Self {
            rules: Arc::new(rules),
            ..self.clone()
        }
    }

    /// Reads keys and limits of the store; to be called before requests are let in, and after
    /// every change.
    ///
    /// # Errors
    /// The store's; the keys stay as they were.
    pub async fn load(&self, store: &dyn Store) -> Result<(), StoreError> {
        let _alone = self.loading.lock().await;
        let (keys, owners) = (store.key_list().await?, store.owner_list().await?);
        let ring = Ring::of(&self.rules, &keys, &owners, &self.ring());
        *self.ring.write() = Arc::new(ring);
        Ok(())
    }

    /// Whether anybody may ask.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.ring().anonymous.is_some()
    }

    /// Whether the store ever had a key, revoked ones included.
    #[must_use]
    pub fn ever_had_keys(&self) -> bool {
        self.ring().ever_had_keys
    }

    /// Who has a key of the store that the configuration gives to somebody else, and to whom. Nobody
    /// could tell whose request it is.
    #[must_use]
    pub fn shared(&self) -> Option<(String, String)> {
        self.ring().shared.clone()
    }

    /// Owners whose keys stand in the configuration.
    pub(in crate::http) fn configured(&self) -> BTreeSet<&OwnerId> {
        self.rules
            .configured
            .iter()
            .map(|(owner, _)| owner)
            .collect()
    }

    /// The cap on what an owner may cost in a day, in millionths of a US dollar.
    pub(in crate::http) fn daily_microusd(&self, owner: &OwnerId) -> Option<u64> {
        let ring = self.ring();
        let mut accounts = ring.keys.values().map(|(account, _)| account);
        let found = accounts.find(|account| account.owner == *owner);
        found.map_or(self.rules.daily_microusd, |account| account.daily_microusd)
    }

    /// Whoever may ask without a key; `None` when nobody may.
    pub(in crate::http) fn without_key(&self) -> Option<Arc<Account>> {
        self.ring().anonymous.clone()
    }

    /// The owner of a key.
    pub(in crate::http) fn of(&self, key: &str) -> Option<Arc<Account>> {
        let ring = self.ring();
        let found = ring.keys.get(&KeyDigest::of(key));
        found.map(|(account, _)| Arc::clone(account))
    }

    /// What a key allows at `/api/admin`.
    pub(in crate::http) fn admission(&self, key: &str) -> Admission {
        let given = KeyDigest::of(key);
        // Looks at every one, whichever matches.
        let operator = self.rules.admins.iter().filter(|known| **known == given);
        if operator.count() > 0 {
            return Admission::Operator;
        }
        match self.ring().keys.get(&given) {
            Some((account, true)) => Admission::Owner(account.owner.clone()),
            Some((_, false)) => Admission::Refused,
            None => Admission::Unknown,
        }
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read())
    }
}

impl Ring {
    fn of(
        rules: &KeyRules,
        keys: &[KeyRecord],
        owners: &[(OwnerId, OwnerLimits)],
        before: &Self,
    ) -> Self {
        let set: HashMap<&OwnerId, OwnerLimits> = owners
            .iter()
            .map(|(owner, limits)| (owner, *limits))
            .collect();
        let limits = |owner: &OwnerId| set.get(owner).copied().unwrap_or_default();
        // Who has used up a rate stays where it was when another key is made.
        let mut known: HashMap<OwnerId, Arc<Account>> = before
            .keys
            .values()
            .map(|(account, _)| (account.owner.clone(), Arc::clone(account)))
            .collect();
        let mut account = |owner: &OwnerId| {
            let fresh = Account::of(rules, owner, limits(owner), true);
            let kept = known
                .remove(owner)
                .filter(|account| account.same_limits(&fresh));
            let account = kept.unwrap_or_else(|| Arc::new(fresh));
            known.insert(owner.clone(), Arc::clone(&account));
            account
        };
        let mut ring = Self {
            ever_had_keys: !keys.is_empty(),
            ..Self::default()
        };
        for (owner, digest) in &rules.configured {
            ring.keys.insert(digest.clone(), (account(owner), false));
        }
        for key in keys.iter().filter(|key| key.revoked_at.is_none()) {
            let configured = ring.keys.get(&key.digest);
            let other = match configured.map(|(account, _)| &account.owner) {
                Some(owner) if *owner != key.owner => Some(owner.to_string()),
                _ if rules.admins.contains(&key.digest) => Some("ADMIN_KEY".to_owned()),
                _ => None,
            };
            if let Some(other) = other {
                ring.shared = Some((key.owner.to_string(), other));
            }
            ring.keys
                .insert(key.digest.clone(), (account(&key.owner), key.admin));
        }
        if !rules.closed && rules.configured.is_empty() && keys.is_empty() {
            let anybody = OwnerId::anonymous();
            let fresh = Account::of(rules, &anybody, limits(&anybody), false);
            let kept = before
                .anonymous
                .clone()
                .filter(|account| account.same_limits(&fresh));
            ring.anonymous = Some(kept.unwrap_or_else(|| Arc::new(fresh)));
        }
        ring
    }
}

impl Account {
    fn of(rules: &KeyRules, owner: &OwnerId, set: OwnerLimits, has_key: bool) -> Self {
        let rate = set.rate.or_else(|| {
            let usual = USUAL_RATE.parse().ok()?;
            rules.limits.rate.bound(has_key, usual)
        });
        Self {
            owner: owner.clone(),
            max_jobs: set
                .max_jobs
                .or(rules.limits.max_jobs.bound(has_key, USUAL_JOBS)),
            daily_microusd: set.daily_microusd.or(rules.daily_microusd),
            meter: rate.and_then(RateMeter::new),
            uploads: rate.and_then(RateMeter::of_uploads),
        }
    }

    fn same_limits(&self, other: &Self) -> bool {
        let rate = |account: &Self| account.meter.as_ref().map(RateMeter::rate);
        self.max_jobs == other.max_jobs
            && self.daily_microusd == other.daily_microusd
            && rate(self) == rate(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::KeyId;
    use crate::jobs::UnixMs;

    fn record(owner: &str, key: &str, admin: bool) -> KeyRecord {
        let digest = KeyDigest::of(key);
        KeyRecord {
            id: KeyId::of(&digest),
            owner: OwnerId::named(owner),
            digest,
            admin,
            created_at: UnixMs(1),
            revoked_at: None,
        }
    }

    fn owner(keys: &ApiKeys, key: &str) -> Option<String> {
        keys.of(key).map(|account| account.owner.to_string())
    }

    #[test]
    fn a_key_names_its_owner_and_no_other() {
        let keys = ApiKeys::new([("a", "first"), ("b", "second"), ("b", "third")]);
        assert_eq!(owner(&keys, "first").as_deref(), Some("a"));
        assert_eq!(owner(&keys, "second").as_deref(), Some("b"));
        assert_eq!(owner(&keys, "third").as_deref(), Some("b"));
        assert_eq!(owner(&keys, "First"), None);
        assert_eq!(owner(&keys, ""), None);
        assert!(keys.without_key().is_none());
    }

    #[test]
    fn a_key_of_the_store_that_the_configuration_gives_to_another_is_told() {
        let rules = KeyRules {
            configured: vec![(OwnerId::named("a"), KeyDigest::of("first"))],
            admins: vec![KeyDigest::of("boss")],
            ..KeyRules::default()
        };
        let shared = |owner: &str, key: &str| {
            let ring = Ring::of(&rules, &[record(owner, key, false)], &[], &Ring::default());
            ring.shared
        };
        assert_eq!(shared("b", "first"), Some(("b".into(), "a".into())));
        assert_eq!(shared("b", "boss"), Some(("b".into(), "ADMIN_KEY".into())));
        assert_eq!(shared("a", "first"), None);
        assert_eq!(shared("b", "second"), None);
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let shown = format!("{:?}", ApiKeys::new([("app", "very-secret")]));
        assert!(shown.contains("app") && !shown.contains("very-secret"));
    }

    #[test]
    fn a_service_that_ever_had_a_key_is_not_open_again() {
        let rules = KeyRules::default();
        let open = Ring::of(&rules, &[], &[], &Ring::default());
        assert!(open.anonymous.is_some());
        let revoked = KeyRecord {
            revoked_at: Some(UnixMs(2)),
            ..record("a", "k", true)
        };
        let ring = Ring::of(&rules, &[revoked], &[], &open);
        assert!(ring.anonymous.is_none() && ring.keys.is_empty());
    }

    #[test]
    fn another_key_gives_no_fresh_burst_and_another_limit_does() {
        let rules = KeyRules::default();
        let limited = |rate: &str| {
            let limits = OwnerLimits {
                rate: Some(rate.parse().unwrap()),
                ..OwnerLimits::default()
            };
            [(OwnerId::named("a"), limits)]
        };
        let (first, second) = (record("a", "first", false), record("a", "second", false));
        let used = |ring: &Ring, key: &KeyRecord| {
            let meter = ring.keys[&key.digest].0.meter.as_ref().unwrap();
            meter.count().1.is_err()
        };
        let slow = limited("1/h");
        let ring = Ring::of(
            &rules,
            std::slice::from_ref(&first),
            &slow,
            &Ring::default(),
        );
        assert!(!used(&ring, &first) && used(&ring, &first));
        let both = [first.clone(), second.clone()];
        let ring = Ring::of(&rules, &both, &slow, &ring);
        assert!(used(&ring, &second));
        let ring = Ring::of(&rules, &both, &limited("2/h"), &ring);
        assert!(!used(&ring, &second) && !used(&ring, &first) && used(&ring, &first));
    }

    #[test]
    fn limits_are_the_usual_ones_with_a_key_and_none_without() {
        let account = |has_key| {
            let rules = KeyRules::default();
            Account::of(
                &rules,
                &OwnerId::named("a"),
                OwnerLimits::default(),
                has_key,
            )
        };
        let with = account(true);
        assert_eq!(with.max_jobs, Some(USUAL_JOBS));
        let rate = with.meter.unwrap().rate().to_string();
        assert_eq!(rate, USUAL_RATE);
        let without = account(false);
        assert!(without.meter.is_none() && without.max_jobs.is_none());
    }

    #[test]
    fn a_right_to_administer_belongs_to_a_key() {
        let keys = ApiKeys::by(KeyRules {
            admins: vec![KeyDigest::of("operator")],
            ..KeyRules::default()
        });
        let records = [record("a", "plain", false), record("a", "boss", true)];
        let ring = Ring::of(&keys.rules, &records, &[], &Ring::default());
        *keys.ring.write() = Arc::new(ring);
        assert_eq!(keys.admission("operator"), Admission::Operator);
        assert_eq!(
            keys.admission("boss"),
            Admission::Owner(OwnerId::named("a"))
        );
        assert_eq!(keys.admission("plain"), Admission::Refused);
        assert_eq!(keys.admission("other"), Admission::Unknown);
        assert!(keys.of("operator").is_none(), "it is nobody's key");
    }
}
