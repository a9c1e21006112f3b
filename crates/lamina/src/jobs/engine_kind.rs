//! Which engines there are, and which one a create asks for. What an engine does is `engines`'.

use serde::{Deserialize, Serialize};

/// An engine that a job can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// The embedded engine.
    Local,
    /// fal.ai.
    Fal,
}

impl EngineKind {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Local, Self::Fal];

    /// The word in the API and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Fal => "fal",
        }
    }

    /// The engine of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which engine a create asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The service's default.
    #[default]
    Auto,
    /// This one.
    Only(EngineKind),
}
