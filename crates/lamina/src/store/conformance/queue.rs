//! Claims, leases and wake-ups: who works on a job, and when.

use super::*;

pub(in crate::store) async fn a_job_is_claimed_once_when_it_is_due(store: Arc<dyn Store>) {
    let (second, first) = (create(&*store, at(2)).await, create(&*store, at(1)).await);
    assert!(claim(&*store, Phase::Prepare, T0).await.is_none());
    assert_eq!(store.job_next_due(T0).await.unwrap(), Some(at(1)));
    let claims = store
        .job_claim(
            "w",
            &[(Phase::Prepare, 9), (Phase::Wait, 9)],
            at(3),
            LEASE,
            3,
        )
        .await
        .unwrap();
    assert_eq!(
        claims.iter().map(|job| job.lease.job).collect::<Vec<_>>(),
        [first, second]
    );
    assert!(claim(&*store, Phase::Prepare, at(4)).await.is_none());
}

pub(in crate::store) async fn racing_workers_never_share_a_job(store: Arc<dyn Store>) {
    for second in 0..40 {
        create(&*store, at(second)).await;
    }
    let racers = (0..8).map(|racer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let worker = format!("w{racer}");
            let mut mine = Vec::new();
            loop {
                let claims = store
                    .job_claim(&worker, &[(Phase::Prepare, 3)], at(100), LEASE, 3)
                    .await
                    .unwrap();
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(claims.into_iter().map(|job| job.lease.job));
            }
        })
    });
    let mut all = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        all.extend(racer.await.unwrap());
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
}

pub(in crate::store) async fn a_late_answer_from_a_lost_worker_changes_nothing(
    store: Arc<dyn Store>,
) {
    let id = create(&*store, T0).await;
    let lost = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert!(claim(&*store, Phase::Prepare, at(59)).await.is_none());
    let taken = claim(&*store, Phase::Prepare, at(60)).await.unwrap();
    assert!(taken.lease.token > lost.lease.token);

    let stale = change(Phase::Submit, at(61));
    assert_eq!(
        store
            .job_settle(&lost.lease, stale.clone(), Facts::None, false, at(61))
            .await
            .unwrap(),
        Settled::LostLease
    );
    assert_eq!(
        store.lease_renew(&lost.lease, at(99)).await.unwrap(),
        Settled::LostLease
    );
    assert_eq!(
        store.lease_release(&lost.lease).await.unwrap(),
        Settled::LostLease
    );
    assert_eq!(
        store
            .submission_open(
                &lost.lease,
                &Nonce::random(),
                0,
                SpendCaps::default(),
                at(61)
            )
            .await
            .unwrap(),
        Opening::LostLease
    );
    assert_eq!(found(&*store, id).await.phase, Phase::Prepare);
    assert_eq!(
        store
            .job_settle(&taken.lease, stale, Facts::None, false, at(61))
            .await
            .unwrap(),
        Settled::Applied
    );
}

pub(in crate::store) async fn a_renewed_lease_is_not_taken_over(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_renew(&job.lease, at(120)).await.unwrap(),
        Settled::Applied
    );
    assert!(claim(&*store, Phase::Prepare, at(119)).await.is_none());
}

pub(in crate::store) async fn a_released_job_is_due_again_with_its_attempt_unchanged(
    store: Arc<dyn Store>,
) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_release(&job.lease).await.unwrap(),
        Settled::Applied
    );
    let again = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        (again.attempt, again.lease.token),
        (job.attempt, job.lease.token + 1)
    );
}

pub(in crate::store) async fn a_job_that_keeps_losing_its_worker_is_set_aside(
    store: Arc<dyn Store>,
) {
    let id = create(&*store, T0).await;
    for round in 0..4 {
        assert!(
            claim(&*store, Phase::Prepare, at(round * 60))
                .await
                .is_some(),
            "round {round}"
        );
        assert!(
            store
                .job_fail_poisoned(3, at(round * 60))
                .await
                .unwrap()
                .is_empty()
        );
    }
    assert!(claim(&*store, Phase::Prepare, at(240)).await.is_none());
    let failed = store.job_fail_poisoned(3, at(240)).await.unwrap();
    assert_eq!(failed, [ended(id, T0)]);
    assert_eq!(
        found(&*store, id).await.failure,
        Some(FailureCode::CrashLoop.into())
    );
}

pub(in crate::store) async fn a_wake_up_during_a_step_is_not_lost(store: Arc<dyn Store>) {
    let (id, nonce) = accepted(&*store, T0).await;
    let claimed = claim(&*store, Phase::Wait, T0).await.unwrap();
    assert!(!store.job_wake(id, &Nonce::random(), at(1)).await.unwrap());
    assert!(store.job_wake(id, &nonce, at(1)).await.unwrap());
    let snooze = change(Phase::Wait, at(500));
    assert_eq!(
        store
            .job_settle(&claimed.lease, snooze, Facts::None, false, at(2))
            .await
            .unwrap(),
        Settled::Applied
    );
    assert!(claim(&*store, Phase::Wait, at(2)).await.is_some());
}

pub(in crate::store) async fn leases_of_a_dead_process_end_at_once(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(store.lease_end_all_others("w", at(1)).await.unwrap(), 0);
    assert_eq!(store.lease_end_all_others("new", at(1)).await.unwrap(), 1);
    assert!(claim(&*store, Phase::Prepare, at(1)).await.is_some());
}

pub(in crate::store) async fn a_job_that_waited_while_nobody_listened_is_due_at_once(
    store: Arc<dyn Store>,
) {
    let (_, _) = accepted(&*store, T0).await;
    let waiting = claim(&*store, Phase::Wait, T0).await.unwrap();
    let later = change(Phase::Wait, at(500));
    let settled = store
        .job_settle(&waiting.lease, later, Facts::None, false, T0)
        .await
        .unwrap();
    assert_eq!(settled, Settled::Applied);
    assert!(claim(&*store, Phase::Wait, at(1)).await.is_none());
    store.lease_end_all_others("new", at(1)).await.unwrap();
    assert!(claim(&*store, Phase::Wait, at(1)).await.is_some());
}

pub(in crate::store) async fn the_queue_tells_what_is_due_and_for_how_long(store: Arc<dyn Store>) {
    let phases = |prepare: PhaseStanding| {
        let mut phases = Phase::ACTIVE.map(|phase| PhaseStanding {
            phase,
            due: 0,
            later: 0,
            oldest_due: Duration::ZERO,
        });
        phases[0] = prepare;
        phases
    };
    let prepare = |due, later, secs| PhaseStanding {
        phase: Phase::Prepare,
        due,
        later,
        oldest_due: Duration::from_secs(secs),
    };
    let standing = store.queue_standing(T0).await.unwrap();
    assert_eq!(standing.phases, phases(prepare(0, 0, 0)));
    create(&*store, T0).await;
    let second = create(&*store, at(1)).await;
    create(&*store, at(20)).await;
    let standing = store.queue_standing(at(5)).await.unwrap();
    assert_eq!(standing.phases, phases(prepare(2, 1, 5)));
    // The one at work is due and not waiting.
    claim(&*store, Phase::Prepare, at(5)).await.unwrap();
    let standing = store.queue_standing(at(5)).await.unwrap();
    assert_eq!(standing.phases, phases(prepare(2, 1, 4)));
    assert_eq!(standing.erasable, 0);
    store.job_delete(&owner("a"), second, at(6)).await.unwrap();
    assert_eq!(store.queue_standing(at(6)).await.unwrap().erasable, 1);
}
