//! The passes in the order they run. The order is data: a pass may be left out by name and knows
//! nothing of its neighbours beyond the scene they share.
//!
//! Invariant: after every pass, background and cuts (bottom first) approximate the picture.

mod belong;
mod blocks;
mod compared;
mod crumbs;
mod figures;
mod fill;
mod glows;
mod names;
mod objects;
mod order;
#[cfg(test)]
mod second_things;
mod shapes;
mod subject;
pub(crate) mod text;

use crate::Error;
use crate::context::Context;
use crate::scene::Scene;

/// One step from picture to stack.
pub(crate) struct Pass {
    pub(crate) name: &'static str,
    /// Its part of the whole time, for the progress shown.
    pub(crate) share: f32,
    pub(crate) run: fn(&mut Scene, &mut Context<'_>) -> Result<(), Error>,
}

/// All passes; peeling follows them.
pub(crate) const PASSES: &[Pass] = &[
    Pass {
        name: "text",
        share: 0.3,
        run: text::run,
    },
    Pass {
        name: "shapes",
        share: 0.2,
        run: shapes::run,
    },
    Pass {
        name: "subject",
        share: 0.15,
        run: subject::run,
    },
    Pass {
        name: "fill",
        share: 0.05,
        run: fill::run,
    },
    Pass {
        name: "objects",
        share: 0.03,
        run: objects::run,
    },
    // Once more, for what the pass before took out of the filled picture.
    Pass {
        name: "fill",
        share: 0.02,
        run: fill::run,
    },
    Pass {
        name: "order",
        share: 0.05,
        run: order::run,
    },
];
