//! SQL of a step's end: its change and what it learnt, in one fenced write.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use super::rows::{self, text};
use super::submissions;
use crate::jobs::{
    Change, JobId, Layer, Moment, Phase, Quality, StepRecord, UnixMs, progress, whole_ms,
};
use crate::store::{FencedWrite, Lease, SourceInfo, StepOutput, SubmissionState};

pub(super) fn fenced(rows: usize) -> FencedWrite {
    if rows == 0 {
        FencedWrite::LostLease
    } else {
        FencedWrite::Applied
    }
}

pub(super) fn apply(
    connection: &Connection,
    lease: &Lease,
    change: &Change,
    output: &StepOutput,
    keep: bool,
    moment: Moment,
) -> rusqlite::Result<FencedWrite> {
    if let StepOutput::Waiting {
        fraction,
        queue_position,
    } = output
        && change.phase == Phase::Wait
        && change.failure.is_none()
        && !keep
    {
        return still_waits(
            connection,
            lease,
            change,
            (*fraction, *queue_position),
            moment.now,
        );
    }
    let changed = update_job(connection, lease, change, output, keep, moment)?;
    // A submission that was accepted stays accepted, whoever holds the lease now.
    if let StepOutput::Accepted { nonce, request, .. } = output {
        submissions::close(
            connection,
            nonce,
            SubmissionState::Accepted,
            Some(request),
            moment.wall,
        )?;
        if changed == 0 {
            submissions::end_again(connection, lease.job)?;
        }
    }
    if changed == 0 {
        return Ok(FencedWrite::LostLease);
    }
    if let Some(step) = &change.step {
        record(connection, lease.job, step, moment.wall)?;
    }
    keep_output(connection, lease, output)?;
    Ok(FencedWrite::Applied)
}

/// The job's row; how many rows that were, none of which is a lost lease. A wake-up that came during the step stays written
/// for the next claim, which takes it.
fn update_job(
    connection: &Connection,
    lease: &Lease,
    change: &Change,
    output: &StepOutput,
    keep: bool,
    moment: Moment,
) -> rusqlite::Result<usize> {
    let now = moment.now;
    let (id, terminal) = (text(lease.job), change.phase.is_terminal());
    // Readers go on while this is queued; what they may have seen by then counts too.
    let seen_until = now.plus(Duration::from_secs(2));
    let falls_back = change.failure.is_some()
        || matches!(
            output,
            StepOutput::RunFailed(_) | StepOutput::FirstStack { .. }
        );
    let floor = if falls_back {
        shown(connection, lease, seen_until)?
    } else {
        None
    };
    connection
        .prepare_cached(
            "update jobs set phase = :phase, attempt = :attempt,
                 run_at = case when woken = 1 and :wakeable then min(:now, :run_at) else :run_at end,
                 woken = case when :terminal then 0 else woken end,
                 error_code = :code, error = :error,
                 engine_ms = case when :phase = 'submit' then null
                                  else coalesce(:run, engine_ms) end,
                 finished_at = case when :terminal then :wall else finished_at end,
                 lease_owner = case when :keep then lease_owner end,
                 lease_until = case when :keep then lease_until end,
                 source_media = coalesce(:media, source_media), source_width = coalesce(:width, source_width),
                 source_height = coalesce(:height, source_height), source_bytes = coalesce(:bytes, source_bytes),
                 accepted_at = case when :accepted then :now when :phase = 'submit' then null else accepted_at end,
                 reported = case when :accepted then 0 else max(reported, coalesce(:fraction, 0)) end,
                 expected_ms = coalesce(:expected, expected_ms),
                 progress_floor = max(progress_floor, coalesce(:floor, 0)),
                 first_stack = max(first_stack, :first_stack),
                 queue_position = :position,
                 suspect = case when :phase = 'completed' or (phase = 'prepare' and :phase = 'submit') then 0 else suspect end,
                 rescues = case when :phase = 'completed' or (phase = 'prepare' and :phase = 'submit') then 0 else rescues end,
                 input_address = case when :phase = 'submit' and :keeps_input then input_address end,
                 input_until = case when :phase = 'submit' and :keeps_input then input_until end
             where id = :id and lease_token = :token and lease_owner is not null",
        )?
        .execute(named_params! {
            ":id": id, ":token": lease.token, ":phase": change.phase.as_str(), ":attempt": change.attempt,
            ":run_at": change.run_at.0, ":now": now.0, ":wall": moment.wall.0, ":wakeable": change.wakeable, ":keep": keep && !terminal,
            ":code": change.failure.as_ref().map(|failure| &*failure.code),
            ":error": change.failure.as_ref().map(|failure| &*failure.sentence),
            ":terminal": terminal,
            ":media": source(output).map(|info| info.media_type.extension()),
            ":width": source(output).map(|info| info.width),
            ":height": source(output).map(|info| info.height),
            ":bytes": source(output).map(|info| info.bytes),
            ":accepted": matches!(output, StepOutput::Accepted { .. }),
            ":fraction": fraction(output), ":run": run(output), ":expected": expected(output), ":position": position(output),
            ":floor": floor,
            ":first_stack": matches!(output, StepOutput::FirstStack { .. }),
            // A run that failed may have failed for its input.
            ":keeps_input": !matches!(output, StepOutput::RunFailed(_)),
        })
}

