//! Ends a submission whose answer was never seen. After the grace time, in which a callback may prove
//! it, the engine's own list of what it took is asked, more than once.
//!
//! The list is evidence, not an oracle: it may be late, and may not show everything. So a request is
//! taken for ours only if the list says so, or if it is the one request of the time of the call that
//! no one accounts for and no other lost call could claim; and "it was not taken" is believed only
//! of a list that is complete and shows a request of ours that came later. Both must be said twice
//! in a row. In doubt the policy decides, as it does where there is no list. Invariant: nothing is
//! submitted again while the first call may have been taken, unless the operator chose so.

use std::collections::HashSet;
use std::time::Duration;

use super::report::{Report, StepError};
use crate::engines::{Engine, History};
use crate::jobs::{FailureCode, RequestId, UnixMs};
use crate::store::{Claimed, Submission, SubmissionState};
use crate::worker::{UnknownPolicy, Worker};

/// How often the list is asked before the policy decides.
const MOST_ASKS: u32 = 6;
/// The longest pause between two of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A call ends within its time-outs, 35 s in all, after its intent was written.
const CALL: Duration = Duration::from_secs(60);
/// How far apart the two clocks may be read: fal tells its own to the second.
const SLACK: Duration = Duration::from_secs(5);

/// What became of a submission that was open.
pub(in crate::worker) enum Resolved {
    /// The engine has it, under this name.
    Taken(RequestId),
    /// It is closed, and the job may be submitted again.
    Over,
}

/// What one answer of the list says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Taken(RequestId),
    NotTaken,
    Unsure,
}

/// Ends the submission, or leaves with what to wait for.
pub(in crate::worker) async fn run(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    submission: &Submission,
) -> Result<Resolved, StepError> {
    let (facts, now) = (engine.facts(), worker.parts.clock.now());
    if facts.repeatable {
        return close(worker, submission, SubmissionState::Refused).await;
    }
    // While this process was away it could hear no callback, so its absence does not count.
    let heard_since = if facts.calls_back {
        submission.opened_at.max(worker.started_at)
    } else {
        submission.opened_at
    };
    let deadline = heard_since.plus(worker.settings.unknown_grace);
    // Another account's list shows nothing of it, and would seem to prove that it was never taken.
    let lists = engine.lists(submission.place.as_deref());
    if (facts.calls_back || lists) && now < deadline {
        return Err(Report::snooze(deadline).into());
    }
    if lists && submission.asked < MOST_ASKS {
        let verdict = ask(worker, job, engine, submission).await?;
        match verdict {
            Verdict::Taken(request) => {
                tracing::info!(job = %job.lease.job, owner = %job.owner, "the engine's list shows that a submission was taken whose answer was lost");
                return Ok(Resolved::Taken(request));
            }
            Verdict::NotTaken => {
                tracing::info!(job = %job.lease.job, owner = %job.owner, "the engine's list shows that a submission was not taken whose answer was lost");
                return close(worker, submission, SubmissionState::Refused).await;
            }
            Verdict::Unsure if submission.asked + 1 < MOST_ASKS => {
                let pause = worker.settings.unknown_pause * 2u32.pow(submission.asked);
                return Err(Report::snooze(now.plus(pause.min(LONGEST_PAUSE))).into());
            }
            // It never says enough.
            Verdict::Unsure => {}
        }
    }
    give_up(worker, job, submission).await
}

async fn close(
    worker: &Worker,
    submission: &Submission,
    state: SubmissionState,
) -> Result<Resolved, StepError> {
    let wall = worker.parts.clock.wall();
    let store = &worker.parts.store;
    store
        .submission_close(&submission.nonce, state, None, wall)
        .await?;
    Ok(Resolved::Over)
}

async fn give_up(
    worker: &Worker,
    job: &Claimed,
    submission: &Submission,
) -> Result<Resolved, StepError> {
    close(worker, submission, SubmissionState::Unknown).await?;
    let (id, policy) = (job.lease.job, worker.settings.unknown_policy);
    worker.parts.metrics.submission_unknown(job.engine);
    tracing::error!(job = %id, owner = %job.owner, engine = job.engine.as_str(), ?policy, "it is not known whether the engine took a submission; it may have been paid");
    match policy {
        UnknownPolicy::Retry => Ok(Resolved::Over),
        UnknownPolicy::Fail => Err(Report::give_up(FailureCode::SubmissionUnknown).into()),
    }
}

