//! What a step needs room for. A phase is where a job is in its life; a stage is which of the
//! worker's slots its next step takes. They differ in one place: a job whose picture is still at a
//! stranger's URL waits for that stranger, and no other job may wait behind it. Pure; the database
//! repeats it as a generated column.

use super::Phase;

/// The slots that a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Prepare, with the picture to be fetched first.
    Fetch,
    /// Prepare, with the picture at hand.
    Prepare,
    Submit,
    Wait,
    Collect,
}

impl Stage {
    /// Every stage, in the order of a job's life.
    pub const ALL: [Self; 5] = [
        Self::Fetch,
        Self::Prepare,
        Self::Submit,
        Self::Wait,
        Self::Collect,
    ];

    /// The stage of a job's next step; none in a terminal phase.
    #[must_use]
    pub const fn of(phase: Phase, has_source: bool) -> Option<Self> {
        match phase {
            Phase::Prepare if has_source => Some(Self::Prepare),
            Phase::Prepare => Some(Self::Fetch),
            Phase::Submit => Some(Self::Submit),
            Phase::Wait => Some(Self::Wait),
            Phase::Collect => Some(Self::Collect),
            Phase::Completed | Phase::Failed | Phase::Deleted | Phase::Expired => None,
        }
    }

    /// The phase of the jobs in it.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Fetch | Self::Prepare => Phase::Prepare,
            Self::Submit => Phase::Submit,
            Self::Wait => Phase::Wait,
            Self::Collect => Phase::Collect,
        }
    }

    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Prepare => "prepare",
            Self::Submit => "submit",
            Self::Wait => "wait",
            Self::Collect => "collect",
        }
    }

    /// Its place in [`Stage::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_active_phase_has_a_stage_and_every_stage_its_phase() {
        for phase in Phase::ALL {
            for has_source in [false, true] {
                let stage = Stage::of(phase, has_source);
                assert_eq!(stage.is_none(), phase.is_terminal());
                assert!(stage.is_none_or(|stage| stage.phase() == phase));
            }
        }
        // A picture that is here already does not wait behind those that are still to be fetched.
        assert_eq!(Stage::of(Phase::Prepare, false), Some(Stage::Fetch));
        assert_eq!(Stage::of(Phase::Prepare, true), Some(Stage::Prepare));
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage.index(), index);
        }
    }
}
