//! Claims and leases: who works on a job, and when.

use super::*;
use crate::jobs::Quality;

pub(in crate::store) async fn a_job_is_claimed_once_when_it_is_due(store: Arc<dyn Store>) {
    let (second, first) = (create(&*store, at(2)).await, create(&*store, at(1)).await);
    assert!(claim(&*store, Phase::Prepare, T0).await.is_none());
    assert_eq!(store.job_next_due(T0).await.unwrap(), Some(at(1)));
    let claims = store
        .job_claim(
            "w",
            vec![Want::any(Stage::Prepare, 9), Want::any(Stage::Wait, 9)],
            at(3),
            LEASE,
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
                    .job_claim(&worker, wants(Phase::Prepare, 3), at(100), LEASE)
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
    assert!(
        claim_as(&*store, "other", Phase::Prepare, at(59))
            .await
            .is_none()
    );
    // A worker that is alive knows what it works on, however late it is.
    assert!(claim(&*store, Phase::Prepare, at(99)).await.is_none());
    let taken = claim_as(&*store, "other", Phase::Prepare, at(60))
        .await
        .unwrap();
    assert!(taken.lease.token > lost.lease.token);

    let stale = change(Phase::Submit, at(61));
    assert_eq!(
        store
            .job_apply(
                &lost.lease,
                stale.clone(),
                StepOutput::None,
                false,
                at(61).into()
            )
            .await
            .unwrap(),
        FencedWrite::LostLease
    );
    assert_eq!(
        store.lease_renew(&lost.lease, at(99)).await.unwrap(),
        FencedWrite::LostLease
    );
    assert_eq!(
        store.lease_release(&lost.lease).await.unwrap(),
        FencedWrite::LostLease
    );
    assert_eq!(
        store
            .submission_open(
                &lost.lease,
                &Nonce::random(),
                crate::store::Call::at(0),
                SpendCaps::default(),
                at(61).into()
            )
            .await
            .unwrap(),
        Opening::LostLease
    );
    assert_eq!(found(&*store, id).await.phase, Phase::Prepare);
    assert_eq!(
        store
            .job_apply(&taken.lease, stale, StepOutput::None, false, at(61).into())
            .await
            .unwrap(),
        FencedWrite::Applied
    );
}

pub(in crate::store) async fn a_renewed_lease_is_not_taken_over(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_renew(&job.lease, at(120)).await.unwrap(),
        FencedWrite::Applied
    );
    assert!(
        claim_as(&*store, "other", Phase::Prepare, at(119))
            .await
            .is_none()
    );
    assert!(
        claim_as(&*store, "other", Phase::Prepare, at(120))
            .await
            .is_some()
    );
}

pub(in crate::store) async fn progress_of_a_job_rises_under_its_lease_alone(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    for (least, shown) in [(0.5, 0.5), (0.25, 0.5), (0.75, 0.75)] {
        let written = store.job_progress(&job.lease, least).await.unwrap();
        assert_eq!(written, FencedWrite::Applied);
        assert!((found(&*store, id).await.estimate.floor - shown).abs() < 1e-6);
    }
    assert_eq!(
        store.lease_release(&job.lease).await.unwrap(),
        FencedWrite::Applied
    );
    let late = store.job_progress(&job.lease, 0.9).await.unwrap();
    assert_eq!(late, FencedWrite::LostLease);
    assert!((found(&*store, id).await.estimate.floor - 0.75).abs() < 1e-6);
}

pub(in crate::store) async fn a_released_job_is_due_again_with_its_attempt_unchanged(
    store: Arc<dyn Store>,
) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_release(&job.lease).await.unwrap(),
        FencedWrite::Applied
    );
    let again = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        (again.attempt, again.lease.token),
        (job.attempt, job.lease.token + 1)
    );
}

/// A process dies; `computed` were being computed.
async fn dies(store: &dyn Store, round: usize, computed: &[JobId]) -> Vec<Ended> {
    let next = format!("process {round}");
    let ended = store.lease_end_all_others(&next, computed, at(1)).await;
    ended.unwrap();
    store.job_fail_poisoned(3, at(1)).await.unwrap()
}

pub(in crate::store) async fn a_job_that_is_alone_when_its_process_dies_is_set_aside_and_no_other(
    store: Arc<dyn Store>,
) {
    let (poison, innocent) = (create(&*store, T0).await, create(&*store, T0).await);
    let other = create(&*store, T0).await;
    for round in 0..3 {
        // Both were computed, and a third held a lease and waited.
        assert_eq!(dies(&*store, round, &[poison, innocent]).await, []);
    }
    let suspect = |job: &Claimed| (job.lease.job, job.suspect);
    let now = at(2);
    let all = store.job_claim("w", wants(Phase::Prepare, 9), now, LEASE);
    let mut all: Vec<_> = all.await.unwrap().iter().map(suspect).collect();
    all.sort();
    let mut expected = [(poison, true), (innocent, true), (other, false)];
    expected.sort();
    assert_eq!(all, expected);
    for round in 3..5 {
        assert_eq!(dies(&*store, round, &[poison]).await, []);
    }
    assert_eq!(dies(&*store, 5, &[poison]).await, [ended(poison, T0)]);
    let why = found(&*store, poison).await.failure;
    assert_eq!(why, Some(FailureCode::CrashLoop.into()));
    assert_eq!(found(&*store, innocent).await.phase, Phase::Prepare);
}

