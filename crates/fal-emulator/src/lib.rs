//! A faithful fal queue on localhost: `fal-ai/qwen-image-layered` without a key, a network or a
//! bill, for tests (this library) and for people (the program of the same name).
//!
//! It speaks the queue API, the synchronous endpoint, storage, CDN, webhooks and key set, and it
//! misbehaves on request in every way that [`Fault`] names. It shares no code with any client, so
//! that a client tested against it is tested against the protocol. It keeps everything in memory
//! and is no security boundary.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use fal_emulator::{Config, Emulator, Fault};
//!
//! let emulator = Emulator::start(Config::default()).await?;
//! emulator.script(Fault::DropAfterEnqueue);
//! // … point the client under test at emulator.queue_url() with emulator.key() …
//! let paid = emulator.wait_for_submissions(1).await;
//! assert_eq!(paid[0].faults, ["drop_after_enqueue"]);
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]

mod cdn;
mod clock;
mod config;
mod emulator;
mod failure;
mod fault;
mod handle;
mod http;
mod inspect;
mod model;
mod outgoing;
mod queue;
mod shared;
mod uploads;
mod webhook;

pub use clock::Clock;
pub use config::{
    Config, DEFAULT_ADMIN_KEY, DEFAULT_KEY, ImageLimits, LayerSource, MODEL, SourceCheck,
};
pub use emulator::Emulator;
pub use fault::{EchoAt, EchoShape, Fault, GatewayBody, ModelError, RequestError, Stage};
pub use inspect::Submission;
pub use queue::{Counters, WebhookDelivery};
pub use uploads::Upload;
