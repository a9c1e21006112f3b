//! The platform's API, as far as listing an endpoint's requests (`history.rs`) and deleting a request's
//! payloads go.
//!
//! Deleting wants a key of ADMIN scope. The result and the files that the run made go at once; files that
//! went in stay, as other requests may use them.

use std::sync::Arc;

use axum::http::Method;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::call::Call;
use super::history;
use crate::failure::Failure;
use crate::queue::{Outcome, Phase};
use crate::shared::Shared;

/// Everything under `/v1`.
pub(super) fn answer(shared: &Arc<Shared>, method: &Method, call: &Call, parts: &[&str]) -> Answer {
    let answered = match (method, parts) {
        (&Method::DELETE, [_, "models", "requests", id, "payloads"]) => call
            .authorize_admin(&shared.config)
            .and_then(|()| erase(shared, id)),
        (&Method::GET, [_, "models", "requests", "by-endpoint"]) => call
            .authorize(&shared.config)
            .and_then(|()| history::list(shared, call)),
        _ => Err(Failure::text(404, "Not Found")),
    };
    answered.unwrap_or_else(|failure| failure.into_response())
}

fn erase(shared: &Arc<Shared>, id: &str) -> Result<Answer, Failure> {
    let output = {
        let mut board = shared.board();
        let job = board
            .job_mut(id)
            .ok_or_else(|| Failure::text(404, "Request not found"))?;
        job.erased = true;
        match &job.phase {
            Phase::Done(Outcome::Output(output)) => Some(Arc::clone(output)),
            Phase::Queued | Phase::Running | Phase::Done(Outcome::Failed(_)) => None,
        }
    };
    shared.changed();
    let images = output
        .as_ref()
        .and_then(|output| output["images"].as_array());
    let links = images
        .into_iter()
        .flatten()
        .filter_map(|image| image["url"].as_str());
    let results: Vec<Value> = links
        .filter_map(|link| Some((link, url::Url::parse(link).ok()?)))
        .map(|(link, url)| {
            let gone = shared.cdn.remove(url.path());
            let exception = (!gone).then_some("File not found");
            json!({"link": link, "exception": exception})
        })
        .collect();
    Ok(answer::json(200, &json!({"cdn_delete_results": results})))
}
