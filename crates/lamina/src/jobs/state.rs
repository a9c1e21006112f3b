//! The state machine: phases, the events that move between them, and what the public sees.
//! Pure; the database repeats the phases as CHECK constraints. `docs/state-machine.md` draws it.

use std::fmt;

use serde::Serialize;

/// The inner phase of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Obtain, check and normalise the source.
    Prepare,
    /// Hand the source to the engine, paying at most once.
    Submit,
    /// The engine has it; ask now and then, or be woken by its webhook.
    Wait,
    /// Fetch, verify and store every layer.
    Collect,
    /// Every layer can be fetched.
    Completed,
    /// It ended without layers; the row says why.
    Failed,
    /// Its owner deleted it.
    Deleted,
    /// Its time was over.
    Expired,
}

/// What the API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, not yet taken by the engine.
    Pending,
    /// The engine has it or had it, or its layers are being stored.
    Processing,
    /// Every layer can be fetched.
    Completed,
    /// It ended without layers.
    Failed,
}

/// What may happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The source is stored and checked.
    Prepared,
    /// The engine accepted the submission.
    Accepted,
    /// The engine has layers.
    Ready,
    /// The engine lost or dropped an unbilled request; submit again.
    Resubmit,
    /// Every layer is stored.
    Collected,
    /// Every layer is stored, and a second run is tried for better ones.
    SecondTry,
    /// The second run is over, and the layers of the first stay.
    FirstKept,
    /// It cannot succeed.
    Failed,
    /// An operator lets it begin anew.
    Retried,
    /// The owner deleted it.
    Deleted,
    /// Its time is over.
    Expired,
}

/// An event that has no meaning in a phase: a bug or a lost race, never a user's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a job in phase {phase}")]
pub struct InvalidTransition {
    /// Where the job was.
    pub phase: Phase,
    /// What was to happen.
    pub event: Event,
}

/// The next phase.
///
/// # Errors
/// [`InvalidTransition`] when the event has no meaning in `phase`.
pub fn transition(phase: Phase, event: Event) -> Result<Phase, InvalidTransition> {
    use Phase as P;
    match (phase, event) {
        (P::Prepare, Event::Prepared)
        | (P::Wait | P::Collect, Event::Resubmit)
        | (P::Collect, Event::SecondTry) => Ok(P::Submit),
        (P::Submit, Event::Accepted) => Ok(P::Wait),
        (P::Wait, Event::Ready) => Ok(P::Collect),
        (P::Collect, Event::Collected) | (P::Submit | P::Wait | P::Collect, Event::FirstKept) => {
            Ok(P::Completed)
        }
        (P::Prepare | P::Submit | P::Wait | P::Collect, Event::Failed) => Ok(P::Failed),
        (P::Failed, Event::Retried) => Ok(P::Prepare),
        (
            P::Prepare | P::Submit | P::Wait | P::Collect | P::Completed | P::Failed,
            Event::Deleted,
        ) => Ok(P::Deleted),
        (
            P::Prepare | P::Submit | P::Wait | P::Collect | P::Completed | P::Failed,
            Event::Expired,
        ) => Ok(P::Expired),
        _ => Err(InvalidTransition { phase, event }),
    }
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Prepare,
        Self::Submit,
        Self::Wait,
        Self::Collect,
        Self::Completed,
        Self::Failed,
        Self::Deleted,
        Self::Expired,
    ];

    /// The phases in which a worker has something to do.
    pub const ACTIVE: [Self; 4] = [Self::Prepare, Self::Submit, Self::Wait, Self::Collect];

    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Submit => "submit",
            Self::Wait => "wait",
            Self::Collect => "collect",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
        }
    }

    /// The phase of a word in the store.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }

    /// Whether no worker will touch the job again.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Deleted | Self::Expired
        )
    }

    /// What the API shows; `None` when the answer is 410. A job that is `resubmitted`, after a run
    /// that failed, goes on being processed: its owner never sees it fall back.
    #[must_use]
    pub const fn status(self, resubmitted: bool) -> Option<Status> {
        match self {
            Self::Submit if resubmitted => Some(Status::Processing),
            Self::Prepare | Self::Submit => Some(Status::Pending),
            Self::Wait | Self::Collect => Some(Status::Processing),
            Self::Completed => Some(Status::Completed),
            Self::Failed => Some(Status::Failed),
            Self::Deleted | Self::Expired => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 11] = [
        Event::Prepared,
        Event::Accepted,
        Event::Ready,
        Event::Resubmit,
        Event::Collected,
        Event::SecondTry,
        Event::FirstKept,
        Event::Failed,
        Event::Retried,
        Event::Deleted,
        Event::Expired,
    ];

    /// What happens by itself or by the owner's will; an operator may do more.
    fn usual() -> impl Iterator<Item = Event> {
        EVENTS.into_iter().filter(|event| *event != Event::Retried)
    }

    #[test]
    fn every_pair_of_phase_and_event_is_as_drawn() {
        let mut drawn = String::new();
        for phase in Phase::ALL {
            for event in EVENTS {
                if let Ok(next) = transition(phase, event) {
                    drawn.push_str(&format!("{phase} --{event:?}--> {next}\n"));
                }
            }
        }
        insta::assert_snapshot!(drawn, @"
        prepare --Prepared--> submit
        prepare --Failed--> failed
        prepare --Deleted--> deleted
        prepare --Expired--> expired
        submit --Accepted--> wait
        submit --FirstKept--> completed
        submit --Failed--> failed
        submit --Deleted--> deleted
        submit --Expired--> expired
        wait --Ready--> collect
        wait --Resubmit--> submit
        wait --FirstKept--> completed
        wait --Failed--> failed
        wait --Deleted--> deleted
        wait --Expired--> expired
        collect --Resubmit--> submit
        collect --Collected--> completed
        collect --SecondTry--> submit
        collect --FirstKept--> completed
        collect --Failed--> failed
        collect --Deleted--> deleted
        collect --Expired--> expired
        completed --Deleted--> deleted
        completed --Expired--> expired
        failed --Retried--> prepare
        failed --Deleted--> deleted
        failed --Expired--> expired
        ");
    }

    #[test]
    fn nothing_but_erasure_follows_a_terminal_phase() {
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_terminal()) {
            for event in usual() {
                if let Ok(next) = transition(phase, event) {
                    assert!(next.status(false).is_none(), "{phase} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_status_never_goes_back() {
        let rank = |status: Option<Status>| match status {
            Some(Status::Pending) => 0,
            Some(Status::Processing) => 1,
            Some(Status::Completed | Status::Failed) => 2,
            None => 3,
        };
        for phase in Phase::ALL {
            for event in usual() {
                let Ok(next) = transition(phase, event) else {
                    continue;
                };
                for before in [false, true] {
                    let after = before || matches!(event, Event::Resubmit | Event::SecondTry);
                    let (from, to) = (phase.status(before), next.status(after));
                    assert!(rank(to) >= rank(from), "{phase} {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_word_in_the_store_names_one_phase() {
        for phase in Phase::ALL {
            assert_eq!(Phase::parse(phase.as_str()), Some(phase));
        }
        assert_eq!(Phase::parse("done"), None);
    }
}
