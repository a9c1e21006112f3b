//! Who wants to hear that a job was written, in this process. The store tells after each commit, from memory and
//! with one look at the row however many listen; with nobody listening it costs nothing.
//!
//! What is told is a hint to read the job, never the job: whoever listens begins to listen, then reads, then waits,
//! so that no change falls in between. Nothing piles up behind a slow listener: of a job there is one word, "it was
//! written", and of an owner a bounded list, after which it is told that it missed some. Other processes are not
//! heard; one process owns the store.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use super::Gone;
use crate::jobs::{JobId, OwnerId};

/// Changes of an owner's jobs that are kept for a listener that is slow.
const KEPT: usize = 256;

/// A job that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub id: JobId,
    /// Who owns it.
    pub owner: OwnerId,
    /// Why there is nothing to read any more.
    pub gone: Option<Gone>,
    /// Its place among the owner's jobs that ended, if it did.
    pub ended: Option<i64>,
}

/// Where changes are told and heard. Clones are the same feed.
#[derive(Clone, Debug, Default)]
pub struct ChangeFeed(Arc<Mutex<Listeners>>);

#[derive(Debug, Default)]
struct Listeners {
    jobs: HashMap<JobId, watch::Sender<Option<Gone>>>,
    owners: HashMap<OwnerId, broadcast::Sender<OwnerNews>>,
}

/// Listens to one job until it is dropped.
#[derive(Debug)]
pub struct JobWatch {
    feed: ChangeFeed,
    id: JobId,
    heard: Option<watch::Receiver<Option<Gone>>>,
}

/// Listens to all jobs of one owner until it is dropped.
#[derive(Debug)]
pub struct OwnerWatch {
    feed: ChangeFeed,
    owner: OwnerId,
    heard: Option<broadcast::Receiver<OwnerNews>>,
}

/// What a listener to an owner's jobs hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerNews {
    /// A job was written.
    Job {
        id: JobId,
        /// As in [`Changed::ended`].
        ended: Option<i64>,
    },
    /// More were written than are kept for it.
    Missed,
}

impl ChangeFeed {
    /// Listens to a job. Whether there is such a job does not matter.
    #[must_use]
    pub fn watch_job(&self, id: JobId) -> JobWatch {
        let mut listeners = self.0.lock();
        let told = listeners.jobs.entry(id);
        let told = told.or_insert_with(|| watch::Sender::new(None));
        JobWatch {
            heard: Some(told.subscribe()),
            feed: self.clone(),
            id,
        }
    }

    /// Listens to an owner's jobs, those that are created later too.
    #[must_use]
    pub fn watch_owner(&self, owner: &OwnerId) -> OwnerWatch {
        let mut listeners = self.0.lock();
        let told = listeners.owners.entry(owner.clone());
        let told = told.or_insert_with(|| broadcast::Sender::new(KEPT));
        OwnerWatch {
            heard: Some(told.subscribe()),
            feed: self.clone(),
            owner: owner.clone(),
        }
    }

    /// Whether anyone listens to anything.
    #[must_use]
    pub fn has_listeners(&self) -> bool {
        let listeners = self.0.lock();
        !listeners.jobs.is_empty() || !listeners.owners.is_empty()
    }

    /// Whether anyone listens to this job, or to all of this owner's, and will read it.
    #[must_use]
    pub fn is_watched(&self, id: JobId, owner: &OwnerId) -> bool {
        let listeners = self.0.lock();
        listeners.jobs.contains_key(&id) || listeners.owners.contains_key(owner)
    }

    /// Tells whoever listens to the job, or to all of its owner's.
    pub fn tell(&self, changed: &Changed) {
        let listeners = self.0.lock();
        if let Some(told) = listeners.jobs.get(&changed.id) {
            told.send_replace(changed.gone);
        }
        if let Some(told) = listeners.owners.get(&changed.owner) {
            // An error says that nobody is left, which the last one to go clears away.
            let _ = told.send(OwnerNews::Job {
                id: changed.id,
                ended: changed.ended,
            });
        }
    }

    /// Tells everybody to read again, where it is not known what was written.
    pub fn tell_everybody(&self) {
        let mut listeners = self.0.lock();
        for told in listeners.jobs.values() {
            told.send_modify(|_| {});
        }
        for told in listeners.owners.values_mut() {
            // Whoever listens to the old one finds that it has ended, and takes that for missed changes.
            *told = broadcast::Sender::new(KEPT);
        }
    }
}

