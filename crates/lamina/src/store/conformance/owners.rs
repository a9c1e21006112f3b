//! Keys, limits and the ledger of spending.

use super::*;
use crate::access::{KeyDigest, KeyId, OwnerLimits, SpendCaps, UtcDay};
use crate::store::{KeyRecord, Lease, StoreError};

fn key(name: &str, text: &str, now: UnixMs) -> KeyRecord {
    let digest = KeyDigest::of(text);
    KeyRecord {
        id: KeyId::of(&digest),
        owner: owner(name),
        digest,
        admin: text.contains("admin"),
        created_at: now,
        revoked_at: None,
    }
}

pub(in crate::store) async fn a_key_is_kept_until_it_is_revoked_and_then_remembered(
    store: Arc<dyn Store>,
) {
    let (first, second) = (key("a", "1", at(1)), key("a", "2 admin", at(2)));
    let none = OwnerLimits::default();
    for key in [&second, &first] {
        store.key_create(key.clone(), none).await.unwrap();
    }
    assert_eq!(
        store.key_list().await.unwrap(),
        [first.clone(), second.clone()]
    );
    let revoked = KeyRecord {
        revoked_at: Some(at(3)),
        ..first.clone()
    };
    for now in [at(3), at(9)] {
        let answer = store.key_revoke(&first.id, now).await.unwrap();
        assert_eq!(answer, Some(revoked.clone()), "again at {now}");
    }
    assert_eq!(store.key_list().await.unwrap(), [revoked, second]);
    let unknown = KeyId::named("nothing");
    assert_eq!(store.key_revoke(&unknown, at(4)).await.unwrap(), None);
    let twice = store.key_create(first, none).await;
    assert!(matches!(twice, Err(StoreError::Defect(_))), "{twice:?}");
}

pub(in crate::store) async fn limits_are_the_owners_and_stay_with_its_next_key(
    store: Arc<dyn Store>,
) {
    let limits = OwnerLimits {
        rate: Some("20/s burst 40".parse().unwrap()),
        max_jobs: Some(7),
        daily_microusd: None,
        storage_bytes: Some(1 << 40),
    };
    store
        .key_create(key("a", "1", at(1)), limits)
        .await
        .unwrap();
    store
        .key_create(key("b", "2", at(1)), OwnerLimits::default())
        .await
        .unwrap();
    assert_eq!(store.owner_list().await.unwrap(), [(owner("a"), limits)]);
    let more = OwnerLimits {
        daily_microusd: Some(0),
        max_jobs: Some(9),
        storage_bytes: Some(0),
        ..OwnerLimits::default()
    };
    store.key_create(key("a", "3", at(2)), more).await.unwrap();
    let all = OwnerLimits {
        rate: limits.rate,
        ..more
    };
    assert_eq!(store.owner_list().await.unwrap(), [(owner("a"), all)]);
    store.owner_limit(&owner("a"), more).await.unwrap();
    assert_eq!(store.owner_list().await.unwrap(), [(owner("a"), more)]);
}

pub(in crate::store) async fn jobs_at_work_are_bounded_however_many_come_at_once(
    store: Arc<dyn Store>,
) {
    let attempts = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let job = NewJob {
                max_active: Some(3),
                ..new_job(T0)
            };
            store.job_create(job, None).await.unwrap()
        })
    });
    let mut made = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Created::New => made += 1,
            other => assert_eq!(other, Created::TooManyJobs { limit: 3 }),
        }
    }
    assert_eq!(made, 3);
    let day = UtcDay::of(T0);
    let usage = store.owner_usage(&owner("a"), day).await.unwrap();
    assert_eq!(usage.active_jobs, 3);
    // A job that has ended gives its place back.
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let failed = Change {
        failure: Some(FailureCode::SourceLost.into()),
        ..change(Phase::Failed, T0)
    };
    let applied = store.job_apply(&job.lease, failed, StepOutput::None, false, T0.into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let job = NewJob {
        max_active: Some(3),
        ..new_job(at(1))
    };
    assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
}