pub(in crate::store) async fn a_job_with_a_first_stack_is_complete_with_it_and_not_set_aside(
    store: Arc<dyn Store>,
) {
    let (id, nonce) = accepted(&*store, T0).await;
    let job = claim(&*store, Phase::Wait, at(1)).await.unwrap();
    let ready = change(Phase::Collect, at(1));
    let applied = store.job_apply(&job.lease, ready, StepOutput::None, true, moment(1));
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let first = StepOutput::FirstStack {
        nonce,
        layers: vec![super::kept::layer(0)],
        quality: Box::new(Quality::example(Some(12.0))),
    };
    let again = change(Phase::Submit, at(1));
    let applied = store.job_apply(&job.lease, again, first, false, moment(1));
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    for round in 0..3 {
        assert_eq!(dies(&*store, round, &[id]).await, []);
    }
    let shown = found(&*store, id).await;
    assert_eq!((shown.phase, shown.failure), (Phase::Completed, None));
    assert_eq!(shown.layers, [super::kept::layer(0)]);
}

pub(in crate::store) async fn a_job_that_got_through_is_no_suspect_any_more(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    for round in 0..2 {
        assert_eq!(dies(&*store, round, &[id]).await, []);
    }
    let job = claim(&*store, Phase::Prepare, at(1)).await.unwrap();
    assert!(job.suspect);
    let (next, output) = (
        change(Phase::Submit, at(1)),
        StepOutput::Source(SOURCE_INFO),
    );
    let applied = store.job_apply(&job.lease, next, output, false, moment(1));
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    assert!(!claim(&*store, Phase::Submit, at(1)).await.unwrap().suspect);
    // What is counted begins anew.
    for round in 2..4 {
        assert_eq!(dies(&*store, round, &[id]).await, []);
    }
}

async fn create_for(store: &dyn Store, name: &str, now: UnixMs) -> JobId {
    let job = NewJob {
        owner: owner(name),
        ..new_job(now)
    };
    let id = job.id;
    assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
    id
}

pub(in crate::store) async fn an_owner_with_many_jobs_waits_for_its_turn_like_any_other(
    store: Arc<dyn Store>,
) {
    // More than a claim reads whole, all older than the others' first.
    for _ in 0..300 {
        create_for(&*store, "many", T0).await;
    }
    let few = [
        create_for(&*store, "few", at(1)).await,
        create_for(&*store, "few", at(1)).await,
        create_for(&*store, "zoe", at(2)).await,
    ];
    let claims = store.job_claim("w", wants(Phase::Prepare, 5), at(3), LEASE);
    let claims = claims.await.unwrap();
    let mut owners: Vec<&str> = claims.iter().map(|job| job.owner.as_str()).collect();
    owners.sort_unstable();
    assert_eq!(owners, ["few", "few", "many", "many", "zoe"]);
    assert!(
        few.iter()
            .all(|id| claims.iter().any(|job| job.lease.job == *id))
    );
    // The others are done, and it gets all there is.
    let claims = store.job_claim("w", wants(Phase::Prepare, 5), at(3), LEASE);
    let claims = claims.await.unwrap();
    assert!(claims.iter().all(|job| job.owner == owner("many")));
    assert_eq!(claims.len(), 5);
}

pub(in crate::store) async fn turns_go_round_where_every_owner_holds_the_same(
    store: Arc<dyn Store>,
) {
    let owners = ["a", "b", "c"];
    for name in owners {
        for _ in 0..2 {
            create_for(&*store, name, T0).await;
        }
    }
    let mut turns = Vec::new();
    for _ in 0..6 {
        let job = claim(&*store, Phase::Prepare, at(1)).await.unwrap();
        turns.push(job.owner.as_str().to_owned());
    }
    assert_eq!(turns, ["a", "b", "c", "a", "b", "c"]);
}

pub(in crate::store) async fn whoever_holds_fewest_places_comes_first(store: Arc<dyn Store>) {
    for name in ["a", "b", "b", "b"] {
        create_for(&*store, name, T0).await;
    }
    let mut owners = Shares::of(64);
    owners.take("a");
    owners.take("a");
    let want = Want {
        stage: Stage::Prepare,
        limit: 2,
        owners,
        hosts: Shares::of(64),
    };
    // By turns it would be one of each.
    let claims = store.job_claim("w", vec![want], at(1), LEASE).await;
    let claims = claims.unwrap();
    let owners: Vec<&str> = claims.iter().map(|job| job.owner.as_str()).collect();
    assert_eq!(owners, ["b", "b"]);
}