/// What a step gave that has rows of its own.
fn keep_output(
    connection: &Connection,
    lease: &Lease,
    output: &StepOutput,
) -> rusqlite::Result<()> {
    match output {
        StepOutput::Layers(layers, quality) => {
            insert_layers(connection, lease.job, layers)?;
            set_quality(connection, lease.job, quality.as_deref())?;
        }
        StepOutput::FirstStack {
            nonce,
            layers,
            quality,
        } => {
            insert_layers(connection, lease.job, layers)?;
            set_quality(connection, lease.job, Some(quality))?;
            submissions::collected(connection, nonce)?;
        }
        StepOutput::RunFailed(nonce) => submissions::run_failed(connection, nonce)?,
        StepOutput::None
        | StepOutput::Source(_)
        | StepOutput::Accepted { .. }
        | StepOutput::Waiting { .. }
        | StepOutput::Ready { .. } => {}
    }
    Ok(())
}

/// The end of a step that found its job as it was, which is most of what is written while jobs wait: nothing but the few columns
/// that may be others, and so no index but those of the queue.
fn still_waits(
    connection: &Connection,
    lease: &Lease,
    change: &Change,
    (fraction, position): (Option<f32>, Option<u32>),
    now: UnixMs,
) -> rusqlite::Result<FencedWrite> {
    let mut statement = connection.prepare_cached(
        "update jobs set attempt = :attempt, lease_owner = null, lease_until = null,
             run_at = case when woken = 1 and :wakeable then min(:now, :run_at) else :run_at end,
             reported = max(reported, coalesce(:fraction, 0)), queue_position = :position
         where id = :id and lease_token = :token and lease_owner is not null",
    )?;
    let changed = statement.execute(named_params! {
        ":id": text(lease.job), ":token": lease.token, ":attempt": change.attempt,
        ":run_at": change.run_at.0, ":now": now.0, ":wakeable": change.wakeable,
        ":fraction": fraction, ":position": position,
    })?;
    Ok(fenced(changed))
}

/// Adds to the job's timeline, up to a number that only operators who retry it again and again reach.
fn record(
    connection: &Connection,
    job: JobId,
    step: &StepRecord,
    wall: UnixMs,
) -> rusqlite::Result<()> {
    const MOST: u32 = 100;
    connection
        .prepare_cached(
            "insert into steps (job_id, number, phase, ended_at, took_ms, code)
             select ?1, next, ?2, ?3, ?4, ?5
             from (select coalesce(max(number), 0) + 1 as next from steps where job_id = ?1) where next <= ?6",
        )?
        .execute(params![
            text(job),
            step.phase.as_str(),
            wall.0,
            whole_ms(step.took),
            step.code,
            MOST,
        ])?;
    Ok(())
}

/// The progress that readers see before this change; a step back must not show less.
fn shown(connection: &Connection, lease: &Lease, now: UnixMs) -> rusqlite::Result<Option<f32>> {
    connection
        .prepare_cached("select phase, reported, progress_floor, accepted_at, expected_ms from jobs where id = ?1")?
        .query_row([text(lease.job)], |row| Ok(progress(rows::phase(row)?, &rows::estimate(row)?, now)))
        .optional()
}

fn source(output: &StepOutput) -> Option<SourceInfo> {
    if let StepOutput::Source(info) = output {
        Some(*info)
    } else {
        None
    }
}

fn fraction(output: &StepOutput) -> Option<f32> {
    if let StepOutput::Waiting { fraction, .. } = output {
        *fraction
    } else {
        None
    }
}

fn expected(output: &StepOutput) -> Option<i64> {
    let StepOutput::Accepted { expected, .. } = output else {
        return None;
    };
    Some(i64::try_from(expected.as_millis()).unwrap_or(i64::MAX))
}

fn run(output: &StepOutput) -> Option<i64> {
    let StepOutput::Ready { run: Some(run) } = output else {
        return None;
    };
    Some(i64::try_from(run.as_millis()).unwrap_or(i64::MAX))
}

fn position(output: &StepOutput) -> Option<u32> {
    match output {
        StepOutput::Accepted { queue_position, .. }
        | StepOutput::Waiting { queue_position, .. } => *queue_position,
        StepOutput::None
        | StepOutput::Source(_)
        | StepOutput::Ready { .. }
        | StepOutput::RunFailed(_)
        | StepOutput::FirstStack { .. }
        | StepOutput::Layers(..) => None,
    }
}

fn set_quality(
    connection: &Connection,
    job: JobId,
    quality: Option<&Quality>,
) -> rusqlite::Result<()> {
    let json = quality.map(serde_json::to_string).transpose();
    let json = json.map_err(|error| rows::unreadable("quality", &error.to_string()))?;
    connection
        .prepare_cached("update jobs set quality = ?2 where id = ?1")?
        .execute(params![text(job), json])?;
    Ok(())
}

/// In the place of those of a first stack, if there is one.
fn insert_layers(connection: &Connection, job: JobId, layers: &[Layer]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("delete from layers where job_id = ?1")?
        .execute([text(job)])?;
    let mut statement = connection.prepare_cached(
        "insert into layers (job_id, ord, name, media, width, height, bytes, sha256,
                             bbox_x, bbox_y, bbox_width, bbox_height, coverage,
                             kind, words, words_sure, thumbhash, fidelity_bytes, file)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?;
    for layer in layers {
        let bbox = layer.bbox;
        statement.execute(params![
            text(job),
            layer.order,
            layer.labels.name,
            layer.media_type.extension(),
            layer.width,
            layer.height,
            layer.bytes,
            layer.sha256,
            bbox.map(|bbox| bbox.x),
            bbox.map(|bbox| bbox.y),
            bbox.map(|bbox| bbox.width),
            bbox.map(|bbox| bbox.height),
            f64::from(layer.coverage),
            layer.labels.kind,
            layer.labels.text,
            layer.labels.text_confidence.map(f64::from),
            layer.thumbhash,
            layer.fidelity_bytes,
            layer.file,
        ])?;
    }
    Ok(())
}
