//! The client against real sockets on loopback: scripted HTTP servers, and raw TCP where a proper
//! server would be too polite.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its scaffolding too"
)]

mod calls;
mod erase;
mod errors;
mod history;
mod raw;
mod repeat;
mod secrets;
mod server;
mod submit;
mod upload;
mod webhook;

use std::future::Future;
use std::time::Duration;

use fal_queue::{Client, Config, ModelId, Retry};
use url::Url;

/// The secret half is long enough to be recognised in an answer.
const KEY: &str = "kid-1:ksecret-0123456789";

fn model() -> ModelId {
    "fal-ai/qwen-image-layered".parse().unwrap()
}

/// Everything points to `base`, and nothing is repeated.
fn config(base: &Url) -> Config {
    Config {
        queue_url: base.clone(),
        rest_url: base.clone(),
        platform_url: base.join("v1").unwrap(),
        jwks_url: base.join(".well-known/jwks.json").unwrap(),
        retry: Retry::off(),
        ..Config::with_key(KEY)
    }
}

fn client(base: &Url) -> Client {
    Client::new(config(base)).unwrap()
}

/// What should come at once; a test that waits in vain fails instead of hanging.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let bound = Duration::from_secs(30);
    tokio::time::timeout(bound, future)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
