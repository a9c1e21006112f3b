//! The file store behind the CDN paths: bytes in memory under `/files/b/<8 hex>/<name>`, with
//! lifetime, access rule, and the trouble that was scripted for a file.
//!
//! It does not answer HTTP. Invariant: a file that has expired is not found, whether or not its
//! memory was given back yet; the oldest files go first when there are too many.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use crate::clock::Clock;
use crate::shared::lock;

/// Bytes kept before the oldest files are dropped; files that share their memory count once.
const MOST_BYTES: usize = 1 << 30;
const DEFAULT_LIFETIME_MS: u64 = 7 * 24 * 3_600_000;

/// Who may read a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone with the URL.
    #[default]
    Allow,
    /// Others are refused.
    Forbid,
    /// Others do not see that it exists.
    Hide,
}

/// What a lifecycle header asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lifecycle {
    /// `None`: the account's default of 7 days. `Some(0)`: never.
    seconds: Option<u64>,
    access: Access,
}

impl Lifecycle {
    /// Reads `{"expiration_duration_seconds": n, "initial_acl": {"default": …}}`; what cannot be
    /// read counts as absent.
    pub(crate) fn parse(header: &str) -> Self {
        let value: Value = serde_json::from_str(header).unwrap_or_default();
        let seconds = match value.get("expiration_duration_seconds") {
            Some(Value::Null) => Some(0),
            Some(number) => number.as_u64(),
            None => None,
        };
        let access = match value["initial_acl"]["default"].as_str() {
            Some("forbid") => Access::Forbid,
            Some("hide") => Access::Hide,
            _ => Access::Allow,
        };
        Self { seconds, access }
    }
}

/// How a file's body is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// As it is.
    #[default]
    Whole,
    /// 404.
    Missing,
    /// A byte now and then, for ever.
    Drips,
    /// 500 so many more times.
    Failing(u32),
    /// 404 so many more times.
    MissingFor(u32),
    /// A text so many more times.
    GarbledFor(u32),
    /// The file, then zeros up to this length.
    Huge { bytes: u64, declared: bool },
    /// Half of the promised length.
    Cut,
}

#[derive(Clone, Debug)]
struct StoredFile {
    content_type: String,
    body: Bytes,
    delivery: Delivery,
    access: Access,
    expires_ms: Option<u64>,
}

/// What a reader gets.
#[derive(Debug)]
pub(crate) enum Found {
    /// The file and how to deliver it.
    File {
        content_type: String,
        body: Bytes,
        delivery: Delivery,
    },
    /// It is there, and not for this reader.
    Forbidden,
    /// It is not there, or not any more, or hidden.
    Missing,
}

/// The store.
pub(crate) struct Cdn {
    clock: Clock,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    files: HashMap<String, StoredFile>,
    order: VecDeque<String>,
    bytes: usize,
    /// How many files share a piece of memory, by where it begins.
    sharing: HashMap<usize, usize>,
}

impl Store {
    fn keep(&mut self, path: String, file: StoredFile) {
        let sharing = self.sharing.entry(file.body.as_ptr() as usize).or_default();
        *sharing += 1;
        if *sharing == 1 {
            self.bytes += file.body.len();
        }
        self.order.push_back(path.clone());
        self.files.insert(path, file);
    }

    /// False when it was not there (any more).
    fn remove(&mut self, path: &str) -> bool {
        let Some(file) = self.files.remove(path) else {
            return false;
        };
        let place = file.body.as_ptr() as usize;
        let sharing = self.sharing.entry(place).or_default();
        *sharing = sharing.saturating_sub(1);
        if *sharing == 0 {
            self.sharing.remove(&place);
            self.bytes = self.bytes.saturating_sub(file.body.len());
        }
        true
    }
}

