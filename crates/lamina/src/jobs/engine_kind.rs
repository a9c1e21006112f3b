//! Which engines there are, and which one a create asks for. What an engine does, and what is true of
//! it, is `engines`'.

use serde::{Deserialize, Serialize};

/// Lists every engine once: its variant and its word.
macro_rules! engine_kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal,)+) => {
        /// An engine that a job can run on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        // utoipa reads no word that a macro passes on, so JSON's words follow the variants' names.
        #[serde(rename_all = "snake_case")]
        pub enum EngineKind {
            $($(#[$doc])* $kind,)+
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_one_word_in_json_and_in_the_store() {
        for kind in EngineKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(EngineKind::parse(kind.as_str()), Some(kind));
        }
    }
}
