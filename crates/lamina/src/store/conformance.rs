//! What every store must keep, as a suite that is run against each implementation. Each case gets
//! an empty store.

mod accounts;
mod oversight;

use std::sync::Arc;
use std::time::Duration;

pub(super) use accounts::{
    a_key_is_kept_until_it_is_revoked_and_then_remembered,
    jobs_at_work_are_bounded_however_many_come_at_once,
    limits_are_the_owners_and_stay_with_its_next_key,
    no_number_of_workers_spends_more_than_the_caps_allow, what_may_have_been_taken_is_spent,
};
pub(super) use oversight::{
    a_job_that_is_gone_is_told_to_the_operator_and_not_retried,
    a_retry_asks_for_what_was_taken_and_pays_nothing,
    a_retry_that_may_pay_again_hands_over_anew_and_forgets_no_payment,
};

use super::{
    AccountLine, Arrival, Claimed, Created, Deletion, Ended, Facts, Gone, IdempotencyKey, Incoming,
    Lookup, NewJob, NewUpload, Opening, PhaseStanding, Settled, SourceFacts, Store, StoredSource,
    SubmissionState,
};
use crate::access::SpendCaps;
use crate::jobs::{
    Change, EngineKind, FailureCode, JobId, Layer, MediaType, Nonce, OwnerId, Params, Phase,
    RequestId, UnixMs, UploadId,
};

const T0: UnixMs = UnixMs(1_000_000);
const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const FACTS: SourceFacts = SourceFacts {
    media_type: MediaType::Png,
    width: 3,
    height: 2,
    bytes: 99,
};

fn at(secs: u64) -> UnixMs {
    T0.plus(Duration::from_secs(secs))
}

fn owner(name: &str) -> OwnerId {
    OwnerId::named(name)
}

fn new_job(created_at: UnixMs) -> NewJob {
    NewJob {
        id: JobId::new(created_at),
        owner: owner("a"),
        engine: EngineKind::Fal,
        params: Params {
            prompt: Some("a cat".into()),
            ..Params::default()
        },
        source: StoredSource::Stored(FACTS),
        created_at,
        expires_at: created_at.plus(DAY),
        max_active: None,
    }
}

/// What is told of a job of [`new_job`] that ended.
fn ended(id: JobId, created_at: UnixMs) -> Ended {
    Ended {
        id,
        owner: owner("a"),
        engine: EngineKind::Fal,
        created_at,
        was_finished: false,
    }
}

async fn create(store: &dyn Store, created_at: UnixMs) -> JobId {
    let job = new_job(created_at);
    let id = job.id;
    assert_eq!(store.job_create(job, None).await.unwrap(), Created::New);
    id
}

async fn claim(store: &dyn Store, phase: Phase, now: UnixMs) -> Option<Claimed> {
    let mut claimed = store
        .job_claim("w", &[(phase, 1)], now, LEASE, 3)
        .await
        .unwrap();
    assert!(claimed.len() <= 1);
    claimed.pop()
}

fn change(phase: Phase, run_at: UnixMs) -> Change {
    Change {
        phase,
        run_at,
        attempt: 0,
        failure: None,
        wakeable: true,
    }
}

/// Claims a new job and brings it to wait, leaving the lease.
async fn accepted(store: &dyn Store, now: UnixMs) -> (JobId, Nonce) {
    let id = create(store, now).await;
    let job = claim(store, Phase::Prepare, now).await.unwrap();
    let keep = store
        .job_settle(
            &job.lease,
            change(Phase::Submit, now),
            Facts::Source(FACTS),
            true,
            now,
        )
        .await
        .unwrap();
    assert_eq!(keep, Settled::Applied);
    let nonce = Nonce::random();
    assert_eq!(
        store
            .submission_open(&job.lease, &nonce, 50_000, SpendCaps::default(), now)
            .await
            .unwrap(),
        Opening::Opened
    );
    let facts = Facts::Accepted {
        nonce: nonce.clone(),
        request: RequestId("r1".into()),
        queue_position: Some(2),
        expected: Duration::from_secs(20),
    };
    let settled = store
        .job_settle(&job.lease, change(Phase::Wait, now), facts, false, now)
        .await
        .unwrap();
    assert_eq!(settled, Settled::Applied);
    (id, nonce)
}

