//! The client against real sockets on loopback: scripted HTTP servers, and raw TCP where a proper
//! server would be too polite.

mod calls;
mod errors;
mod raw;
mod repeat;
mod secrets;
mod server;
mod submit;
mod upload;
mod webhook;

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
        jwks_url: base.join(".well-known/jwks.json").unwrap(),
        retry: Retry::off(),
        ..Config::with_key(KEY)
    }
}

fn client(base: &Url) -> Client {
    Client::new(config(base)).unwrap()
}
