//! What every store must keep, as a suite that is run against each implementation. Each case gets
//! an empty store.

mod admin;
mod deployment;
mod events;
mod jobs;
mod kept;
mod owners;
mod queue;
mod submissions;
mod uploads;
mod wake_ups;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub(super) use admin::{
    a_job_s_steps_are_kept_in_order_and_bounded,
    a_job_that_is_gone_is_told_to_the_operator_and_not_retried,
    a_retry_asks_for_what_was_taken_and_pays_nothing,
    a_retry_makes_a_repeatable_call_again_without_asking_for_leave,
    a_retry_that_may_pay_again_hands_over_anew_and_forgets_no_payment,
};
pub(super) use deployment::a_deployment_is_told_apart_and_its_times_never_go_back;
pub(super) use events::{
    the_ends_of_an_owners_jobs_have_an_order_that_is_kept,
    whoever_listens_hears_of_every_commit_after_it,
};
pub(super) use jobs::{
    a_deleted_job_takes_the_lease_and_is_erased_then_forgotten, a_job_expires_in_every_phase,
    a_job_is_live_until_its_time_whether_or_not_that_is_marked, a_job_is_seen_by_its_owner_alone,
    a_key_names_one_job_as_long_as_it_lives, a_list_is_newest_first_and_goes_on_after_its_cursor,
    a_run_is_released_however_and_whenever_its_job_ended,
    a_source_beside_its_row_goes_when_its_job_is_over, a_store_that_is_closed_says_so,
    no_reader_sees_less_than_was_acknowledged_or_read_before,
};
pub(super) use kept::{
    a_job_s_bytes_are_counted_until_they_are_erased,
    an_upload_s_bytes_are_counted_once_promised_or_there,
    no_number_of_creates_keeps_more_than_the_bound,
    variants_of_a_layer_are_counted_within_the_bounds_until_it_is_erased,
};
pub(super) use owners::{
    a_key_is_kept_until_it_is_revoked_and_then_remembered,
    jobs_at_work_are_bounded_however_many_come_at_once,
    limits_are_the_owners_and_stay_with_its_next_key,
    no_number_of_workers_spends_more_than_the_caps_allow, what_may_have_been_taken_is_spent,
};
pub(super) use queue::{
    a_job_is_claimed_once_when_it_is_due, a_job_that_got_through_is_no_suspect_any_more,
    a_job_that_is_alone_when_its_process_dies_is_set_aside_and_no_other,
    a_job_that_waited_while_nobody_listened_is_due_at_once,
    a_job_with_a_first_stack_is_complete_with_it_and_not_set_aside,
    a_late_answer_from_a_lost_worker_changes_nothing,
    a_released_job_is_due_again_with_its_attempt_unchanged, a_renewed_lease_is_not_taken_over,
    an_owner_with_many_jobs_waits_for_its_turn_like_any_other,
    leases_of_a_dead_process_end_at_once, no_owner_and_no_host_takes_more_than_its_share,
    progress_of_a_job_rises_under_its_lease_alone, racing_workers_never_share_a_job,
    the_queue_tells_what_is_due_and_for_how_long, the_queues_times_can_be_moved_to_another_clock,
    turns_go_round_where_every_owner_holds_the_same, whoever_holds_fewest_places_comes_first,
};
pub(super) use submissions::{
    a_callback_proves_a_submission_that_a_list_did_not_show,
    a_callback_proves_that_an_open_submission_was_taken,
    a_copy_at_the_engine_is_kept_with_its_job_until_it_is_handed_over,
    a_first_stack_is_kept_until_a_better_one_takes_its_place,
    a_lost_call_is_told_from_those_that_are_known, a_submission_of_unknown_fate_is_counted,
    open_submissions_of_jobs_that_ended_are_closed_as_unknown,
    the_ledger_follows_every_submission_through_its_states,
    what_a_step_learns_is_written_with_its_change,
};
pub(super) use uploads::{
    a_promised_upload_becomes_an_upload_once, an_upload_is_its_owners_until_it_expires,
};
pub(super) use wake_ups::{
    a_callback_makes_a_waiting_job_due_and_its_claim_tells,
    a_wake_up_does_not_shorten_the_pause_after_a_try_that_failed,
    a_wake_up_during_a_step_is_not_lost,
};

use super::{
    Abandoned, Arrival, Cancellable, Claimed, ClockSeen, Created, Deletion, Ended, FencedWrite,
    Gone, IdempotencyKey, Incoming, KeptInput, LedgerLine, Lookup, NewJob, NewUpload, Opening,
    PhaseStats, SourceInfo, StepOutput, Store, StoredSource, SubmissionState, Want,
};
use crate::access::SpendCaps;
use crate::jobs::{
    Change, EngineKind, FailureCode, JobId, Layer, LayerLabels, MediaType, Moment, Nonce, OwnerId,
    Params, Phase, RequestId, Shares, Stage, UnixMs, UploadId,
};

pub(super) const T0: UnixMs = UnixMs(1_000_000);
pub(super) const LEASE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SOURCE_INFO: SourceInfo = SourceInfo {
    media_type: MediaType::Png,
    width: 3,
    height: 2,
    bytes: 99,
};

pub(super) fn at(secs: u64) -> UnixMs {
    T0.plus(Duration::from_secs(secs))
}

pub(super) fn owner(name: &str) -> OwnerId {
    OwnerId::named(name)
}