async fn found(store: &dyn Store, id: JobId) -> super::JobRecord {
    match store.job_get(&owner("a"), id).await.unwrap() {
        Lookup::Found(job) => (*job).clone(),
        other => panic!("expected a job, got {other:?}"),
    }
}

/// The phase of a job that was acknowledged; `None` when it is gone.
async fn phase(store: &dyn Store, id: JobId) -> Option<Phase> {
    match store.job_get(&owner("a"), id).await.unwrap() {
        Lookup::Found(job) => Some(job.phase),
        Lookup::Gone(_) => None,
        Lookup::Missing => panic!("a job that was acknowledged is missing"),
    }
}

pub(super) async fn a_job_is_seen_by_its_owner_alone(store: Arc<dyn Store>) {
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

pub(super) async fn a_list_is_newest_first_and_goes_on_after_its_cursor(store: Arc<dyn Store>) {
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

pub(super) async fn a_key_names_one_job_as_long_as_it_lives(store: Arc<dyn Store>) {
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

pub(super) async fn a_job_is_claimed_once_when_it_is_due(store: Arc<dyn Store>) {
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

pub(super) async fn racing_workers_never_share_a_job(store: Arc<dyn Store>) {
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

pub(super) async fn a_late_answer_from_a_lost_worker_changes_nothing(store: Arc<dyn Store>) {
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

pub(super) async fn a_renewed_lease_is_not_taken_over(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(
        store.lease_renew(&job.lease, at(120)).await.unwrap(),
        Settled::Applied
    );
    assert!(claim(&*store, Phase::Prepare, at(119)).await.is_none());
}

pub(super) async fn a_released_job_is_due_again_with_its_attempt_unchanged(store: Arc<dyn Store>) {
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

pub(super) async fn a_job_that_keeps_losing_its_worker_is_set_aside(store: Arc<dyn Store>) {
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

pub(super) async fn what_a_step_learns_is_written_with_its_change(store: Arc<dyn Store>) {
    let (id, nonce) = accepted(&*store, T0).await;
    let job = found(&*store, id).await;
    assert_eq!(
        (job.phase, job.queue_position, job.estimate.expected),
        (Phase::Wait, Some(2), Duration::from_secs(20))
    );

    let claimed = claim(&*store, Phase::Wait, at(1)).await.unwrap();
    let submission = claimed.submission.clone().unwrap();
    assert_eq!(
        (submission.nonce, submission.state),
        (nonce, SubmissionState::Accepted)
    );
    assert_eq!(submission.request, Some(RequestId("r1".into())));
    for (fraction, stored) in [(0.5, 0.5), (0.25, 0.5)] {
        let facts = Facts::Waiting {
            fraction: Some(fraction),
            queue_position: None,
        };
        let keep = store
            .job_settle(
                &claimed.lease,
                change(Phase::Wait, at(1)),
                facts,
                true,
                at(1),
            )
            .await
            .unwrap();
        assert_eq!(keep, Settled::Applied);
        assert!((found(&*store, id).await.estimate.reported - stored).abs() < 1e-6);
    }

    let keep = store
        .job_settle(
            &claimed.lease,
            change(Phase::Collect, at(9)),
            Facts::None,
            true,
            at(9),
        )
        .await
        .unwrap();
    assert_eq!(keep, Settled::Applied);
    let layer = Layer {
        order: 0,
        name: Some("background".into()),
        media_type: MediaType::Png,
        width: 3,
        height: 2,
        bytes: 70,
        sha256: "00".into(),
        bbox: None,
        coverage: 1.0,
    };
    let facts = Facts::Layers(vec![layer.clone()]);
    let done = store
        .job_settle(
            &claimed.lease,
            change(Phase::Completed, at(9)),
            facts,
            true,
            at(9),
        )
        .await
        .unwrap();
    assert_eq!(done, Settled::Applied);
    let job = found(&*store, id).await;
    assert_eq!((job.phase, job.layers), (Phase::Completed, vec![layer]));
    assert_eq!(
        store.engine_durations(EngineKind::Fal, 5).await.unwrap(),
        [Duration::from_secs(9)]
    );
    assert_eq!(store.job_counts().await.unwrap().leased, 0);
}

pub(super) async fn a_wake_up_during_a_step_is_not_lost(store: Arc<dyn Store>) {
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

pub(super) async fn a_callback_proves_that_an_open_submission_was_taken(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let applied = store
        .job_settle(&job.lease, change(Phase::Submit, T0), Facts::None, true, T0)
        .await
        .unwrap();
    assert_eq!(applied, Settled::Applied);
    let (nonce, request) = (Nonce::random(), RequestId("r9".into()));
    assert_eq!(
        store
            .submission_open(&job.lease, &nonce, 50_000, SpendCaps::default(), T0)
            .await
            .unwrap(),
        Opening::Opened
    );
    let later = change(Phase::Submit, at(100));
    assert_eq!(
        store
            .job_settle(&job.lease, later, Facts::None, false, T0)
            .await
            .unwrap(),
        Settled::Applied
    );

    assert!(
        !store
            .submission_adopt(id, &Nonce::random(), &request, at(1))
            .await
            .unwrap()
    );
    assert!(
        store
            .submission_adopt(id, &nonce, &request, at(1))
            .await
            .unwrap()
    );
    assert!(
        !store
            .submission_adopt(id, &nonce, &RequestId("forged".into()), at(1))
            .await
            .unwrap()
    );
    store
        .submission_close(&nonce, SubmissionState::Unknown, None, at(2))
        .await
        .unwrap();
    let claimed = claim(&*store, Phase::Submit, at(2)).await.unwrap();
    let submission = claimed.submission.unwrap();
    assert_eq!(
        (submission.state, submission.request),
        (SubmissionState::Accepted, Some(request))
    );
    assert_eq!(store.submission_unknown_count().await.unwrap(), 0);
}

pub(super) async fn a_submission_of_unknown_fate_is_counted(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let nonce = Nonce::random();
    assert_eq!(
        store
            .submission_open(&job.lease, &nonce, 0, SpendCaps::default(), T0)
            .await
            .unwrap(),
        Opening::Opened
    );
    store
        .submission_close(&nonce, SubmissionState::Unknown, None, at(1))
        .await
        .unwrap();
    assert_eq!(store.submission_unknown_count().await.unwrap(), 1);
}

pub(super) async fn the_account_follows_every_submission_through_its_states(store: Arc<dyn Store>) {
    let line = |state, submissions| AccountLine {
        engine: EngineKind::Fal,
        state,
        submissions,
        microusd: submissions * 50_000,
    };
    let (_, taken) = accepted(&*store, T0).await;
    accepted(&*store, at(1)).await;
    let mut account = store.account(T0).await.unwrap().lines;
    account.retain(|line| line.submissions > 0);
    assert_eq!(account, [line(SubmissionState::Accepted, 2)]);

    let job = claim(&*store, Phase::Wait, at(1)).await.unwrap();
    let settled = store
        .job_settle(
            &job.lease,
            change(Phase::Submit, at(1)),
            Facts::RunFailed(taken),
            true,
            at(1),
        )
        .await;
    assert_eq!(settled.unwrap(), Settled::Applied);
    let lost = Nonce::random();
    let opened = store
        .submission_open(&job.lease, &lost, 50_000, SpendCaps::default(), at(2))
        .await;
    assert_eq!(opened.unwrap(), Opening::Opened);
    let account = store.account(T0).await.unwrap().lines;
    assert!(
        account.contains(&line(SubmissionState::Open, 1)),
        "{account:?}"
    );
    let unknown = SubmissionState::Unknown;
    store
        .submission_close(&lost, unknown, None, at(3))
        .await
        .unwrap();
    let mut account = store.account(T0).await.unwrap().lines;
    account.sort_by_key(|line| line.state.as_str());
    let expected = [
        line(SubmissionState::Accepted, 1),
        line(SubmissionState::Failed, 1),
        line(SubmissionState::Open, 0),
        line(SubmissionState::Unknown, 1),
    ];
    assert_eq!(account, expected);
    let day = store.account(T0).await.unwrap().today_microusd;
    assert_eq!(day, 3 * 50_000, "what is not known may have been taken");
    let next = store.account(T0.plus(DAY)).await.unwrap();
    assert_eq!(next.today_microusd, 0);
}

pub(super) async fn the_queue_tells_what_is_due_and_for_how_long(store: Arc<dyn Store>) {
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

pub(super) async fn a_deleted_job_takes_the_lease_and_is_erased_then_forgotten(
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
        .job_settle(
            &claimed.lease,
            change(Phase::Wait, at(7)),
            Facts::None,
            false,
            at(7),
        )
        .await
        .unwrap();
    assert_eq!(late, Settled::LostLease);

    let erasable = store.job_erasable(10).await.unwrap();
    assert_eq!(erasable.len(), 1);
    assert_eq!(
        erasable[0].running,
        Some((EngineKind::Fal, RequestId("r1".into())))
    );
    assert_eq!(store.job_with_bytes(&[id]).await.unwrap(), [id]);
    store.job_erased(id, at(8)).await.unwrap();
    assert!(store.job_erasable(10).await.unwrap().is_empty());
    assert!(store.job_with_bytes(&[id]).await.unwrap().is_empty());
    assert_eq!(store.job_forget(at(5), 10).await.unwrap(), 0);
    assert_eq!(store.job_forget(at(6), 10).await.unwrap(), 1);
    assert_eq!(
        store.job_get(&owner("a"), id).await.unwrap(),
        Lookup::Missing
    );
}

pub(super) async fn a_job_expires_in_every_phase(store: Arc<dyn Store>) {
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
        Settled::LostLease
    );
    assert_eq!(found(&*store, later).await.phase, Phase::Prepare);
}

pub(super) async fn leases_of_a_dead_process_end_at_once(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    claim(&*store, Phase::Prepare, T0).await.unwrap();
    assert_eq!(store.lease_end_all_others("w", at(1)).await.unwrap(), 0);
    assert_eq!(store.lease_end_all_others("new", at(1)).await.unwrap(), 1);
    assert!(claim(&*store, Phase::Prepare, at(1)).await.is_some());
}

pub(super) async fn a_job_that_waited_while_nobody_listened_is_due_at_once(store: Arc<dyn Store>) {
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

pub(super) async fn an_upload_is_its_owners_until_it_expires(store: Arc<dyn Store>) {
    let id = UploadId::new(T0);
    let upload = NewUpload {
        id,
        owner: owner("a"),
        facts: FACTS,
        created_at: T0,
        expires_at: at(10),
    };
    store.upload_create(upload).await.unwrap();
    assert_eq!(
        store
            .upload_get(&owner("a"), id, at(9))
            .await
            .unwrap()
            .unwrap()
            .facts,
        FACTS
    );
    assert_eq!(
        store.upload_get(&owner("b"), id, at(9)).await.unwrap(),
        None
    );
    assert_eq!(
        store.upload_get(&owner("a"), id, at(10)).await.unwrap(),
        None
    );
    assert_eq!(store.upload_expired(at(10), 5).await.unwrap(), [id]);
    assert_eq!(
        store
            .upload_existing(&[id, UploadId::new(at(1))])
            .await
            .unwrap(),
        [id]
    );
    store.upload_forget(id).await.unwrap();
    assert!(store.upload_existing(&[id]).await.unwrap().is_empty());
}

pub(super) async fn a_promised_upload_becomes_an_upload_once(store: Arc<dyn Store>) {
    let id = UploadId::new(T0);
    let promised = Incoming {
        id,
        owner: owner("a"),
        arrival: Arrival::Resumable,
        bytes: None,
        metadata: Some("name aGk=".into()),
        created_at: T0,
        expires_at: at(10),
    };
    store.incoming_create(promised.clone()).await.unwrap();
    let found = store.incoming_get(id, at(9)).await.unwrap();
    assert_eq!(found, Some(promised.clone()));
    assert_eq!(store.incoming_get(id, at(10)).await.unwrap(), None);
    assert_eq!(store.upload_existing(&[id]).await.unwrap(), [id]);
    assert!(store.incoming_declare(id, 7).await.unwrap());
    assert!(!store.incoming_declare(id, 8).await.unwrap());
    let found = store.incoming_get(id, at(9)).await.unwrap().unwrap();
    assert_eq!(found.bytes, Some(7));

    let upload = NewUpload {
        id,
        owner: owner("a"),
        facts: FACTS,
        created_at: T0,
        expires_at: at(20),
    };
    assert!(store.incoming_check(upload.clone()).await.unwrap());
    assert!(store.incoming_check(upload.clone()).await.unwrap());
    assert_eq!(store.incoming_get(id, at(9)).await.unwrap(), None);
    assert!(store.incoming_expired(at(99), 9).await.unwrap().is_empty());
    let found = store.upload_get(&owner("a"), id, at(19)).await.unwrap();
    assert_eq!(found.unwrap().facts, FACTS);
    store.upload_forget(id).await.unwrap();
    assert!(!store.incoming_check(upload).await.unwrap(), "it is gone");
    assert!(store.upload_existing(&[id]).await.unwrap().is_empty());

    store.incoming_create(promised).await.unwrap();
    assert_eq!(store.incoming_expired(at(10), 9).await.unwrap(), [id]);
    store.incoming_forget(id).await.unwrap();
    assert!(store.incoming_expired(at(10), 9).await.unwrap().is_empty());
}

async fn read_until_gone(store: Arc<dyn Store>, id: JobId) {
    while phase(&*store, id).await.is_some() {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        assert_eq!(phase(&*store, id).await, None, "it was gone before");
    }
}

pub(super) async fn no_reader_sees_less_than_was_acknowledged_or_read_before(
    store: Arc<dyn Store>,
) {
    for _ in 0..50 {
        let id = create(&*store, T0).await;
        let readers = [0, 1].map(|_| tokio::spawn(read_until_gone(Arc::clone(&store), id)));
        let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
        let next = change(Phase::Submit, at(1_000_000));
        let settled = store
            .job_settle(&job.lease, next, Facts::Source(FACTS), false, T0)
            .await;
        assert_eq!(settled.unwrap(), Settled::Applied);
        assert_eq!(phase(&*store, id).await, Some(Phase::Submit));
        let deleted = store.job_delete(&owner("a"), id, T0).await.unwrap();
        assert_eq!(deleted, Deletion::Done(ended(id, T0)));
        assert_eq!(phase(&*store, id).await, None);
        for reader in readers {
            reader.await.unwrap();
        }
    }
}

pub(super) async fn a_store_that_is_closed_says_so(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    store.close().await;
    store.close().await;
    let answer = store.job_get(&owner("a"), id).await;
    assert!(
        matches!(answer, Err(super::StoreError::Closed)),
        "{answer:?}"
    );
}

/// Names every case once, for each implementation to run.
macro_rules! for_each_case {
    ($run:ident) => {
        $run! {
            a_job_is_seen_by_its_owner_alone,
            a_list_is_newest_first_and_goes_on_after_its_cursor,
            a_key_names_one_job_as_long_as_it_lives,
            a_job_is_claimed_once_when_it_is_due,
            racing_workers_never_share_a_job,
            a_late_answer_from_a_lost_worker_changes_nothing,
            a_renewed_lease_is_not_taken_over,
            a_released_job_is_due_again_with_its_attempt_unchanged,
            a_job_that_keeps_losing_its_worker_is_set_aside,
            what_a_step_learns_is_written_with_its_change,
            a_wake_up_during_a_step_is_not_lost,
            a_callback_proves_that_an_open_submission_was_taken,
            a_submission_of_unknown_fate_is_counted,
            a_deleted_job_takes_the_lease_and_is_erased_then_forgotten,
            the_account_follows_every_submission_through_its_states,
            the_queue_tells_what_is_due_and_for_how_long,
            a_job_expires_in_every_phase,
            leases_of_a_dead_process_end_at_once,
            a_job_that_waited_while_nobody_listened_is_due_at_once,
            an_upload_is_its_owners_until_it_expires,
            a_promised_upload_becomes_an_upload_once,
            no_reader_sees_less_than_was_acknowledged_or_read_before,
            a_key_is_kept_until_it_is_revoked_and_then_remembered,
            limits_are_the_owners_and_stay_with_its_next_key,
            jobs_at_work_are_bounded_however_many_come_at_once,
            what_may_have_been_taken_is_spent,
            no_number_of_workers_spends_more_than_the_caps_allow,
            a_retry_asks_for_what_was_taken_and_pays_nothing,
            a_retry_that_may_pay_again_hands_over_anew_and_forgets_no_payment,
            a_job_that_is_gone_is_told_to_the_operator_and_not_retried,
            a_store_that_is_closed_says_so,
        }
    };
}
pub(super) use for_each_case;
