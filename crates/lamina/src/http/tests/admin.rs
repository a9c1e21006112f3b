//! The operator's routes: who gets in, and what they change.

use super::*;
use crate::access::KeyDigest;
use crate::jobs::OwnerId;
use crate::store::{Accounts as _, SubmissionState};

const ADMIN: &str = "the-operators-key";

/// A house with an operator, and an app's key in the configuration.
pub(super) fn operated() -> House {
    House::with(|edge| {
        edge.keys = ApiKeys::by(rules(&[("app", "app-key")]));
        edge.engines.available = vec![EngineKind::Local, EngineKind::Fal];
    })
}

/// The same, open to everybody.
fn open() -> House {
    House::with(|edge| edge.keys = ApiKeys::by(rules(&[])))
}

fn rules(configured: &[(&str, &str)]) -> KeyRules {
    let pair = |(name, key): &(&str, &str)| (OwnerId::named(name), KeyDigest::of(key));
    KeyRules {
        configured: configured.iter().map(pair).collect(),
        admins: vec![KeyDigest::of(ADMIN)],
        ..KeyRules::default()
    }
}

impl House {
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
    let house = operated();
    add(&house
        .with_key("app-key", "GET", "/api/admin/keys", "")
        .await);
    add(&house.admin("DELETE", "/api/admin/keys/none", "").await);
    let id = created(&house, "fal").await;
    let retry = format!("/api/admin/jobs/{id}/retry");
    add(&house.admin("POST", &retry, "{}").await);
    submitted_and_lost(&house).await;
    add(&house.admin("POST", &retry, "{}").await);
}