pub(super) fn new_job(created_at: UnixMs) -> NewJob {
    NewJob {
        id: JobId::new(created_at),
        owner: owner("a"),
        engine: EngineKind::Fal,
        params: Params {
            prompt: Some("a cat".into()),
            ..Params::default()
        },
        source: StoredSource::Stored(SOURCE_INFO),
        source_bytes: None,
        prepared: false,
        created_at,
        due_at: created_at,
        expires_at: created_at.plus(DAY),
        max_active: None,
        webhook_url: None,
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

pub(super) async fn claim(store: &dyn Store, phase: Phase, now: UnixMs) -> Option<Claimed> {
    claim_as(store, "w", phase, now).await
}

async fn claim_as(store: &dyn Store, worker: &str, phase: Phase, now: UnixMs) -> Option<Claimed> {
    let mut claimed = store
        .job_claim(worker, wants(phase, 1), now, LEASE)
        .await
        .unwrap();
    assert!(claimed.len() <= 1);
    claimed.pop()
}

/// Jobs of a phase whose source is stored.
pub(super) fn wants(phase: Phase, limit: u32) -> Vec<Want> {
    let stage = Stage::of(phase, true).unwrap();
    vec![Want::any(stage, limit)]
}

pub(super) fn moment(secs: u64) -> Moment {
    at(secs).into()
}

pub(super) fn change(phase: Phase, run_at: UnixMs) -> Change {
    Change {
        phase,
        run_at,
        attempt: 0,
        failure: None,
        wakeable: true,
        step: None,
    }
}

/// Claims a new job and brings it to wait, leaving the lease.
pub(super) async fn accepted(store: &dyn Store, now: UnixMs) -> (JobId, Nonce) {
    let id = create(store, now).await;
    let job = claim(store, Phase::Prepare, now).await.unwrap();
    let keep = store
        .job_apply(
            &job.lease,
            change(Phase::Submit, now),
            StepOutput::Source(SOURCE_INFO),
            true,
            now.into(),
        )
        .await
        .unwrap();
    assert_eq!(keep, FencedWrite::Applied);
    let nonce = Nonce::random();
    assert_eq!(
        store
            .submission_open(
                &job.lease,
                &nonce,
                crate::store::Call::at(50_000),
                SpendCaps::default(),
                now.into()
            )
            .await
            .unwrap(),
        Opening::Opened
    );
    let output = StepOutput::Accepted {
        nonce: nonce.clone(),
        request: RequestId("r1".into()),
        queue_position: Some(2),
        expected: Duration::from_secs(20),
    };
    let applied = store
        .job_apply(
            &job.lease,
            change(Phase::Wait, now),
            output,
            false,
            now.into(),
        )
        .await
        .unwrap();
    assert_eq!(applied, FencedWrite::Applied);
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

/// Names every case once, for each implementation to run.
macro_rules! for_each_case {
    ($run:ident) => {
        $run! {
            a_job_is_seen_by_its_owner_alone,
            a_source_beside_its_row_goes_when_its_job_is_over,
            a_list_is_newest_first_and_goes_on_after_its_cursor,
            a_key_names_one_job_as_long_as_it_lives,
            a_job_is_claimed_once_when_it_is_due,
            racing_workers_never_share_a_job,
            a_late_answer_from_a_lost_worker_changes_nothing,
            a_renewed_lease_is_not_taken_over,
            progress_of_a_job_rises_under_its_lease_alone,
            a_job_with_a_first_stack_is_complete_with_it_and_not_set_aside,
            a_first_stack_is_kept_until_a_better_one_takes_its_place,
            a_released_job_is_due_again_with_its_attempt_unchanged,
            a_job_that_is_alone_when_its_process_dies_is_set_aside_and_no_other,
            a_job_that_got_through_is_no_suspect_any_more,
            an_owner_with_many_jobs_waits_for_its_turn_like_any_other,
            turns_go_round_where_every_owner_holds_the_same,
            whoever_holds_fewest_places_comes_first,
            no_owner_and_no_host_takes_more_than_its_share,
            the_queues_times_can_be_moved_to_another_clock,
            what_a_step_learns_is_written_with_its_change,
            a_wake_up_during_a_step_is_not_lost,
            a_wake_up_does_not_shorten_the_pause_after_a_try_that_failed,
            a_callback_makes_a_waiting_job_due_and_its_claim_tells,
            a_callback_proves_that_an_open_submission_was_taken,
            a_callback_proves_a_submission_that_a_list_did_not_show,
            a_submission_of_unknown_fate_is_counted,
            a_copy_at_the_engine_is_kept_with_its_job_until_it_is_handed_over,
            a_lost_call_is_told_from_those_that_are_known,
            open_submissions_of_jobs_that_ended_are_closed_as_unknown,
            a_deleted_job_takes_the_lease_and_is_erased_then_forgotten,
            the_ledger_follows_every_submission_through_its_states,
            the_queue_tells_what_is_due_and_for_how_long,
            a_job_expires_in_every_phase,
            a_run_is_released_however_and_whenever_its_job_ended,
            a_job_is_live_until_its_time_whether_or_not_that_is_marked,
            a_deployment_is_told_apart_and_its_times_never_go_back,
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
            a_retry_makes_a_repeatable_call_again_without_asking_for_leave,
            a_retry_that_may_pay_again_hands_over_anew_and_forgets_no_payment,
            a_job_that_is_gone_is_told_to_the_operator_and_not_retried,
            a_job_s_steps_are_kept_in_order_and_bounded,
            a_job_s_bytes_are_counted_until_they_are_erased,
            an_upload_s_bytes_are_counted_once_promised_or_there,
            variants_of_a_layer_are_counted_within_the_bounds_until_it_is_erased,
            no_number_of_creates_keeps_more_than_the_bound,
            the_ends_of_an_owners_jobs_have_an_order_that_is_kept,
            whoever_listens_hears_of_every_commit_after_it,
            a_store_that_is_closed_says_so,
        }
    };
}
pub(super) use for_each_case;
