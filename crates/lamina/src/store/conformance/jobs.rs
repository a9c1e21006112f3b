//! Jobs as their owners see them: made, read, listed, deleted, expired.

use super::*;
use crate::store::StoreError;

pub(in crate::store) async fn a_job_is_seen_by_its_owner_alone(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    assert_eq!(found(&*store, id).await.phase, Phase::Prepare);
    assert_eq!(
        store.job_get(&owner("b"), id).await.unwrap(),
        Lookup::Missing
    );
    assert_eq!(
        store.job_delete(&owner("b"), id, T0).await.unwrap(),
        Deletion::Missing
    );
    assert!(
        store
            .job_list(&owner("b"), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(in crate::store) async fn a_source_beside_its_row_goes_when_its_job_is_over(
    store: Arc<dyn Store>,
) {
    let bytes = Bytes::from_static(b"a picture");
    let mut ids = Vec::new();
    for second in 0..3 {
        let mut job = new_job(at(second));
        job.source_bytes = (second != 2).then(|| bytes.clone());
        job.prepared = second != 2;
        ids.push(job.id);
        assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
    }
    let kept = |index: usize| {
        let (store, id) = (Arc::clone(&store), ids[index]);
        async move { store.source_bytes(id).await.unwrap() }
    };
    assert_eq!(kept(0).await.as_ref(), Some(&bytes));
    assert_eq!(kept(1).await.as_ref(), Some(&bytes));
    assert_eq!(kept(2).await, None);
    assert_eq!(phase(&*store, ids[1]).await, Some(Phase::Submit));
    assert_eq!(phase(&*store, ids[2]).await, Some(Phase::Prepare));
    store.job_delete(&owner("a"), ids[0], at(3)).await.unwrap();
    assert_eq!(kept(0).await, None);
    assert!(kept(1).await.is_some());
    store.job_expire(at(1).plus(DAY), 9).await.unwrap();
    assert_eq!(kept(1).await, None);
}

pub(in crate::store) async fn a_list_is_newest_first_and_goes_on_after_its_cursor(
    store: Arc<dyn Store>,
) {
    let mut ids = Vec::new();
    for second in 0..5 {
        ids.push(create(&*store, at(second)).await);
    }
    ids.reverse();
    let first = store.job_list(&owner("a"), None, 3).await.unwrap();
    let second = store
        .job_list(&owner("a"), first.last().map(|job| job.id), 3)
        .await
        .unwrap();
    let listed: Vec<JobId> = first.iter().chain(&second).map(|job| job.id).collect();
    assert_eq!(listed, ids);
}

pub(in crate::store) async fn a_key_names_one_job_as_long_as_it_lives(store: Arc<dyn Store>) {
    let key = |body: u8| {
        Some(IdempotencyKey {
            key: "k".into(),
            body_sha256: [body; 32],
        })
    };
    let (first, second) = (new_job(T0), new_job(at(1)));
    let id = first.id;
    assert_eq!(store.job_create(first, key(1)).await.unwrap(), Created::New);
    assert_eq!(
        store.job_create(second.clone(), key(1)).await.unwrap(),
        Created::Existing {
            id,
            phase: Phase::Prepare,
            resubmitted: false,
        }
    );
    assert_eq!(
        store.job_create(second.clone(), key(2)).await.unwrap(),
        Created::KeyConflict
    );
    assert_eq!(
        store
            .job_by_key(&owner("b"), &key(1).unwrap())
            .await
            .unwrap(),
        None
    );
    store.job_delete(&owner("a"), id, at(2)).await.unwrap();
    assert_eq!(
        store.job_create(second, key(2)).await.unwrap(),
        Created::New
    );
}

pub(in crate::store) async fn a_deleted_job_takes_the_lease_and_is_erased_then_forgotten(
    store: Arc<dyn Store>,
) {
    let (id, _) = accepted(&*store, T0).await;
    let claimed = claim(&*store, Phase::Wait, T0).await.unwrap();
    assert_eq!(
        store.job_delete(&owner("a"), id, at(5)).await.unwrap(),
        Deletion::Done(ended(id, T0))
    );
    assert_eq!(
        store.job_delete(&owner("a"), id, at(6)).await.unwrap(),
        Deletion::Gone(Gone::Deleted)
    );
    assert_eq!(
        store.job_get(&owner("a"), id).await.unwrap(),
        Lookup::Gone(Gone::Deleted)
    );
    let late = store
        .job_apply(
            &claimed.lease,
            change(Phase::Wait, at(7)),
            StepOutput::None,
            false,
            at(7).into(),
        )
        .await
        .unwrap();
    assert_eq!(late, FencedWrite::LostLease);

    let run = Cancellable {
        id,
        engine: EngineKind::Fal,
        request: RequestId("r1".into()),
        place: None,
    };
    assert_eq!(store.job_cancellable(10, &[]).await.unwrap(), [run]);
    assert_eq!(store.job_cancellable(10, &[id]).await.unwrap(), []);
    assert_eq!(store.job_erasable(10, &[]).await.unwrap(), [id]);
    assert_eq!(store.job_erasable(10, &[id]).await.unwrap(), []);
    assert_eq!(store.job_with_bytes(&[id]).await.unwrap(), [id]);
    store.job_erased(id, at(8)).await.unwrap();
    assert!(store.job_erasable(10, &[]).await.unwrap().is_empty());
    // Its run is a thing of its own, and ended on its own.
    assert_eq!(store.job_cancellable(10, &[]).await.unwrap().len(), 1);
    store.job_cancelled(id, at(8)).await.unwrap();
    assert!(store.job_cancellable(10, &[]).await.unwrap().is_empty());
    assert!(store.job_with_bytes(&[id]).await.unwrap().is_empty());
    assert_eq!(store.job_forget(at(5), 10).await.unwrap(), 0);
    assert_eq!(store.job_forget(at(6), 10).await.unwrap(), 1);
    assert_eq!(
        store.job_get(&owner("a"), id).await.unwrap(),
        Lookup::Missing
    );
}

pub(in crate::store) async fn a_job_expires_in_every_phase(store: Arc<dyn Store>) {
    let waiting = create(&*store, T0).await;
    let claimed = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let later = create(&*store, at(10)).await;
    let end = T0.plus(DAY);
    let early = end.minus(Duration::from_millis(1));
    assert_eq!(store.job_expire(early, 10).await.unwrap(), []);
    let expired = store.job_expire(end, 10).await.unwrap();
    assert_eq!(expired, [ended(waiting, T0)]);
    assert_eq!(
        store.job_get(&owner("a"), waiting).await.unwrap(),
        Lookup::Gone(Gone::Expired)
    );
    assert_eq!(
        store.lease_renew(&claimed.lease, end).await.unwrap(),
        FencedWrite::LostLease
    );
    assert_eq!(found(&*store, later).await.phase, Phase::Prepare);
}

async fn read_until_gone(store: Arc<dyn Store>, id: JobId) {
    while phase(&*store, id).await.is_some() {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        assert_eq!(phase(&*store, id).await, None, "it was gone before");
    }
}

pub(in crate::store) async fn no_reader_sees_less_than_was_acknowledged_or_read_before(
    store: Arc<dyn Store>,
) {
    for _ in 0..50 {
        let id = create(&*store, T0).await;
        let readers = [0, 1].map(|_| tokio::spawn(read_until_gone(Arc::clone(&store), id)));
        let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
        let next = change(Phase::Submit, at(1_000_000));
        let applied = store
            .job_apply(
                &job.lease,
                next,
                StepOutput::Source(SOURCE_INFO),
                false,
                T0.into(),
            )
            .await;
        assert_eq!(applied.unwrap(), FencedWrite::Applied);
        assert_eq!(phase(&*store, id).await, Some(Phase::Submit));
        let deleted = store.job_delete(&owner("a"), id, T0).await.unwrap();
        assert_eq!(deleted, Deletion::Done(ended(id, T0)));
        assert_eq!(phase(&*store, id).await, None);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

pub(in crate::store) async fn a_store_that_is_closed_says_so(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    store.close().await;
    store.close().await;
    let answer = store.job_get(&owner("a"), id).await;
    assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
}

pub(in crate::store) async fn a_run_is_released_however_and_whenever_its_job_ended(
    store: Arc<dyn Store>,
) {
    let run = (EngineKind::Fal, RequestId("r1".into()));
    let running = async || {
        let found = store.job_cancellable(10, &[]).await.unwrap();
        let found = found.into_iter().next();
        found.map(|run| (run.id, (run.engine, run.request)))
    };
    // Its layers were being collected.
    let (collected, _) = accepted(&*store, T0).await;
    let job = claim(&*store, Phase::Wait, T0).await.unwrap();
    let collect = change(Phase::Collect, T0);
    let applied = store.job_apply(&job.lease, collect, StepOutput::None, true, T0.into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    store
        .job_delete(&owner("a"), collected, at(1))
        .await
        .unwrap();
    assert_eq!(running().await, Some((collected, run.clone())));
    store.job_cancelled(collected, at(1)).await.unwrap();
    assert_eq!(running().await, None);

    // It was being handed over; the answer comes when everything was erased.
    let submitted = create(&*store, at(2)).await;
    let job = claim(&*store, Phase::Prepare, at(2)).await.unwrap();
    let nonce = Nonce::random();
    let opened = store.submission_open(
        &job.lease,
        &nonce,
        crate::store::Call::at(1),
        SpendCaps::default(),
        moment(2),
    );
    assert_eq!(opened.await.unwrap(), Opening::Opened);
    store
        .job_delete(&owner("a"), submitted, at(3))
        .await
        .unwrap();
    store.job_erased(submitted, at(3)).await.unwrap();
    let output = StepOutput::Accepted {
        nonce: nonce.clone(),
        request: RequestId("r1".into()),
        queue_position: None,
        expected: Duration::from_secs(20),
    };
    let late = store.job_apply(
        &job.lease,
        change(Phase::Wait, at(4)),
        output,
        false,
        moment(4),
    );
    assert_eq!(late.await.unwrap(), FencedWrite::LostLease);
    assert_eq!(running().await, Some((submitted, run.clone())));
    store.job_cancelled(submitted, at(4)).await.unwrap();

    // Only a callback told.
    let called_back = create(&*store, at(5)).await;
    let job = claim(&*store, Phase::Prepare, at(5)).await.unwrap();
    let nonce = Nonce::random();
    let opened = store.submission_open(
        &job.lease,
        &nonce,
        crate::store::Call::at(1),
        SpendCaps::default(),
        moment(5),
    );
    assert_eq!(opened.await.unwrap(), Opening::Opened);
    store
        .job_delete(&owner("a"), called_back, at(6))
        .await
        .unwrap();
    store.job_erased(called_back, at(6)).await.unwrap();
    let request = RequestId("r1".into());
    assert!(
        store
            .submission_called_back(called_back, &nonce, &request, moment(7))
            .await
            .unwrap()
    );
    assert_eq!(running().await, Some((called_back, run)));
}

pub(in crate::store) async fn a_job_is_live_until_its_time_whether_or_not_that_is_marked(
    store: Arc<dyn Store>,
) {
    let (id, other) = (create(&*store, T0).await, create(&*store, at(1)).await);
    // Read before, so that it may be answered from memory.
    found(&*store, id).await;
    let live = |id, now| {
        let store = Arc::clone(&store);
        async move { store.job_is_live(id, now).await.unwrap() }
    };
    let end = T0.plus(DAY);
    assert!(live(id, at(5)).await && live(other, at(5)).await);
    assert!(!live(id, end).await && live(other, end).await);
    assert_eq!(store.job_overdue(at(5), 9).await.unwrap(), []);
    assert_eq!(store.job_overdue(end, 9).await.unwrap(), [id]);
    store.job_delete(&owner("a"), other, at(6)).await.unwrap();
    assert!(!live(other, at(6)).await);
    // Nothing was handed over, so there is nothing to end.
    assert_eq!(store.job_cancellable(9, &[]).await.unwrap(), []);
    store.job_expire(end, 9).await.unwrap();
    assert_eq!(store.job_overdue(end, 9).await.unwrap(), []);
    assert!(!live(id, at(5)).await);
    assert!(!live(JobId::new(T0), at(5)).await);
}