impl JobWatch {
    /// Waits until the job was written since the last call, or since the watch began. Why it is gone, once it is.
    /// Nothing is lost when the caller stops waiting.
    pub async fn changed(&mut self) -> Option<Gone> {
        let Some(heard) = &mut self.heard else {
            return std::future::pending().await;
        };
        match heard.changed().await {
            Ok(()) => *heard.borrow_and_update(),
            // It is there as long as anyone listens.
            Err(_) => std::future::pending().await,
        }
    }
}

impl OwnerWatch {
    /// The next job that was written. Nothing is lost when the caller stops waiting.
    pub async fn changed(&mut self) -> OwnerNews {
        let Some(heard) = &mut self.heard else {
            return std::future::pending().await;
        };
        match heard.recv().await {
            Ok(news) => news,
            Err(broadcast::error::RecvError::Lagged(_)) => OwnerNews::Missed,
            Err(broadcast::error::RecvError::Closed) => {
                *self = self.feed.watch_owner(&self.owner);
                OwnerNews::Missed
            }
        }
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        self.heard = None;
        let mut listeners = self.feed.0.lock();
        let told = listeners.jobs.get(&self.id);
        if told.is_some_and(|told| told.receiver_count() == 0) {
            listeners.jobs.remove(&self.id);
        }
    }
}

impl Drop for OwnerWatch {
    fn drop(&mut self) {
        self.heard = None;
        let mut listeners = self.feed.0.lock();
        let told = listeners.owners.get(&self.owner);
        if told.is_some_and(|told| told.receiver_count() == 0) {
            listeners.owners.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;
    use crate::jobs::UnixMs;

    fn changed(id: JobId, owner: &str, gone: Option<Gone>) -> Changed {
        Changed {
            id,
            owner: OwnerId::named(owner),
            gone,
            ended: None,
        }
    }

    fn news(id: JobId) -> OwnerNews {
        OwnerNews::Job { id, ended: None }
    }

    #[tokio::test]
    async fn many_changes_of_a_job_are_one_word_for_a_slow_listener() {
        let (feed, id, other) = (
            ChangeFeed::default(),
            JobId::new(UnixMs(1)),
            JobId::new(UnixMs(2)),
        );
        let mut watch = feed.watch_job(id);
        assert!(poll!(pin!(watch.changed())).is_pending());
        feed.tell(&changed(other, "a", None));
        assert!(poll!(pin!(watch.changed())).is_pending());
        for _ in 0..10_000 {
            feed.tell(&changed(id, "a", None));
        }
        assert_eq!(watch.changed().await, None);
        assert!(poll!(pin!(watch.changed())).is_pending());
        feed.tell(&changed(id, "a", Some(Gone::Deleted)));
        assert_eq!(watch.changed().await, Some(Gone::Deleted));
    }

    #[tokio::test]
    async fn a_slow_listener_to_an_owner_is_told_that_it_missed_some() {
        let feed = ChangeFeed::default();
        let mut watch = feed.watch_owner(&OwnerId::named("a"));
        let ids: Vec<JobId> = (0..2 * KEPT as i64)
            .map(|ms| JobId::new(UnixMs(ms)))
            .collect();
        feed.tell(&changed(ids[0], "b", None));
        feed.tell(&changed(ids[1], "a", None));
        assert_eq!(watch.changed().await, news(ids[1]));
        for id in &ids {
            feed.tell(&changed(*id, "a", None));
        }
        assert_eq!(watch.changed().await, OwnerNews::Missed);
        assert_eq!(watch.changed().await, news(ids[KEPT]));
        feed.tell_everybody();
        while watch.changed().await != OwnerNews::Missed {}
        feed.tell(&changed(ids[0], "a", None));
        assert_eq!(watch.changed().await, news(ids[0]));
    }

    #[test]
    fn nothing_is_kept_of_those_who_went() {
        let (feed, id, owner) = (
            ChangeFeed::default(),
            JobId::new(UnixMs(1)),
            OwnerId::named("a"),
        );
        let (first, second) = (feed.watch_job(id), feed.watch_job(id));
        let watch = feed.watch_owner(&owner);
        drop(first);
        assert!(feed.has_listeners() && feed.is_watched(id, &OwnerId::named("b")));
        drop(second);
        assert!(!feed.is_watched(id, &OwnerId::named("b")) && feed.is_watched(id, &owner));
        drop(watch);
        assert!(!feed.has_listeners());
    }
}
