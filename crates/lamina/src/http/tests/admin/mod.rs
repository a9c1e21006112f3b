//! The operator's routes: who gets in, and what they change.

mod jobs;
mod keys;
mod overview;
mod runbook;

use super::*;
use crate::access::KeyDigest;
use crate::jobs::OwnerId;
use crate::store::{OwnerStore as _, SubmissionState, SubmissionStore as _};

const ADMIN: &str = "the-operators-key";

/// A server with an operator, and an app's key in the configuration.
pub(super) fn operated() -> TestServer {
    TestServer::with(|state| {
        state.keys = ApiKeys::by(rules(&[("app", "app-key")]));
        state.engines.available = vec![EngineKind::Local, EngineKind::Fal];
    })
}

/// The same, open to everybody.
fn open() -> TestServer {
    TestServer::with(|state| state.keys = ApiKeys::by(rules(&[])))
}

fn rules(configured: &[(&str, &str)]) -> KeyRules {
    let pair = |(name, key): &(&str, &str)| (OwnerId::named(name), KeyDigest::of(key));
    KeyRules {
        configured: configured.iter().map(pair).collect(),
        admins: vec![KeyDigest::of(ADMIN)],
        ..KeyRules::default()
    }
}

impl TestServer {
    pub(super) async fn with_key(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = request(method, path)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(super) async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        self.with_key(ADMIN, method, path, body.to_owned()).await
    }

    /// Makes a key, and returns its text and id.
    pub(super) async fn new_key(&self, body: &str) -> (String, String) {
        let made = self.admin("POST", "/api/admin/keys", body).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let field = |name: &str| made.json()[name].as_str().unwrap().to_owned();
        (field("key"), field("id"))
    }
}

/// The answers that only these routes give.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    let server = operated();
    add(&server
        .with_key("app-key", "GET", "/api/admin/keys", "")
        .await);
    add(&server.admin("DELETE", "/api/admin/keys/none", "").await);
    let id = created(&server, "fal").await;
    let retry = format!("/api/admin/jobs/{id}/retry");
    add(&server.admin("POST", &retry, "{}").await);
    submitted_and_lost(&server).await;
    add(&server.admin("POST", &retry, "{}").await);
}

/// A job of `app`.
async fn created(server: &TestServer, engine: &str) -> JobId {
    let body = format!(r#"{{"image_url":"https://example.com/a.png","engine":"{engine}"}}"#);
    let made = server.with_key("app-key", "POST", "/api/jobs", body).await;
    made.json()["job_id"].as_str().unwrap().parse().unwrap()
}

/// The one new job is handed over, and nobody learns whether it was taken.
async fn submitted_and_lost(server: &TestServer) {
    let (lease, nonce) = server.opened().await;
    let now = server.clock.now();
    let unknown = SubmissionState::Unknown;
    server
        .store
        .submission_close(&nonce, unknown, None, now)
        .await
        .unwrap();
    let why = FailureCode::SubmissionUnknown.into();
    server
        .apply(&lease, Phase::Failed, StepOutput::None, Some(why))
        .await;
}
