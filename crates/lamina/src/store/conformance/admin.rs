//! What an operator sees of every owner, and a failed job that begins anew.

use super::*;
use crate::access::UtcDay;
use crate::jobs::StepRecord;
use crate::store::{JobFilter, Lease, Retrial, SpendingLine, StepDetail};

/// Fails the job of a lease.
async fn fail(store: &dyn Store, lease: &Lease, now: UnixMs) {
    let failed = Change {
        failure: Some(FailureCode::EngineTimeout.into()),
        ..change(Phase::Failed, now)
    };
    let applied = store.job_apply(lease, failed, StepOutput::None, false, now.into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
}

pub(in crate::store) async fn a_retry_asks_for_what_was_taken_and_pays_nothing(
    store: Arc<dyn Store>,
) {
    let (id, nonce) = accepted(&*store, T0).await;
    assert_eq!(
        store.job_retry(id, false, at(1)).await.unwrap(),
        Retrial::NotFailed(Phase::Wait)
    );
    let lease = claim(&*store, Phase::Wait, at(1)).await.unwrap().lease;
    fail(&*store, &lease, at(2)).await;
    assert_eq!(
        store.job_retry(id, false, at(3)).await.unwrap(),
        Retrial::Done
    );
    let job = claim(&*store, Phase::Prepare, at(3)).await.unwrap();
    assert!(job.lease.token > lease.token && job.attempt == 0);
    let submission = job.submission.unwrap();
    assert_eq!(
        (submission.nonce, submission.state),
        (nonce, SubmissionState::Accepted)
    );
    assert_eq!(found(&*store, id).await.failure, None);
}

pub(in crate::store) async fn a_retry_that_may_pay_again_hands_over_anew_and_forgets_no_payment(
    store: Arc<dyn Store>,
) {
    let (id, _) = accepted(&*store, T0).await;
    let lease = claim(&*store, Phase::Wait, at(1)).await.unwrap().lease;
    fail(&*store, &lease, at(2)).await;
    assert_eq!(
        store.job_retry(id, true, at(3)).await.unwrap(),
        Retrial::Done
    );
    let job = claim(&*store, Phase::Prepare, at(3)).await.unwrap();
    assert_eq!(job.submission.unwrap().state, SubmissionState::Failed);
    // A call whose answer was never seen stands in the way, until told otherwise.
    let submit = change(Phase::Submit, at(3));
    let applied = store.job_apply(&job.lease, submit, StepOutput::None, true, at(3).into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let (lost, caps) = (Nonce::random(), SpendCaps::default());
    let opening = store.submission_open(
        &job.lease,
        &lost,
        crate::store::Call::at(50_000),
        caps,
        at(3).into(),
    );
    assert_eq!(opening.await.unwrap(), Opening::Opened);
    fail(&*store, &job.lease, at(4)).await;
    assert_eq!(
        store.job_retry(id, false, at(5)).await.unwrap(),
        Retrial::PaymentUnknown
    );
    assert_eq!(
        store.job_retry(id, true, at(5)).await.unwrap(),
        Retrial::Done
    );
    let job = claim(&*store, Phase::Prepare, at(5)).await.unwrap();
    assert_eq!(job.submission.unwrap().state, SubmissionState::Unknown);
    let detail = store.job_detail(id).await.unwrap().unwrap();
    let states: Vec<_> = detail.submissions.iter().map(|call| call.state).collect();
    assert_eq!(states, [SubmissionState::Failed, SubmissionState::Unknown]);
    let today = UtcDay::of(T0);
    let usage_stats = store.usage_stats(today.before(29), today).await.unwrap();
    let line = SpendingLine {
        owner: owner("a"),
        engine: EngineKind::Fal,
        today_microusd: 100_000,
        all_microusd: 100_000,
    };
    assert_eq!(usage_stats.spending, [line]);
}

pub(in crate::store) async fn a_retry_makes_a_repeatable_call_again_without_asking_for_leave(
    store: Arc<dyn Store>,
) {
    for repeatable in [true, false] {
        let id = create(&*store, T0).await;
        let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
        let (lost, caps) = (Nonce::random(), SpendCaps::default());
        let call = crate::store::Call {
            repeatable,
            ..crate::store::Call::at(0)
        };
        let opening = store.submission_open(&job.lease, &lost, call, caps, T0.into());
        assert_eq!(opening.await.unwrap(), Opening::Opened);
        fail(&*store, &job.lease, at(1)).await;
        // Neither the price nor the engine's name decides it.
        let retried = store.job_retry(id, false, at(2)).await.unwrap();
        if !repeatable {
            assert_eq!(retried, Retrial::PaymentUnknown);
            continue;
        }
        assert_eq!(retried, Retrial::Done);
        let job = claim(&*store, Phase::Prepare, at(2)).await.unwrap();
        // Leave to pay again gives up nothing that is free: its answer may still come.
        fail(&*store, &job.lease, at(3)).await;
        assert_eq!(
            store.job_retry(id, true, at(4)).await.unwrap(),
            Retrial::Done
        );
        let job = claim(&*store, Phase::Prepare, at(4)).await.unwrap();
        assert_eq!(job.submission.unwrap().state, SubmissionState::Open);
        fail(&*store, &job.lease, at(5)).await;
    }
}

pub(in crate::store) async fn a_job_that_is_gone_is_told_to_the_operator_and_not_retried(
    store: Arc<dyn Store>,
) {
    let id = create(&*store, T0).await;
    let nobody = JobId::new(T0);
    assert_eq!(
        store.job_retry(nobody, true, T0).await.unwrap(),
        Retrial::Missing
    );
    assert_eq!(
        store.job_cancel(nobody, T0).await.unwrap(),
        Deletion::Missing
    );
    assert_eq!(store.job_detail(nobody).await.unwrap(), None);
    assert_eq!(
        store.job_cancel(id, at(1)).await.unwrap(),
        Deletion::Done(ended(id, T0))
    );
    assert_eq!(
        store.job_cancel(id, at(2)).await.unwrap(),
        Deletion::Gone(Gone::Deleted)
    );
    assert_eq!(
        store.job_retry(id, true, at(2)).await.unwrap(),
        Retrial::Gone(Gone::Deleted)
    );
    let filter = JobFilter {
        phases: vec![Phase::Deleted],
        ..JobFilter::default()
    };
    let gone = store.job_list_all(filter, None, 9).await.unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].id, gone[0].phase), (id, Phase::Deleted));
}