/// A job of `name`, claimed and ready to be submitted.
async fn submittable(store: &dyn Store, name: &str, now: UnixMs) -> Lease {
    let job = NewJob {
        owner: owner(name),
        ..new_job(now)
    };
    assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
    let job = claim(store, Phase::Prepare, now).await.unwrap();
    let prepared = change(Phase::Submit, now);
    let applied = store.job_apply(&job.lease, prepared, StepOutput::None, true, now.into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    job.lease
}

async fn spent(store: &dyn Store, name: &str, now: UnixMs) -> (u64, u64) {
    let day = UtcDay::of(now);
    let usage = store.owner_usage(&owner(name), day).await.unwrap();
    (usage.owner_microusd, usage.total_microusd)
}

pub(in crate::store) async fn what_may_have_been_taken_is_spent(store: Arc<dyn Store>) {
    let caps = SpendCaps {
        total_microusd: None,
        owner_microusd: Some(100_000),
    };
    let open = async |lease: &Lease, price, now: UnixMs| {
        let nonce = Nonce::random();
        let opening = store
            .submission_open(
                lease,
                &nonce,
                crate::store::Call::at(price),
                caps,
                now.into(),
            )
            .await;
        (opening.unwrap(), nonce)
    };
    let lease = submittable(&*store, "a", T0).await;
    let (opening, refused) = open(&lease, 50_000, T0).await;
    assert_eq!(opening, Opening::Opened);
    assert_eq!(spent(&*store, "a", T0).await, (50_000, 50_000));
    // Not taken: nothing is owed.
    let close = async |nonce: &Nonce, state| {
        let request = Some(RequestId("r".into()));
        store
            .submission_close(nonce, state, request.as_ref(), T0)
            .await
            .unwrap();
    };
    close(&refused, SubmissionState::Refused).await;
    assert_eq!(spent(&*store, "a", T0).await, (0, 0));
    // Nobody knows, and taken: it counts. What was said to be refused and is proven taken, too.
    let (_, unknown) = open(&lease, 50_000, T0).await;
    close(&unknown, SubmissionState::Unknown).await;
    assert_eq!(spent(&*store, "a", T0).await, (50_000, 50_000));
    close(&refused, SubmissionState::Accepted).await;
    close(&refused, SubmissionState::Accepted).await;
    assert_eq!(spent(&*store, "a", T0).await, (100_000, 100_000));
    assert_eq!(spent(&*store, "b", T0).await, (0, 100_000));
    // The cap is reached, for what costs something, on this day.
    assert_eq!(open(&lease, 1, T0).await.0, Opening::CapReached);
    assert_eq!(open(&lease, 0, T0).await.0, Opening::Opened);
    let tomorrow = T0.plus(DAY);
    assert_eq!(open(&lease, 100_000, tomorrow).await.0, Opening::Opened);
    assert_eq!(spent(&*store, "a", tomorrow).await, (100_000, 100_000));
    assert_eq!(spent(&*store, "a", T0).await, (100_000, 100_000));
    // What was set for the owner is what counts for it.
    let own = OwnerLimits {
        daily_microusd: Some(150_000),
        ..OwnerLimits::default()
    };
    store.owner_limit(&owner("a"), own).await.unwrap();
    assert_eq!(open(&lease, 50_001, T0).await.0, Opening::CapReached);
    assert_eq!(open(&lease, 50_000, T0).await.0, Opening::Opened);
    store.lease_release(&lease).await.map(drop).unwrap();
    assert_eq!(open(&lease, 50_000, T0).await.0, Opening::LostLease);
}

pub(in crate::store) async fn no_number_of_workers_spends_more_than_the_caps_allow(
    store: Arc<dyn Store>,
) {
    let caps = SpendCaps {
        total_microusd: Some(520_000),
        owner_microusd: Some(300_000),
    };
    let mut leases = Vec::new();
    for number in 0..60 {
        let name = ["a", "b", "c"][number % 3];
        leases.push((name, submittable(&*store, name, T0).await));
    }
    let attempts = leases.into_iter().map(|(name, lease)| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let nonce = Nonce::random();
            let opening = store
                .submission_open(
                    &lease,
                    &nonce,
                    crate::store::Call::at(50_000),
                    caps,
                    T0.into(),
                )
                .await;
            (name, opening.unwrap())
        })
    });
    let mut opened = std::collections::BTreeMap::<&str, u64>::new();
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            (name, Opening::Opened) => *opened.entry(name).or_default() += 50_000,
            (_, other) => assert_eq!(other, Opening::CapReached),
        }
    }
    assert_eq!(opened.values().sum::<u64>(), 500_000);
    for (name, sum) in opened {
        assert!(sum <= 300_000, "{name} spent {sum}");
        assert_eq!(spent(&*store, name, T0).await, (sum, 500_000));
    }
}