/// A job of `app`.
async fn created(house: &House, engine: &str) -> JobId {
    let body = format!(r#"{{"image_url":"https://example.com/a.png","engine":"{engine}"}}"#);
    let made = house.with_key("app-key", "POST", "/api/jobs", body).await;
    made.json()["job_id"].as_str().unwrap().parse().unwrap()
}

/// The one new job is handed over, and nobody learns whether it was taken.
async fn submitted_and_lost(house: &House) {
    let (lease, nonce) = opened(house).await;
    let now = house.clock.now();
    let unknown = SubmissionState::Unknown;
    house
        .store
        .submission_close(&nonce, unknown, None, now)
        .await
        .unwrap();
    let why = FailureCode::SubmissionUnknown.into();
    house
        .settle(&lease, Phase::Failed, Facts::None, Some(why))
        .await;
}

/// The one new job, about to be handed over for five cents.
async fn opened(house: &House) -> (Lease, Nonce) {
    let lease = house.lease(Phase::Prepare).await;
    let facts = Facts::Source(SourceFacts {
        media_type: MediaType::Png,
        width: 2,
        height: 2,
        bytes: 70,
    });
    house.settle(&lease, Phase::Submit, facts, None).await;
    let (nonce, now) = (Nonce::random(), house.clock.now());
    let caps = SpendCaps::default();
    let opening = house
        .store
        .submission_open(&lease, &nonce, 50_000, caps, now)
        .await;
    assert_eq!(opening.unwrap(), Opening::Opened);
    (lease, nonce)
}

#[tokio::test]
async fn a_key_works_from_the_answer_that_makes_it_to_the_answer_that_revokes_it() {
    let house = operated();
    let (key, id) = house.new_key(r#"{"name":"web"}"#).await;
    assert!(key.starts_with("lam_") && id.len() == 12);
    let asked = house.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(asked.status, 200);
    let revoked = house
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(revoked.json()["revoked_at"], "2026-11-22T14:11:57.000Z");
    let refused = house.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(refused.code(), (401, "unauthorized".into()));
    let again = house
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!((again.status, again.body), (revoked.status, revoked.body));
}

#[tokio::test]
async fn a_new_key_of_a_name_sees_the_jobs_of_the_old_one() {
    let house = operated();
    let (old, id) = house.new_key(r#"{"name":"web"}"#).await;
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let created = house.with_key(&old, "POST", "/api/jobs", body).await;
    let path = format!("/api/jobs/{}", created.json()["job_id"].as_str().unwrap());
    let (new, _) = house.new_key(r#"{"name":"web"}"#).await;
    for key in [&old, &new] {
        assert_eq!(house.with_key(key, "GET", &path, "").await.status, 200);
    }
    house
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(house.with_key(&new, "GET", &path, "").await.status, 200);
    assert_eq!(
        house.with_key("app-key", "GET", &path, "").await.status,
        404
    );
}

#[tokio::test]
async fn no_list_and_no_log_line_holds_a_key() {
    let house = operated();
    let (key, id) = house
        .new_key(r#"{"name":"web","rate":"20/s burst 40","max_jobs":3,"daily_usd":0.25}"#)
        .await;
    let list = house.admin("GET", "/api/admin/keys", "").await;
    let text = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(text.contains(&id) && !text.contains(&key[4..]), "{text}");
    let digest = KeyDigest::of(&key);
    let hex: String = digest
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(!text.contains(&hex));
    insta::assert_snapshot!(list.calm().replace(&id, "<key>"), @r#"
    {
      "configured": [
        "app"
      ],
      "keys": [
        {
          "admin": false,
          "created_at": "2026-11-22T14:11:57.000Z",
          "id": "<key>",
          "name": "web",
          "revoked_at": null
        }
      ],
      "owners": [
        {
          "daily_usd": 0.25,
          "max_jobs": 3,
          "name": "web",
          "rate": "20/s burst 40"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn the_first_key_closes_an_open_service_and_revoking_it_opens_nothing() {
    let house = open();
    assert_eq!(house.get("/api/jobs").await.status, 200);
    let (key, id) = house.new_key(r#"{"name":"web"}"#).await;
    assert_eq!(house.get("/api/jobs").await.status, 401);
    assert_eq!(
        house.with_key(&key, "GET", "/api/jobs", "").await.status,
        200
    );
    house
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(house.get("/api/jobs").await.status, 401);
}

#[tokio::test]
async fn a_key_with_the_right_does_what_an_operator_does_and_owns_jobs_too() {
    let house = operated();
    let (key, _) = house.new_key(r#"{"name":"ops","admin":true}"#).await;
    assert_eq!(
        house
            .with_key(&key, "GET", "/api/admin/keys", "")
            .await
            .status,
        200
    );
    assert_eq!(
        house.with_key(&key, "GET", "/api/jobs", "").await.status,
        200
    );
    // The operator's own key is no owner's.
    assert_eq!(house.admin("GET", "/api/jobs", "").await.status, 401);
}

#[tokio::test]
async fn nobody_is_the_operator_even_where_everybody_may_call() {
    let house = open();
    let answer = house.get("/api/admin/keys").await;
    assert_eq!(answer.code(), (401, "unauthorized".into()));
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nowhere_with_the_operators_key() {
    let house = House::with(|edge| {
        edge.keys = ApiKeys::by(rules(&[]));
        edge.cors = CorsOrigins::Any;
        edge.public_url = Some("https://layers.example.com".parse().unwrap());
    });
    let ask = async |name: &str, value: &str| {
        let request = request("GET", "/api/admin/keys")
            .header("authorization", format!("Bearer {ADMIN}"))
            .header(name, value);
        house.send(request.body(Body::empty()).unwrap()).await
    };
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = ask(name, value).await;
        assert_eq!(answer.code(), (403, "origin_not_allowed".into()), "{value}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    for (name, value) in [
        ("origin", "http://lamina.test"),
        ("origin", "https://layers.example.com"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        assert_eq!(ask(name, value).await.status, 200, "{value}");
    }
    let preflight = request("OPTIONS", "/api/admin/keys")
        .header("origin", "https://evil.test")
        .header("access-control-request-method", "GET");
    let answer = house.send(preflight.body(Body::empty()).unwrap()).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn every_wrong_field_of_a_key_is_named() {
    let house = operated();
    let body =
        r#"{"name":" web","admin":"yes","rate":"fast","max_jobs":0,"daily_usd":1e-7,"colour":1}"#;
    let answer = house.admin("POST", "/api/admin/keys", body).await;
    assert_eq!(answer.code(), (422, "invalid_fields".into()));
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let lines: Vec<String> = errors
        .iter()
        .map(|e| {
            format!(
                "{} {}",
                e["pointer"].as_str().unwrap(),
                e["detail"].as_str().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    /name Expected a name of 1 to 64 bytes, without colon, comma and control characters and without space around it.
    /admin Expected true or false, got "yes".
    /rate Expected a rate such as 20/s, 600/m or 20/s burst 40.
    /daily_usd Expected a number of US dollars from 0 to 1000000, with at most six decimals.
    /max_jobs Expected a number from 1 to 4294967295, got 0.
    /colour Unknown field; known are name, admin, rate, max_jobs and daily_usd.
    "#);
    let missing = house.admin("POST", "/api/admin/keys", "{}").await;
    assert_eq!(missing.code(), (422, "invalid_fields".into()));
    assert!(house.store.key_list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_is_listed_by_what_it_is_and_page_by_page() {
    let house = operated();
    let failed = created(&house, "local").await;
    house.fail(FailureCode::SourceLost).await;
    house.clock.advance(Duration::from_secs(1));
    let waiting = created(&house, "fal").await;
    let (other, _) = house.new_key(r#"{"name":"web"}"#).await;
    house.clock.advance(Duration::from_secs(1));
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let made = house.with_key(&other, "POST", "/api/jobs", body).await;
    let others: JobId = made.json()["job_id"].as_str().unwrap().parse().unwrap();
    let list = async |query: &str| {
        let page = house
            .admin("GET", &format!("/api/admin/jobs?{query}"), "")
            .await;
        assert_eq!(page.status, 200, "{query}: {:?}", page.body);
        let page = page.json();
        let ids = page["jobs"].as_array().unwrap().iter();
        let ids: Vec<JobId> = ids
            .map(|job| job["job_id"].as_str().unwrap().parse().unwrap())
            .collect();
        (ids, page["next_cursor"].as_str().map(str::to_owned))
    };
    for (query, expected) in [
        ("", vec![others, waiting, failed]),
        ("state=failed", vec![failed]),
        ("state=active", vec![others, waiting]),
        ("state=prepare&owner=app", vec![waiting]),
        ("owner=app", vec![waiting, failed]),
        ("engine=fal", vec![waiting]),
        ("error_code=source_lost", vec![failed]),
        ("error_code=engine_busy", vec![]),
    ] {
        assert_eq!(list(query).await, (expected, None), "{query}");
    }
    let (first, cursor) = list("limit=2").await;
    assert_eq!(first, [others, waiting]);
    let (second, end) = list(&format!("limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((second, end), (vec![failed], None));
    for wrong in [
        "state=done",
        "engine=gpu",
        "limit=0",
        "cursor=7",
        "colour=red",
        "owner=",
    ] {
        let answer = house
            .admin("GET", &format!("/api/admin/jobs?{wrong}"), "")
            .await;
        assert_eq!(answer.code(), (422, "invalid_query".into()), "{wrong}");
    }
}

#[tokio::test]
async fn the_story_of_a_job_tells_what_was_paid_and_nothing_of_the_picture() {
    let house = operated();
    let body =
        r#"{"image_url":"https://example.com/secret.png","prompt":"a secret","engine":"fal"}"#;
    let made = house.with_key("app-key", "POST", "/api/jobs", body).await;
    let id = made.json()["job_id"].as_str().unwrap().to_owned();
    submitted_and_lost(&house).await;
    let story = house
        .admin("GET", &format!("/api/admin/jobs/{id}"), "")
        .await;
    assert!(!String::from_utf8_lossy(&story.body).contains("secret"));
    insta::assert_snapshot!(story.calm(), @r#"
    {
      "accepted_at": null,
      "attempt": 0,
      "created_at": "2026-11-22T14:11:57.000Z",
      "engine": "fal",
      "engine_ms": null,
      "error": "The connection broke while the picture was handed over, and it is not known whether it was taken. To avoid paying twice it was not sent again; create the job again if you accept that.",
      "error_code": "submission_unknown",
      "expires_at": "2026-11-23T14:11:57.000Z",
      "finished_at": "2026-11-22T14:11:57.000Z",
      "gone_at": null,
      "job_id": "<id>",
      "layer_bytes": 0,
      "layers": 0,
      "lease_until": null,
      "owner": "app",
      "rescues": 0,
      "run_at": "2026-11-22T14:11:57.000Z",
      "source_bytes": 70,
      "state": "failed",
      "submissions": [
        {
          "closed_at": "2026-11-22T14:11:57.000Z",
          "opened_at": "2026-11-22T14:11:57.000Z",
          "paid": "perhaps",
          "request_id": null,
          "state": "unknown",
          "usd": 0.05
        }
      ],
      "total_ms": 0
    }
    "#);
    let unknown = house
        .admin("GET", &format!("/api/admin/jobs/{}", JobId::new(T0)), "")
        .await;
    assert_eq!(unknown.code(), (404, "job_not_found".into()));
}

#[tokio::test]
async fn a_failed_job_begins_anew_for_its_owner() {
    let house = operated();
    let id = created(&house, "local").await;
    let path = format!("/api/jobs/{id}");
    house.fail(FailureCode::SourceLost).await;
    let before = house.with_key("app-key", "GET", &path, "").await;
    assert_eq!(before.json()["status"], "failed");
    let retried = house
        .admin("POST", &format!("/api/admin/jobs/{id}/retry"), "{}")
        .await;
    assert_eq!(
        (retried.status.as_u16(), &retried.json()["state"]),
        (202, &"prepare".into())
    );
    let after = house.with_key("app-key", "GET", &path, "").await;
    assert_eq!(after.json()["status"], "pending");
    assert_eq!(after.json()["error"], Value::Null);
    house.lease(Phase::Prepare).await;
}

#[tokio::test]
async fn what_may_have_been_paid_is_paid_again_only_when_told() {
    let house = operated();
    let id = created(&house, "fal").await;
    submitted_and_lost(&house).await;
    let retry = format!("/api/admin/jobs/{id}/retry");
    let refused = house.admin("POST", &retry, r#"{"pay_again":false}"#).await;
    assert_eq!(refused.code(), (409, "payment_unknown".into()));
    let again = house.admin("POST", &retry, r#"{"pay_again":true}"#).await;
    assert_eq!(again.status, 202);
    let (_, nonce) = opened(&house).await;
    let now = house.clock.now();
    let refused = SubmissionState::Refused;
    house
        .store
        .submission_close(&nonce, refused, None, now)
        .await
        .unwrap();
    let stats = house.admin("GET", "/api/admin/stats", "").await.json();
    assert_eq!(
        (&stats["usd_today"], &stats["unknown_submissions"]),
        (&0.05.into(), &1.into())
    );
    for wrong in ["", "[]", r#"{"pay_again":"yes"}"#, r#"{"again":true}"#] {
        let answer = house.admin("POST", &retry, wrong).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{wrong}");
    }
}

#[tokio::test]
async fn an_operator_deletes_a_job_as_its_owner_would() {
    let house = operated();
    let id = created(&house, "local").await;
    let path = format!("/api/admin/jobs/{id}");
    assert_eq!(house.admin("DELETE", &path, "").await.status, 204);
    assert_eq!(
        house.admin("DELETE", &path, "").await.code(),
        (410, "job_deleted".into())
    );
    let seen = house
        .with_key("app-key", "GET", &format!("/api/jobs/{id}"), "")
        .await;
    assert_eq!(seen.code(), (410, "job_deleted".into()));
    let retried = house.admin("POST", &format!("{path}/retry"), "{}").await;
    assert_eq!(retried.code(), (410, "job_deleted".into()));
    assert_eq!(
        house.admin("GET", &path, "").await.json()["state"],
        "deleted"
    );
    assert_eq!(
        house.admin("DELETE", "/api/admin/jobs/x", "").await.status,
        404
    );
}

#[tokio::test]
async fn the_numbers_tell_jobs_queue_spending_and_storage() {
    let house = operated();
    let id = created(&house, "local").await;
    house.complete(id).await;
    created(&house, "fal").await;
    opened(&house).await;
    house.clock.advance(29 * DAY);
    created(&house, "fal").await;
    opened(&house).await;
    house.clock.advance(Duration::from_secs(1));
    created(&house, "local").await;
    let stats = house.admin("GET", "/api/admin/stats", "").await;
    insta::assert_snapshot!(stats.calm(), @r#"
    {
      "at": "2026-12-21T14:11:58.000Z",
      "jobs": {
        "completed": 1,
        "prepare": 1,
        "submit": 2
      },
      "queue": [
        {
          "due": 1,
          "later": 0,
          "oldest_due_seconds": 0.0,
          "state": "prepare"
        },
        {
          "due": 2,
          "later": 0,
          "oldest_due_seconds": 0.0,
          "state": "submit"
        },
        {
          "due": 0,
          "later": 0,
          "oldest_due_seconds": 0.0,
          "state": "wait"
        },
        {
          "due": 0,
          "later": 0,
          "oldest_due_seconds": 0.0,
          "state": "collect"
        }
      ],
      "spending": [
        {
          "engine": "fal",
          "owner": "app",
          "usd_30_days": 0.1,
          "usd_today": 0.05
        }
      ],
      "storage": {
        "layer_bytes": 40,
        "source_bytes": 210,
        "upload_bytes": 0
      },
      "unknown_submissions": 0,
      "usd_30_days": 0.1,
      "usd_a_day_at_most": null,
      "usd_today": 0.05
    }
    "#);
    // The first of them is no more within thirty days.
    house.clock.advance(DAY);
    let stats = house.admin("GET", "/api/admin/stats", "").await.json();
    assert_eq!(
        (&stats["usd_today"], &stats["usd_30_days"]),
        (&0.0.into(), &0.05.into())
    );
}
