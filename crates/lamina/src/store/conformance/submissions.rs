//! What a step learns, and what is known of calls to engines.

use super::*;
use crate::jobs::{DuplicateLayers, LayerQuality, Quality, Status, WorstTile};
use crate::store::KeptKind;

pub(in crate::store) async fn what_a_step_learns_is_written_with_its_change(store: Arc<dyn Store>) {
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
        let output = StepOutput::Waiting {
            fraction: Some(fraction),
            queue_position: None,
        };
        let keep = store
            .job_apply(
                &claimed.lease,
                change(Phase::Wait, at(1)),
                output,
                true,
                at(1).into(),
            )
            .await
            .unwrap();
        assert_eq!(keep, FencedWrite::Applied);
        assert!((found(&*store, id).await.estimate.reported - stored).abs() < 1e-6);
    }

    let keep = store
        .job_apply(
            &claimed.lease,
            change(Phase::Collect, at(9)),
            StepOutput::Ready {
                run: Some(Duration::from_secs(7)),
            },
            true,
            at(9).into(),
        )
        .await
        .unwrap();
    assert_eq!(keep, FencedWrite::Applied);
    let layer = Layer {
        order: 0,
        file: 0,
        labels: LayerLabels {
            name: Some("Grand Opening".into()),
            kind: Some("text".into()),
            text: Some("Grand\nOpening".into()),
            text_confidence: Some(0.75),
        },
        media_type: MediaType::Png,
        width: 3,
        height: 2,
        bytes: 70,
        sha256: "00".into(),
        bbox: None,
        coverage: 1.0,
        thumbhash: None,
        fidelity_bytes: None,
    };
    let quality = Quality {
        mean_error: 0.25,
        p99_error: 7,
        psnr_db: Some(41.5),
        worst_tile: WorstTile {
            x: 64,
            y: 0,
            width: 64,
            height: 2,
            mean_error: 9.75,
        },
        uncovered: 0.125,
        order_confidence: 0.5,
        better_order: Some(vec![1, 0]),
        second_try: None,
        duplicates: vec![DuplicateLayers {
            lower: 0,
            upper: 1,
            iou: 0.9375,
            colour_difference: 3.5,
        }],
        layers: vec![LayerQuality {
            order: 0,
            visible: 0.75,
            empty: false,
            whole_picture: true,
            fringe: None,
        }],
    };
    let output = StepOutput::Layers(vec![layer.clone()], Some(Box::new(quality.clone())));
    let done = store
        .job_apply(
            &claimed.lease,
            change(Phase::Completed, at(9)),
            output,
            true,
            at(9).into(),
        )
        .await
        .unwrap();
    assert_eq!(done, FencedWrite::Applied);
    let job = found(&*store, id).await;
    assert_eq!((job.phase, job.layers), (Phase::Completed, vec![layer]));
    assert_eq!(job.quality, Some(quality));
    assert_eq!(
        store.past_runs(EngineKind::Fal, 5).await.unwrap(),
        [crate::store::PastRun {
            size: (3, 2),
            layers: crate::jobs::LayersAsked(0),
            took: Duration::from_secs(7),
        }]
    );
    assert_eq!(store.job_counts().await.unwrap().leased, 0);
}

