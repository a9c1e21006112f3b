//! What those who wait for news of jobs may rely on.

use std::sync::Arc;

use super::*;
use crate::store::{OwnerNews, Retrial};

pub(in crate::store) async fn the_ends_of_an_owners_jobs_have_an_order_that_is_kept(
    store: Arc<dyn Store>,
) {
    let a = owner("a");
    assert_eq!(store.job_ended_last(&a).await.unwrap(), 0);
    let mut ids = Vec::new();
    for secs in 0..3 {
        ids.push(create(&*store, at(secs)).await);
    }
    assert_eq!(store.job_open_list(&a, None, 9).await.unwrap(), ids);
    let behind = store.job_open_list(&a, Some(ids[0]), 1).await.unwrap();
    assert_eq!(behind, [ids[1]]);

    let claimed = claim(&*store, Phase::Prepare, at(3)).await.unwrap();
    let (first, lease) = (claimed.lease.job, claimed.lease);
    let mut failed = change(Phase::Failed, at(3));
    failed.failure = Some(crate::jobs::FailureCode::EngineFailed.into());
    let applied = store.job_apply(&lease, failed, StepOutput::None, false, at(3).into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let second = *ids.iter().find(|id| **id != first).unwrap();
    store.job_delete(&a, second, at(4)).await.unwrap();
    let ended = store.job_ended_list(&a, 0, 9).await.unwrap();
    assert_eq!(ended, [(first, 1), (second, 2)]);
    assert_eq!(store.job_ended_list(&a, 0, 1).await.unwrap(), ended[..1]);
    assert_eq!(store.job_ended_list(&a, 1, 9).await.unwrap(), ended[1..]);
    assert_eq!(store.job_ended_list(&owner("b"), 0, 9).await.unwrap(), []);

    // What is retried has not ended, and ends anew; what goes after its end goes last.
    let retried = store.job_retry(first, false, at(5)).await.unwrap();
    assert_eq!(retried, Retrial::Done);
    assert_eq!(store.job_ended_list(&a, 0, 9).await.unwrap(), ended[1..]);
    assert!(
        store
            .job_open_list(&a, None, 9)
            .await
            .unwrap()
            .contains(&first)
    );
    store.job_delete(&a, first, at(6)).await.unwrap();
    let last = store.job_ended_list(&a, 2, 9).await.unwrap();
    assert_eq!(last, [(first, 3)]);
    assert_eq!(store.job_ended_last(&a).await.unwrap(), 3);
    assert_eq!(store.job_ended_last(&owner("b")).await.unwrap(), 0);
}

pub(in crate::store) async fn whoever_listens_hears_of_every_commit_after_it(
    store: Arc<dyn Store>,
) {
    let mut all = store.changes().watch_owner(&owner("a"));
    let id = create(&*store, T0).await;
    assert_eq!(all.changed().await, OwnerNews::Job { id, ended: None });
    let mut one = store.changes().watch_job(id);
    let claimed = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(one.changed().await, None);
    let applied = store.job_apply(
        &claimed.lease,
        change(Phase::Submit, T0),
        StepOutput::Source(SOURCE_INFO),
        false,
        T0.into(),
    );
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    // A change before this may have been told once for both.
    while found(&*store, id).await.phase != Phase::Submit {
        one.changed().await;
    }
    store.job_delete(&owner("a"), id, at(1)).await.unwrap();
    while one.changed().await != Some(Gone::Deleted) {}
    while all.changed().await != (OwnerNews::Job { id, ended: Some(1) }) {}
    drop((one, all));
    assert!(!store.changes().has_listeners());
}
