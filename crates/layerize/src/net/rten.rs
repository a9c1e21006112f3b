//! The built-in runtime: both networks for masks as they are inside the library.
//!
//! Models load once a process, on first use.

use rten_tensor::prelude::*;

use super::network::Network;
use super::{Input, Net, Runtime, mask, stages};
use crate::Error;
use crate::context::Context;
use crate::plane::Gray;

pub(super) static SALIENCY: Network = Network::new(
    Net::Saliency.name(),
    Net::Saliency.bytes(),
    "input.1",
    stages::SALIENCY,
);
pub(super) static TEXT: Network =
    Network::new(Net::Text.name(), Net::Text.bytes(), "x", stages::TEXT);

impl Net {
    fn network(self) -> &'static Network {
        match self {
            Self::Saliency => &SALIENCY,
            Self::Text => &TEXT,
        }
    }
}

/// Both networks for masks, as they are inside the library.
pub(super) struct Embedded;

impl Runtime for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn warm_up(&self) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let saliency = scope.spawn(|| SALIENCY.load());
            let text = TEXT.load();
            // A panic is passed on, as it would be without the thread.
            saliency
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .and(text)
        })
    }

    fn run(&self, ctx: &Context<'_>, net: Net, input: Input) -> Result<Gray, Error> {
        let answer = net.network().run(ctx, input)?;
        let shape = answer.shape().to_vec();
        mask(net, &shape, answer.into_data())
    }
}