impl Cdn {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            store: Mutex::default(),
        }
    }

    /// A path that no file has.
    pub(crate) fn fresh_path(name: &str) -> String {
        let hash = Uuid::new_v4().simple().to_string();
        format!("/files/b/{}/{name}", &hash[..8])
    }

    /// A random file name with this extension.
    pub(crate) fn fresh_name(extension: &str) -> String {
        format!("{}.{extension}", Uuid::new_v4().simple())
    }

    /// Stores a file at a path from [`Cdn::fresh_path`].
    pub(crate) fn put(
        &self,
        path: String,
        content_type: &str,
        body: Bytes,
        lifecycle: Lifecycle,
        delivery: Delivery,
    ) {
        let lifetime_ms = match lifecycle.seconds {
            None => Some(DEFAULT_LIFETIME_MS),
            Some(0) => None,
            Some(seconds) => Some(seconds.saturating_mul(1000)),
        };
        let mut store = lock(&self.store);
        let file = StoredFile {
            content_type: content_type.to_owned(),
            body,
            delivery,
            access: lifecycle.access,
            expires_ms: lifetime_ms.map(|ms| self.clock.aged_ms().saturating_add(ms)),
        };
        store.keep(path, file);
        while store.bytes > MOST_BYTES {
            let Some(oldest) = store.order.pop_front() else {
                break;
            };
            store.remove(&oldest);
        }
    }

    /// Looks a file up for a reader. A failing delivery counts down here.
    pub(crate) fn find(&self, path: &str, owner: bool) -> Found {
        let now_ms = self.clock.aged_ms();
        let mut store = lock(&self.store);
        let Some(file) = store.files.get_mut(path) else {
            return Found::Missing;
        };
        if file.expires_ms.is_some_and(|expires| expires <= now_ms) {
            return Found::Missing;
        }
        match (file.access, owner) {
            (Access::Forbid, false) => return Found::Forbidden,
            (Access::Hide, false) => return Found::Missing,
            _ => {}
        }
        let delivery = file.delivery;
        if let Delivery::Failing(left) | Delivery::MissingFor(left) | Delivery::GarbledFor(left) =
            &mut file.delivery
        {
            *left = left.saturating_sub(1);
        }
        Found::File {
            content_type: file.content_type.clone(),
            body: file.body.clone(),
            delivery,
        }
    }

    /// Forgets a file; false when it was not there (any more).
    pub(crate) fn remove(&self, path: &str) -> bool {
        lock(&self.store).remove(path)
    }

    /// Forgets all files.
    pub(crate) fn clear(&self) {
        *lock(&self.store) = Store::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn stored(cdn: &Cdn, lifecycle: &str) -> String {
        let path = Cdn::fresh_path("a.png");
        let lifecycle = Lifecycle::parse(lifecycle);
        let body = Bytes::from_static(b"x");
        cdn.put(path.clone(), "image/png", body, lifecycle, Delivery::Whole);
        path
    }

    #[test]
    fn files_live_as_long_as_their_lifecycle_says() {
        let clock = Clock::from_fn(|| 0);
        let cdn = Cdn::new(clock.clone());
        let minute = stored(&cdn, r#"{"expiration_duration_seconds": 60}"#);
        let forever = stored(&cdn, r#"{"expiration_duration_seconds": null}"#);
        let default = stored(&cdn, "{}");
        clock.skip(Duration::from_secs(61));
        assert!(matches!(cdn.find(&minute, true), Found::Missing));
        assert!(matches!(cdn.find(&default, false), Found::File { .. }));
        clock.skip(Duration::from_secs(8 * 24 * 3600));
        assert!(matches!(cdn.find(&default, false), Found::Missing));
        assert!(matches!(cdn.find(&forever, false), Found::File { .. }));
    }

    #[test]
    fn files_that_share_their_memory_count_once() {
        let cdn = Cdn::new(Clock::from_fn(|| 0));
        let body = Bytes::from(vec![7; 1000]);
        let put = |body: &Bytes| {
            let path = Cdn::fresh_path("a.png");
            let (body, rule) = (body.clone(), Lifecycle::default());
            cdn.put(path.clone(), "image/png", body, rule, Delivery::Whole);
            path
        };
        let bytes = || lock(&cdn.store).bytes;
        let (first, second) = (put(&body), put(&body));
        assert_eq!(bytes(), 1000);
        put(&Bytes::from(vec![8; 1000]));
        assert_eq!(bytes(), 2000);
        assert!(cdn.remove(&first) && !cdn.remove(&first));
        assert_eq!(bytes(), 2000);
        assert!(cdn.remove(&second));
        assert_eq!(bytes(), 1000);
    }

    #[test]
    fn access_rules_keep_strangers_out() {
        let cdn = Cdn::new(Clock::from_fn(|| 0));
        let forbidden = stored(&cdn, r#"{"initial_acl": {"default": "forbid"}}"#);
        let hidden = stored(&cdn, r#"{"initial_acl": {"default": "hide"}}"#);
        assert!(matches!(cdn.find(&forbidden, false), Found::Forbidden));
        assert!(matches!(cdn.find(&hidden, false), Found::Missing));
        assert!(matches!(cdn.find(&hidden, true), Found::File { .. }));
    }
}
