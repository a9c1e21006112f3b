//! How an engine reaches a source. Made before a submission is opened, so that everything that can
//! fail or take long is over when the one call begins whose loss cannot be told from its success.

use std::fmt;

use crate::jobs::UnixMs;

/// An engine's way to a source. `Debug` shows neither address nor bytes: who has the address of a
/// copy sees the picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Input {
    /// An address, or the picture inside a `data:` URI; empty where the engine reads it itself.
    pub address: String,
    /// Until when the engine keeps a copy there. Such an input is noted with the job, so that
    /// another try, or another process after a crash, uses it and does not leave a second copy.
    pub kept_until: Option<UnixMs>,
}

impl Input {
    /// Of an engine that reads sources itself.
    #[must_use]
    pub fn direct() -> Self {
        Self::at(String::new())
    }

    /// An address that leaves nothing behind.
    #[must_use]
    pub fn at(address: String) -> Self {
        Self {
            address,
            kept_until: None,
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("kept_until", &self.kept_until)
            .finish_non_exhaustive()
    }
}
