//! A typed client of fal's queue: submit, status, result, cancel, storage upload, erasure
//! and the check of webhook signatures.
//!
//! It knows the protocol and nothing about who uses it: it keeps no state besides a connection
//! pool and a set of webhook keys, installs nothing process-wide, reads no wall clock, and nothing
//! of the environment but the system's proxy settings. A submit is sent once, never again by
//! itself, because fal has no idempotency key; its error says what is known about the request's
//! fate ([`Delivery`]).
//!
//! ```no_run
//! use fal_queue::models::qwen_image_layered::{Input, MODEL, Output};
//! use fal_queue::{Client, Config, Status, SubmitOptions};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Config::with_key("key_id:key_secret"))?;
//! let model = MODEL.parse()?;
//! let input = Input::new("https://example.com/poster.png");
//! let submitted = client.submit(&model, &input, &SubmitOptions::default()).await?;
//! let mut pause = tokio::time::interval(std::time::Duration::from_secs(1));
//! loop {
//!     pause.tick().await;
//!     match client.status(&model, &submitted.request_id, false).await? {
//!         Status::InQueue { position } => println!("{position:?} requests ahead"),
//!         Status::InProgress { .. } => println!("running"),
//!         Status::Completed { .. } => break,
//!     }
//! }
//! // A run that failed is "completed" as well: then this is an error that says why.
//! let output = client.result::<Output>(&model, &submitted.request_id).await?;
//! for image in &output.value.images {
//!     println!("{}", image.url);
//! }
//! # Ok(())
//! # }
//! ```

mod cancel;
mod client;
mod config;
mod erase;
mod error;
mod error_type;
mod excerpt;
mod failure;
mod history;
mod key;
mod model_id;
pub mod models;
mod output;
mod retry;
mod status;
mod submit;
mod transport;
mod upload;
pub mod webhook;

pub use cancel::CancelOutcome;
pub use client::Client;
pub use config::{Config, ConfigError};
pub use erase::Erased;
pub use error::{Class, Error};
pub use error_type::ErrorType;
pub use failure::{Detail, Failure, Item};
pub use history::{History, ListedRequest};
pub use key::{KeyShapeError, check_key_shape};
pub use model_id::{ModelId, ModelIdError};
pub use output::Output;
pub use retry::Retry;
pub use status::{LogLine, Metrics, Status};
pub use submit::{Delivery, Priority, SubmitError, SubmitOptions, Submitted};

/// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
