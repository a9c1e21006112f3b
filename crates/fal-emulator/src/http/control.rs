//! The controls under `/_emulator`: the library's handle, spoken in HTTP, for people and for tests
//! in other languages. No key is needed; the emulator is meant for one's own machine.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer};
use crate::fault::Fault;
use crate::handle;
use crate::inspect::Submission;
use crate::shared::Shared;

const LONGEST_WAIT_SECONDS: u64 = 60;

/// What `POST /_emulator/script` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptBody {
    /// One fault per coming submission; a list in it is several faults for the same submission.
    faults: Vec<Place>,
    /// Instead of the coming submissions: all of those whose prompt contains this.
    #[serde(default)]
    prompt_contains: Option<String>,
    /// With `prompt_contains`: only the first such submission.
    #[serde(default)]
    once: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Place {
    One(Named),
    Several(Vec<Named>),
}

/// A fault by its JSON form or by its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Fault(Fault),
    Name(String),
}

#[derive(Deserialize)]
struct Wait {
    at_least: Option<usize>,
    wait_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct Locked {
    locked: bool,
}

#[derive(Deserialize)]
struct Skip {
    seconds: u64,
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(summary))
        .route("/faults", get(faults))
        .route("/script", post(script))
        .route("/requests", get(requests))
        .route("/webhooks", get(webhooks))
        .route("/uploads", get(uploads))
        .route("/begin/{id}", post(begin))
        .route("/release/{id}", post(release))
        .route("/hold", post(hold))
        .route("/lock", post(lock))
        .route("/skip", post(skip))
        .route("/rotate-key", post(rotate_key))
        .route("/reset", post(reset))
        .fallback(async || done(false))
}

pub(super) async fn summary(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let board = shared.board();
    Json(json!({
        "counters": board.counters,
        "requests": board.census(),
        "billed_usd": handle::usd(&shared, board.counters.billed_units),
        "script_pending": board.script.pending(),
        "locked": board.locked,
        "hold": board.hold,
    }))
}

async fn faults() -> Json<Value> {
    let describe =
        |fault: &Fault| json!({"name": fault.name(), "json": fault, "stage": fault.stage()});
    Json(Fault::all().iter().map(describe).collect())
}

async fn script(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<ScriptBody>, JsonRejection>,
) -> Answer {
    let body = match body {
        Ok(Json(body)) => body,
        Err(rejection) => return answer::json(422, &json!({"detail": rejection.body_text()})),
    };
    let mut places = Vec::new();
    for place in body.faults {
        let named = match place {
            Place::One(one) => vec![one],
            Place::Several(several) => several,
        };
        match named
            .into_iter()
            .map(resolve)
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(faults) => places.push(faults),
            Err(name) => {
                let text = format!("no fault is called {name:?}; GET /_emulator/faults lists them");
                return answer::json(422, &json!({"detail": text}));
            }
        }
    }
    let mut board = shared.board();
    match body.prompt_contains {
        Some(marker) => board.script.push_rule(marker, places.concat(), body.once),
        None => places
            .into_iter()
            .for_each(|place| board.script.push(place)),
    }
    answer::json(200, &json!({"script_pending": board.script.pending()}))
}

fn resolve(named: Named) -> Result<Fault, String> {
    match named {
        Named::Fault(fault) => Ok(fault),
        Named::Name(name) => Fault::by_name(&name).ok_or(name),
    }
}

/// The submissions; with `?at_least=n` once there are as many, or after `wait_seconds` (30).
async fn requests(
    State(shared): State<Arc<Shared>>,
    Query(wait): Query<Wait>,
) -> Json<Vec<Submission>> {
    if let Some(least) = wait.at_least {
        let seconds = wait.wait_seconds.unwrap_or(30).min(LONGEST_WAIT_SECONDS);
        let enough = shared.wait_for(|board| (board.jobs().count() >= least).then_some(()));
        // Running out of time is not an error here: the list says how many there are.
        let _ = timeout_at(Instant::now() + Duration::from_secs(seconds), enough).await;
    }
    Json(shared.board().jobs().map(Submission::of).collect())
}

async fn webhooks(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(shared.board().webhooks))
}

async fn uploads(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(shared.uploads.finished()))
}

async fn begin(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    done(handle::begin(&shared, &id))
}

async fn release(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    done(handle::release(&shared, &id))
}

async fn hold(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Answer {
    shared.board().hold = body["hold"].as_bool().unwrap_or(true);
    done(true)
}

async fn lock(State(shared): State<Arc<Shared>>, Json(body): Json<Locked>) -> Answer {
    shared.board().locked = body.locked;
    done(true)
}

async fn skip(State(shared): State<Arc<Shared>>, Json(body): Json<Skip>) -> Answer {
    shared.config.clock.skip(Duration::from_secs(body.seconds));
    done(true)
}

async fn rotate_key(State(shared): State<Arc<Shared>>) -> Answer {
    shared.signing.rotate();
    done(true)
}

async fn reset(State(shared): State<Arc<Shared>>) -> Answer {
    handle::reset(&shared);
    done(true)
}

fn done(known: bool) -> Answer {
    if known {
        answer::json(200, &json!({"ok": true}))
    } else {
        answer::json(404, &json!({"detail": "no such request or control"}))
    }
}