pub(in crate::store) async fn no_owner_and_no_host_takes_more_than_its_share(
    store: Arc<dyn Store>,
) {
    let fetched = async |name: &str, host: &str| {
        let url = format!("https://{host}/picture.png").parse().unwrap();
        let job = NewJob {
            owner: owner(name),
            source: super::super::StoredSource::Url(url),
            ..new_job(T0)
        };
        assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
    };
    for _ in 0..9 {
        fetched("a", "slow.example").await;
    }
    fetched("a", "quick.example").await;
    fetched("b", "other.example").await;
    // Of 8 places two are left: more are neither one owner's nor one host's to take.
    let shares = Shares::of(8);
    let want = Want {
        stage: Stage::Fetch,
        limit: 8,
        owners: Shares::of(64),
        hosts: shares.clone(),
    };
    let claims = store
        .job_claim("w", vec![want], at(1), LEASE)
        .await
        .unwrap();
    let hosts: Vec<&str> = claims.iter().filter_map(|job| job.host()).collect();
    let slow = hosts.iter().filter(|host| **host == "slow.example");
    assert_eq!((slow.count(), hosts.len()), (5, 7));
    let mut held = Shares::of(8);
    for _ in 0..6 {
        held.take("a");
    }
    let want = Want {
        stage: Stage::Fetch,
        limit: 2,
        owners: held,
        hosts: shares,
    };
    let claims = store
        .job_claim("w", vec![want], at(1), LEASE)
        .await
        .unwrap();
    assert!(claims.is_empty(), "{claims:?}");
}

pub(in crate::store) async fn the_queues_times_can_be_moved_to_another_clock(
    store: Arc<dyn Store>,
) {
    let seen = ClockSeen {
        moment: Moment {
            now: at(1),
            wall: at(2),
        },
        held: Duration::from_secs(3),
    };
    let before = ClockSeen {
        moment: moment(0),
        held: Duration::ZERO,
    };
    assert_eq!(store.clock_seen().await.unwrap(), None);
    store.clock_see(before).await.unwrap();
    store.clock_see(seen).await.unwrap();
    assert_eq!(store.clock_seen().await.unwrap(), Some(seen));
    create(&*store, at(100)).await;
    store.queue_shift(-50_000).await.unwrap();
    assert_eq!(store.job_next_due(T0).await.unwrap(), Some(at(50)));
    // Forward, nothing is put off.
    store.queue_shift(50_000).await.unwrap();
    assert_eq!(store.job_next_due(T0).await.unwrap(), Some(at(50)));
}

pub(in crate::store) async fn leases_of_a_dead_process_end_at_once(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_end_all_others("w", &[], at(1)).await.unwrap(),
        0
    );
    assert_eq!(
        store.lease_end_all_others("new", &[], at(1)).await.unwrap(),
        1
    );
    assert!(claim(&*store, Phase::Prepare, at(1)).await.is_some());
}

pub(in crate::store) async fn a_job_that_waited_while_nobody_listened_is_due_at_once(
    store: Arc<dyn Store>,
) {
    let (_, _) = accepted(&*store, T0).await;
    let waiting = claim(&*store, Phase::Wait, T0).await.unwrap();
    let later = change(Phase::Wait, at(500));
    let applied = store
        .job_apply(&waiting.lease, later, StepOutput::None, false, T0.into())
        .await
        .unwrap();
    assert_eq!(applied, FencedWrite::Applied);
    assert!(claim(&*store, Phase::Wait, at(1)).await.is_none());
    store.lease_end_all_others("new", &[], at(1)).await.unwrap();
    assert!(claim(&*store, Phase::Wait, at(1)).await.is_some());
}

pub(in crate::store) async fn the_queue_tells_what_is_due_and_for_how_long(store: Arc<dyn Store>) {
    let phases = |prepare: PhaseStats| {
        let mut phases = Phase::ACTIVE.map(|phase| PhaseStats {
            phase,
            due: 0,
            later: 0,
            oldest_due: Duration::ZERO,
        });
        phases[0] = prepare;
        phases
    };
    let prepare = |due, later, secs| PhaseStats {
        phase: Phase::Prepare,
        due,
        later,
        oldest_due: Duration::from_secs(secs),
    };
    let stats = store.queue_stats(T0).await.unwrap();
    assert_eq!(stats.phases, phases(prepare(0, 0, 0)));
    create(&*store, T0).await;
    let second = create(&*store, at(1)).await;
    create(&*store, at(20)).await;
    let stats = store.queue_stats(at(5)).await.unwrap();
    assert_eq!(stats.phases, phases(prepare(2, 1, 5)));
    // The one at work is due and not waiting.
    claim(&*store, Phase::Prepare, at(5)).await.unwrap();
    let stats = store.queue_stats(at(5)).await.unwrap();
    assert_eq!(stats.phases, phases(prepare(2, 1, 4)));
    assert_eq!(stats.erasable, 0);
    store.job_delete(&owner("a"), second, at(6)).await.unwrap();
    assert_eq!(store.queue_stats(at(6)).await.unwrap().erasable, 1);
}