pub(in crate::store) async fn a_first_stack_is_kept_until_a_better_one_takes_its_place(
    store: Arc<dyn Store>,
) {
    let (id, nonce) = accepted(&*store, T0).await;
    let stack = |bytes| {
        let mut layer = super::kept::layer(0);
        layer.bytes = bytes;
        vec![layer]
    };
    let kept_bytes = || async { store.storage_usage(0).await.unwrap().of(KeptKind::Layer) };
    let job = claim(&*store, Phase::Wait, at(1)).await.unwrap();
    assert!(job.first.is_none() && !job.submission.unwrap().collected);
    let ready = change(Phase::Collect, at(1));
    let applied = store.job_apply(&job.lease, ready, StepOutput::None, true, at(1).into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let first = StepOutput::FirstStack {
        nonce,
        layers: stack(70),
        quality: Box::new(Quality::example(Some(12.0))),
    };
    let again = change(Phase::Submit, at(1));
    let applied = store.job_apply(&job.lease, again, first, false, at(1).into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    // Counted, nobody's yet, and no fall back.
    assert_eq!(kept_bytes().await, 70);
    let shown = found(&*store, id).await;
    assert!(shown.layers.is_empty() && shown.status() == Some(Status::Processing));
    assert_eq!(store.layer_get(id, 0, at(2)).await.unwrap(), None);
    let job = claim(&*store, Phase::Submit, at(2)).await.unwrap();
    assert!(job.submission.unwrap().collected);
    let kept = job.first.unwrap();
    assert_eq!(
        (kept.layers, kept.quality),
        (stack(70), Quality::example(Some(12.0)))
    );
    // The second is better.
    let better = StepOutput::Layers(stack(90), Some(Box::new(Quality::example(None))));
    let done = change(Phase::Completed, at(3));
    let applied = store.job_apply(&job.lease, done, better, false, at(3).into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let shown = found(&*store, id).await;
    assert_eq!((shown.layers, kept_bytes().await), (stack(90), 90));
    assert_eq!(shown.quality, Some(Quality::example(None)));
}

pub(in crate::store) async fn a_callback_proves_that_an_open_submission_was_taken(
    store: Arc<dyn Store>,
) {
    let id = create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let applied = store
        .job_apply(
            &job.lease,
            change(Phase::Submit, T0),
            StepOutput::None,
            true,
            T0.into(),
        )
        .await
        .unwrap();
    assert_eq!(applied, FencedWrite::Applied);
    let (nonce, request) = (Nonce::random(), RequestId("r9".into()));
    assert_eq!(
        store
            .submission_open(
                &job.lease,
                &nonce,
                crate::store::Call::at(50_000),
                SpendCaps::default(),
                T0.into()
            )
            .await
            .unwrap(),
        Opening::Opened
    );
    // An earlier try failed; the wait for an answer that was lost is no pause after it.
    let later = Change {
        attempt: 1,
        ..change(Phase::Submit, at(100))
    };
    assert_eq!(
        store
            .job_apply(&job.lease, later, StepOutput::None, false, T0.into())
            .await
            .unwrap(),
        FencedWrite::Applied
    );

    let called = Moment {
        now: at(1),
        wall: at(3_000),
    };
    assert!(
        !store
            .submission_called_back(id, &Nonce::random(), &request, called)
            .await
            .unwrap()
    );
    assert!(
        store
            .submission_called_back(id, &nonce, &request, called)
            .await
            .unwrap()
    );
    assert!(
        !store
            .submission_called_back(id, &nonce, &RequestId("another".into()), called)
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
    let written = store.job_detail(id).await.unwrap().unwrap().submissions;
    assert_eq!(written[0].closed_at, Some(called.wall));
    assert_eq!(store.submission_unknown_count().await.unwrap(), 0);
}

pub(in crate::store) async fn a_callback_proves_a_submission_that_a_list_did_not_show(
    store: Arc<dyn Store>,
) {
    let id = create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let submit = change(Phase::Submit, T0);
    let kept = store.job_apply(&job.lease, submit, StepOutput::None, true, T0.into());
    assert_eq!(kept.await.unwrap(), FencedWrite::Applied);
    let (nonce, request) = (Nonce::random(), RequestId("r9".into()));
    let call = crate::store::Call::at(50_000);
    let opened = store.submission_open(&job.lease, &nonce, call, SpendCaps::default(), T0.into());
    assert_eq!(opened.await.unwrap(), Opening::Opened);
    let refused = SubmissionState::Refused;
    let closed = store.submission_close(&nonce, refused, None, T0);
    closed.await.unwrap();
    let later = change(Phase::Submit, at(100));
    let snoozed = store.job_apply(&job.lease, later, StepOutput::None, false, T0.into());
    assert_eq!(snoozed.await.unwrap(), FencedWrite::Applied);
    // Before the call is made again, which would be paid again.
    let called = store.submission_called_back(id, &nonce, &request, moment(1));
    assert!(called.await.unwrap());
    let claimed = claim(&*store, Phase::Submit, at(1)).await.unwrap();
    let submission = claimed.submission.unwrap();
    assert_eq!(
        (submission.state, submission.request),
        (SubmissionState::Accepted, Some(request))
    );
}

pub(in crate::store) async fn a_submission_of_unknown_fate_is_counted(store: Arc<dyn Store>) {
    create(&*store, T0).await;
    let job = claim(&*store, Phase::Prepare, T0).await.unwrap();
    let nonce = Nonce::random();
    assert_eq!(
        store
            .submission_open(
                &job.lease,
                &nonce,
                crate::store::Call::at(0),
                SpendCaps::default(),
                T0.into()
            )
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

pub(in crate::store) async fn the_ledger_follows_every_submission_through_its_states(
    store: Arc<dyn Store>,
) {
    let line = |state, submissions| LedgerLine {
        engine: EngineKind::Fal,
        state,
        submissions,
        microusd: submissions * 50_000,
    };
    let (_, taken) = accepted(&*store, T0).await;
    accepted(&*store, at(1)).await;
    let mut ledger = store.ledger(T0).await.unwrap().lines;
    ledger.retain(|line| line.submissions > 0);
    assert_eq!(ledger, [line(SubmissionState::Accepted, 2)]);

    let job = claim(&*store, Phase::Wait, at(1)).await.unwrap();
    let applied = store
        .job_apply(
            &job.lease,
            change(Phase::Submit, at(1)),
            StepOutput::RunFailed(taken),
            true,
            at(1).into(),
        )
        .await;
    assert_eq!(applied.unwrap(), FencedWrite::Applied);
    let lost = Nonce::random();
    let opened = store
        .submission_open(
            &job.lease,
            &lost,
            crate::store::Call::at(50_000),
            SpendCaps::default(),
            at(2).into(),
        )
        .await;
    assert_eq!(opened.unwrap(), Opening::Opened);
    let ledger = store.ledger(T0).await.unwrap().lines;
    assert!(
        ledger.contains(&line(SubmissionState::Open, 1)),
        "{ledger:?}"
    );
    let unknown = SubmissionState::Unknown;
    store
        .submission_close(&lost, unknown, None, at(3))
        .await
        .unwrap();
    let mut ledger = store.ledger(T0).await.unwrap().lines;
    ledger.sort_by_key(|line| line.state.as_str());
    let expected = [
        line(SubmissionState::Accepted, 1),
        line(SubmissionState::Failed, 1),
        line(SubmissionState::Open, 0),
        line(SubmissionState::Unknown, 1),
    ];
    assert_eq!(ledger, expected);
    let day = store.ledger(T0).await.unwrap().today_microusd;
    assert_eq!(day, 3 * 50_000, "what is not known may have been taken");
    let next = store.ledger(T0.plus(DAY)).await.unwrap();
    assert_eq!(next.today_microusd, 0);
}

/// A job in submit, still leased, with an open submission.
async fn calling(store: &dyn Store, now: UnixMs) -> (Claimed, Nonce) {
    create(store, now).await;
    let mut job = claim(store, Phase::Prepare, now).await.unwrap();
    let submit = change(Phase::Submit, now);
    let kept = store
        .job_apply(&job.lease, submit, StepOutput::None, true, now.into())
        .await
        .unwrap();
    assert_eq!(kept, FencedWrite::Applied);
    job.phase = Phase::Submit;
    let nonce = Nonce::random();
    let opened = store
        .submission_open(
            &job.lease,
            &nonce,
            crate::store::Call::at(50_000),
            SpendCaps::default(),
            now.into(),
        )
        .await
        .unwrap();
    assert_eq!(opened, Opening::Opened);
    (job, nonce)
}

pub(in crate::store) async fn a_copy_at_the_engine_is_kept_with_its_job_until_it_is_handed_over(
    store: Arc<dyn Store>,
) {
    let (job, nonce) = calling(&*store, T0).await;
    let copy = KeptInput {
        address: "https://media.test/a.png".into(),
        until: at(900),
    };
    assert!(!format!("{copy:?}").contains("media.test"));
    let kept = store.input_keep(&job.lease, copy.clone()).await.unwrap();
    assert_eq!(kept, FencedWrite::Applied);
    let again = change(Phase::Submit, at(1));
    let applied = store
        .job_apply(&job.lease, again, StepOutput::None, false, T0.into())
        .await
        .unwrap();
    assert_eq!(applied, FencedWrite::Applied);
    // The lease is over, and with it the right to write.
    let late = store.input_keep(&job.lease, copy.clone()).await.unwrap();
    assert_eq!(late, FencedWrite::LostLease);

    let job = claim(&*store, Phase::Submit, at(1)).await.unwrap();
    assert_eq!(job.input, Some(copy));
    let output = StepOutput::Accepted {
        nonce,
        request: RequestId("r1".into()),
        queue_position: None,
        expected: Duration::from_secs(20),
    };
    let wait = change(Phase::Wait, at(2));
    let applied = store
        .job_apply(&job.lease, wait, output, false, at(1).into())
        .await
        .unwrap();
    assert_eq!(applied, FencedWrite::Applied);
    let job = claim(&*store, Phase::Wait, at(2)).await.unwrap();
    assert_eq!(job.input, None);
}

pub(in crate::store) async fn a_lost_call_is_told_from_those_that_are_known(store: Arc<dyn Store>) {
    let (_, known) = accepted(&*store, T0).await;
    let (job, lost) = calling(&*store, at(10)).await;
    let requests = ["r1", "r2"].map(|id| RequestId(id.into()));
    assert_eq!(
        store.submission_known(&requests).await.unwrap(),
        [RequestId("r1".into())]
    );
    let rivals = async |nonce: &Nonce, from, to| {
        store
            .submission_rivals(EngineKind::Fal, nonce, from, to)
            .await
            .unwrap()
    };
    assert_eq!(
        rivals(&lost, T0, at(20)).await,
        0,
        "{known:?} is accounted for"
    );
    assert_eq!(rivals(&known, T0, at(20)).await, 1);
    assert_eq!(rivals(&known, T0, at(9)).await, 0);

    let found = RequestId("r2".into());
    store.submission_asked(&lost, None).await.unwrap();
    store.submission_asked(&lost, Some(&found)).await.unwrap();
    assert_eq!(
        store.lease_release(&job.lease).await.unwrap(),
        FencedWrite::Applied
    );
    let job = claim(&*store, Phase::Submit, at(30)).await.unwrap();
    let submission = job.submission.unwrap();
    assert_eq!((submission.asked, submission.found), (2, Some(found)));
    // Given up on, it may still be the one that a later look finds.
    let unknown = SubmissionState::Unknown;
    store
        .submission_close(&lost, unknown, None, at(31))
        .await
        .unwrap();
    assert_eq!(rivals(&known, T0, at(20)).await, 1);
}

pub(in crate::store) async fn open_submissions_of_jobs_that_ended_are_closed_as_unknown(
    store: Arc<dyn Store>,
) {
    let (gone, _) = calling(&*store, T0).await;
    let (alive, _) = calling(&*store, at(1)).await;
    let deleted = store
        .job_delete(&owner("a"), gone.lease.job, at(2))
        .await
        .unwrap();
    assert!(matches!(deleted, Deletion::Done(_)));
    let abandon = async |before| store.submission_abandon(before, at(9), 10).await.unwrap();
    assert_eq!(abandon(T0).await, [], "too young: a call may be on its way");
    let closed = Abandoned {
        job: gone.lease.job,
        owner: owner("a"),
        engine: EngineKind::Fal,
    };
    assert_eq!(abandon(at(5)).await, [closed]);
    assert_eq!(abandon(at(5)).await, [], "{} lives", alive.lease.job);
    assert_eq!(store.submission_unknown_count().await.unwrap(), 1);
}
