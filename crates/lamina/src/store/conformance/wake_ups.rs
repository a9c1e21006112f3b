//! Wake-ups: an engine says that it is done, while a job waits, is worked on, or rests after a try that failed.

use super::*;

pub(in crate::store) async fn a_callback_makes_a_waiting_job_due_and_its_claim_tells(
    store: Arc<dyn Store>,
) {
    let (id, nonce) = accepted(&*store, T0).await;
    let claimed = claim(&*store, Phase::Wait, T0).await.unwrap();
    assert!(!claimed.was_called);
    let write = (change(Phase::Wait, at(500)), StepOutput::None);
    let applied = store.job_apply(&claimed.lease, write.0, write.1, false, T0.into());
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    for (called, due) in [(Nonce::random(), false), (nonce, true)] {
        // Its request is known; nothing is to be adopted.
        let request = RequestId("another".into());
        let adopted = store.submission_called_back(id, &called, &request, moment(1));
        assert!(!adopted.await.unwrap());
        let claimed = claim(&*store, Phase::Wait, at(1)).await;
        assert_eq!(claimed.map(|job| job.was_called), due.then_some(true));
    }
}

pub(in crate::store) async fn a_wake_up_during_a_step_is_not_lost(store: Arc<dyn Store>) {
    let (id, nonce) = accepted(&*store, T0).await;
    let mut claimed = claim(&*store, Phase::Wait, T0).await.unwrap();
    assert!(!store.job_wake(id, &Nonce::random(), at(1)).await.unwrap());
    // The second is written by a statement of its own.
    let waiting = StepOutput::Waiting {
        fraction: None,
        queue_position: None,
    };
    for (output, now) in [(StepOutput::None, 2), (waiting, 4)] {
        let called = store.job_wake(id, &nonce, at(now - 1)).await;
        assert!(called.unwrap());
        snooze(&*store, &claimed, output.clone(), now).await;
        claimed = claim(&*store, Phase::Wait, at(now)).await.unwrap();
        assert!(claimed.was_called, "{output:?}");
    }
    // It was told, and makes nothing due once more.
    snooze(&*store, &claimed, StepOutput::None, 5).await;
    assert!(claim(&*store, Phase::Wait, at(499)).await.is_none());
    let claimed = claim(&*store, Phase::Wait, at(500)).await.unwrap();
    assert!(!claimed.was_called);
}

pub(in crate::store) async fn a_wake_up_does_not_shorten_the_pause_after_a_try_that_failed(
    store: Arc<dyn Store>,
) {
    let (id, nonce) = accepted(&*store, T0).await;
    let claimed = claim(&*store, Phase::Wait, T0).await.unwrap();
    let failed = Change {
        attempt: 1,
        wakeable: false,
        ..change(Phase::Wait, at(60))
    };
    // Before the end of the step, and after.
    assert!(store.job_wake(id, &nonce, at(1)).await.unwrap());
    let write = store.job_apply(&claimed.lease, failed, StepOutput::None, false, moment(2));
    assert_eq!(write.await.unwrap(), FencedWrite::Applied);
    assert!(claim(&*store, Phase::Wait, at(2)).await.is_none());
    let request = RequestId("r1".into());
    let called = store.submission_called_back(id, &nonce, &request, moment(3));
    assert!(!called.await.unwrap());
    assert!(store.job_wake(id, &nonce, at(3)).await.unwrap());
    assert!(claim(&*store, Phase::Wait, at(59)).await.is_none());
    let claimed = claim(&*store, Phase::Wait, at(60)).await.unwrap();
    assert_eq!((claimed.attempt, claimed.was_called), (1, true));
    snooze(&*store, &claimed, StepOutput::None, 61).await;
    assert!(store.job_wake(id, &nonce, at(62)).await.unwrap());
    assert!(claim(&*store, Phase::Wait, at(62)).await.is_some());
}

/// The end of a step that found nothing: the job looks again at 500 s.
async fn snooze(store: &dyn Store, claimed: &Claimed, output: StepOutput, now: u64) {
    let later = change(Phase::Wait, at(500));
    let applied = store.job_apply(&claimed.lease, later, output, false, moment(now));
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
}
