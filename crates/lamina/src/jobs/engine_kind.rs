//! Which engines there are, and which one a create asks for. What an engine does, and what is true of
//! it, is `engines`'.

use serde::{Deserialize, Serialize};

/// Lists every engine once: its variant and its word.
macro_rules! engine_kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)+) => {
        /// An engine that a job can run on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum EngineKind {
            $($(#[$doc])* #[serde(rename = $word)] $kind,)+
        }

        impl EngineKind {
            /// Every engine.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$kind),+];

            /// The word in the API and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

engine_kinds! {
    /// The embedded engine.
    Local = "local",
    /// fal.ai.
    Fal = "fal",
}

impl EngineKind {
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