/// Asks the list once and notes the answer. A verdict other than "unsure" has been said twice in a
/// row.
async fn ask(
    worker: &Worker,
    job: &Claimed,
    engine: &dyn Engine,
    submission: &Submission,
) -> Result<Verdict, StepError> {
    let (store, nonce) = (&worker.parts.store, &submission.nonce);
    let from = submission.called_at.minus(SLACK);
    let until = submission.called_at.plus(CALL + SLACK);
    let verdict = match engine
        .history(job.lease.job, nonce, submission.place.as_deref(), from)
        .await
    {
        Ok(history) => {
            let listed: Vec<RequestId> = history
                .requests
                .iter()
                .map(|listed| listed.request.clone())
                .collect();
            let known = store.submission_known(&listed).await?.into_iter().collect();
            // Calls whose time touches that of this one.
            let before = from.minus(CALL + SLACK);
            let rivals = store
                .submission_rivals(job.engine, nonce, before, until)
                .await?;
            verdict(&history, &known, rivals > 0, from, until)
        }
        Err(error) => {
            // Whatever it says: one odd answer is no reason to give a payment up.
            tracing::warn!(job = %job.lease.job, code = error.code.as_str(), %error, "the engine's list of requests could not be read");
            Verdict::Unsure
        }
    };
    // A request id is never empty, so that stands for "there is none".
    let found = match &verdict {
        Verdict::Taken(request) => Some(request.clone()),
        Verdict::NotTaken => Some(RequestId(String::new())),
        Verdict::Unsure => None,
    };
    store.submission_asked(nonce, found.as_ref()).await?;
    let said_before = found.is_some() && found == submission.found;
    Ok(if said_before {
        verdict
    } else {
        Verdict::Unsure
    })
}

/// What a list says of a call that was made between `from` and `until`.
fn verdict(
    history: &History,
    known: &HashSet<RequestId>,
    rivals: bool,
    from: UnixMs,
    until: UnixMs,
) -> Verdict {
    let requests = &history.requests;
    let mut ours = requests.iter().filter(|listed| listed.ours == Some(true));
    match (ours.next(), ours.next()) {
        (Some(only), None) => return Verdict::Taken(only.request.clone()),
        // One call makes one request, so the list is not to be believed.
        (Some(_), Some(_)) => return Verdict::Unsure,
        (None, _) => {}
    }
    if !history.complete {
        return Verdict::Unsure;
    }
    let mut unclaimed = requests.iter().filter(|listed| {
        let in_time = (from..=until).contains(&listed.sent_at);
        in_time && listed.ours.is_none() && !known.contains(&listed.request)
    });
    match (unclaimed.next(), unclaimed.next()) {
        (Some(only), None) if !rivals => Verdict::Taken(only.request.clone()),
        (Some(_), _) => Verdict::Unsure,
        // A list that shows what came after the call, and is one of what came, shows the call too.
        (None, _) => {
            let later = |listed: &&crate::engines::Listed| {
                listed.sent_at > until && known.contains(&listed.request)
            };
            if requests.iter().any(|listed| later(&listed)) {
                Verdict::NotTaken
            } else {
                Verdict::Unsure
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::Listed;

    fn listed(id: &str, at: i64, ours: Option<bool>) -> Listed {
        Listed {
            request: RequestId(id.to_owned()),
            sent_at: UnixMs(at),
            ours,
        }
    }

    fn said(requests: &[Listed], complete: bool, rivals: bool) -> Verdict {
        let known = HashSet::from([RequestId("known".into()), RequestId("later".into())]);
        let history = History {
            requests: requests.to_vec(),
            complete,
        };
        verdict(&history, &known, rivals, UnixMs(100), UnixMs(200))
    }

    fn taken(id: &str) -> Verdict {
        Verdict::Taken(RequestId(id.to_owned()))
    }

    #[test]
    fn the_one_request_that_no_one_accounts_for_is_ours() {
        let (known, one) = (listed("known", 150, None), listed("one", 160, None));
        let early = listed("early", 99, None);
        let strange = listed("strange", 150, Some(false));
        let all = [known, one.clone(), early, strange];
        assert_eq!(said(&all, true, false), taken("one"));
        assert_eq!(
            said(&all, true, true),
            Verdict::Unsure,
            "another could be meant"
        );
        assert_eq!(said(&all, false, false), Verdict::Unsure, "there is more");
        let two = [one, listed("two", 170, None)];
        assert_eq!(said(&two, true, false), Verdict::Unsure);
    }

    #[test]
    fn a_tag_decides_whatever_else_is_listed() {
        let all = [
            listed("one", 150, None),
            listed("tagged", 900, Some(true)),
            listed("two", 160, None),
        ];
        assert_eq!(said(&all, false, true), taken("tagged"));
        let twice = [&all[..], &[listed("again", 901, Some(true))]].concat();
        assert_eq!(said(&twice, true, false), Verdict::Unsure);
    }

    #[test]
    fn an_empty_list_proves_nothing_and_a_later_request_of_ours_does() {
        assert_eq!(said(&[], true, false), Verdict::Unsure);
        let earlier = listed("known", 150, None);
        assert_eq!(
            said(std::slice::from_ref(&earlier), true, false),
            Verdict::Unsure
        );
        let later = listed("later", 201, None);
        let all = [earlier, later];
        assert_eq!(said(&all, true, true), Verdict::NotTaken);
        assert_eq!(said(&all, false, false), Verdict::Unsure);
        let stranger = listed("stranger", 300, None);
        assert_eq!(said(&[stranger], true, false), Verdict::Unsure);
    }
}