pub(in crate::store) async fn a_job_s_steps_are_kept_in_order_and_bounded(store: Arc<dyn Store>) {
    let id = create(&*store, T0).await;
    let lease = claim(&*store, Phase::Prepare, T0).await.unwrap().lease;
    let apply = async |phase, step: Option<StepRecord>, secs| {
        let change = Change {
            step,
            ..change(phase, at(secs))
        };
        let applied = store.job_apply(&lease, change, StepOutput::None, true, at(secs).into());
        assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    };
    let step = |phase, ms, code: Option<&'static str>| StepRecord {
        phase,
        took: Duration::from_millis(ms),
        code: code.map(Into::into),
    };
    let failed = step(Phase::Prepare, 30, Some("fetch_timeout"));
    apply(Phase::Prepare, Some(failed), 1).await;
    apply(Phase::Submit, Some(step(Phase::Prepare, 20, None)), 2).await;
    apply(Phase::Submit, None, 3).await;
    let kept = async || {
        let detail = store.job_detail(id).await.unwrap().unwrap();
        let told = |step: StepDetail| (step.phase, step.ended_at, step.took.as_millis(), step.code);
        detail.steps.into_iter().map(told).collect::<Vec<_>>()
    };
    let first = (Phase::Prepare, at(1), 30, Some("fetch_timeout".to_owned()));
    let second = (Phase::Prepare, at(2), 20, None);
    assert_eq!(kept().await, [first.clone(), second.clone()]);
    for secs in 4..150 {
        apply(
            Phase::Submit,
            Some(step(Phase::Submit, 1, Some("engine_busy"))),
            secs,
        )
        .await;
    }
    let kept = kept().await;
    assert_eq!((kept.len(), &kept[..2]), (100, &[first, second][..]));
}
