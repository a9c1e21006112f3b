//! What one request too many is told. Rates here are so slow that no test waits for one more.

use super::*;

/// The answers that only limits give.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    let server = super::admin::operated();
    let (key, _) = server.new_key(r#"{"name":"web","rate":"1/h"}"#).await;
    server.with_key(&key, "GET", "/api/jobs", "").await;
    add(&server.with_key(&key, "GET", "/api/jobs", "").await);
    let (key, _) = server.new_key(r#"{"name":"two","max_jobs":1}"#).await;
    server.with_key(&key, "POST", "/api/jobs", BY_URL).await;
    add(&server.with_key(&key, "POST", "/api/jobs", BY_URL).await);
    add(&paid(Some(0), None).post_json(BY_URL).await);
}

const BY_URL: &str = r#"{"image_url":"https://example.com/a.png"}"#;

/// A server whose usual engine costs five cents, with these caps.
fn paid(total: Option<u64>, owner: Option<u64>) -> TestServer {
    TestServer::with(|state| {
        state.engines.available = vec![EngineKind::Local, EngineKind::Fal];
        state.engines.default = EngineKind::Fal;
        state.engines.prices = HashMap::from([(EngineKind::Fal, PRICE)]);
        state.daily_microusd = total;
        state.keys = ApiKeys::by(KeyRules {
            daily_microusd: owner,
            ..KeyRules::default()
        });
    })
}

#[tokio::test]
async fn a_day_that_is_paid_up_is_told_until_when() {
    for (total, owner, whose) in [
        (Some(PRICE + 1), None, "this server"),
        (None, Some(PRICE), "this key's owner"),
    ] {
        let server = paid(total, owner);
        server.created().await;
        server.opened().await;
        let answer = server.post_json(BY_URL).await;
        assert_eq!(answer.code(), (402, "spend_limit_reached".into()));
        assert!(answer.json()["detail"].as_str().unwrap().contains(whose));
        // From 14:11:57 to midnight, and never too early.
        let left = 9 * 3600 + 48 * 60 + 3 + 1;
        assert_eq!(answer.header("retry-after"), left.to_string());
        let free = r#"{"image_url":"https://example.com/a.png","engine":"local"}"#;
        assert_eq!(server.post_json(free).await.status, 202);
        server.clock.advance(Duration::from_secs(left));
        assert_eq!(server.post_json(BY_URL).await.status, 202);
    }
}

#[tokio::test]
async fn a_repeated_create_is_answered_whatever_was_spent_since() {
    let server = paid(Some(PRICE), None);
    let first = server.post_with_key("k", BY_URL).await;
    assert_eq!(first.status, 202);
    server.opened().await;
    let again = server.post_with_key("k", BY_URL).await;
    assert_eq!((again.status, again.body), (first.status, first.body));
    assert_eq!(server.post_with_key("l", BY_URL).await.status, 402);
}

#[tokio::test]
async fn a_job_too_many_leaves_nothing_behind() {
    let server = super::admin::operated();
    let (key, _) = server.new_key(r#"{"name":"web","max_jobs":1}"#).await;
    let picture = base64_body(&png(4, 4));
    let first = server
        .with_key(&key, "POST", "/api/jobs", picture.clone())
        .await;
    assert_eq!(first.status, 202);
    let answer = server.with_key(&key, "POST", "/api/jobs", picture).await;
    assert_eq!(answer.code(), (429, "too_many_jobs".into()));
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(server.jobs_with_bytes().await.len(), 1);
    let path = format!("/api/jobs/{}", first.json()["job_id"].as_str().unwrap());
    assert_eq!(server.with_key(&key, "DELETE", &path, "").await.status, 204);
    let next = server.with_key(&key, "POST", "/api/jobs", BY_URL).await;
    assert_eq!(next.status, 202);
}

#[tokio::test]
async fn a_request_too_many_is_told_when_to_come_back() {
    let server = super::admin::operated();
    let (key, _) = server
        .new_key(r#"{"name":"web","rate":"1/h burst 2"}"#)
        .await;
    for left in ["\"default\";r=1;t=3600", "\"default\";r=0;t=7200"] {
        let answer = server.with_key(&key, "GET", "/api/jobs", "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit"), left);
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=2;w=7200");
    }
    let answer = server.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(answer.code(), (429, "rate_limited".into()));
    let after: u64 = answer.header("retry-after").parse().unwrap();
    assert!((3500..=3600).contains(&after), "{after}");
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"default\";r=0;t={after}")
    );
    // Another owner is not concerned, and neither is the operator.
    assert_eq!(
        server
            .with_key("app-key", "GET", "/api/jobs", "")
            .await
            .status,
        200
    );
    assert_eq!(server.admin("GET", "/api/admin/keys", "").await.status, 200);
}

#[tokio::test]
async fn links_health_and_hooks_are_not_counted() {
    let server = super::admin::operated();
    let body = r#"{"name":"app","rate":"1/h"}"#;
    server.new_key(body).await;
    let id = JobId::new(T0);
    let link = server.link(&BlobKey::Layer(id, 0, MediaType::Png));
    for path in [link.as_str(), "/healthz", "/readyz", "/openapi.json", "/"] {
        for _ in 0..3 {
            let answer = server.get(path).await;
            assert_ne!(answer.status, 429, "{path}");
            assert!(!answer.headers.contains_key("ratelimit"), "{path}");
        }
    }
}

#[tokio::test]
async fn without_keys_nothing_is_counted_unless_it_was_asked_for() {
    let server = TestServer::with(|state| state.keys = ApiKeys::by(KeyRules::default()));
    let answer = server.get("/api/jobs").await;
    assert!(!answer.headers.contains_key("ratelimit"));
    let server = TestServer::with(|state| {
        let mut rules = KeyRules::default();
        rules.limits.rate = crate::access::Rule::At("1/h".parse().unwrap());
        state.keys = ApiKeys::by(rules);
    });
    assert_eq!(server.get("/api/jobs").await.status, 200);
    let answer = server.get("/api/jobs").await;
    assert_eq!(answer.code(), (429, "rate_limited".into()));
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_counted() {
    let server = super::admin::operated();
    for _ in 0..300 {
        let answer = server.with_key("wrong", "GET", "/api/jobs", "").await;
        assert_eq!(answer.status, 401);
        assert!(!answer.headers.contains_key("ratelimit"));
    }
}
