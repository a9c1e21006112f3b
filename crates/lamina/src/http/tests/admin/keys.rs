//! Keys, limits, and who is let in.

use super::*;

#[tokio::test]
async fn a_key_works_from_the_answer_that_makes_it_to_the_answer_that_revokes_it() {
    let server = operated();
    let (key, id) = server.new_key(r#"{"name":"web"}"#).await;
    assert!(key.starts_with("lam_") && id.len() == 12);
    let asked = server.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(asked.status, 200);
    let revoked = server
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(revoked.json()["revoked_at"], "2026-11-22T14:11:57.000Z");
    let refused = server.with_key(&key, "GET", "/api/jobs", "").await;
    assert_eq!(refused.code(), (401, "unauthorized".into()));
    let again = server
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!((again.status, again.body), (revoked.status, revoked.body));
}

#[tokio::test]
async fn a_new_key_of_a_name_sees_the_jobs_of_the_old_one() {
    let server = operated();
    let (old, id) = server.new_key(r#"{"name":"web"}"#).await;
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let created = server.with_key(&old, "POST", "/api/jobs", body).await;
    let path = format!("/api/jobs/{}", created.json()["job_id"].as_str().unwrap());
    let (new, _) = server.new_key(r#"{"name":"web"}"#).await;
    for key in [&old, &new] {
        assert_eq!(server.with_key(key, "GET", &path, "").await.status, 200);
    }
    server
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(server.with_key(&new, "GET", &path, "").await.status, 200);
    assert_eq!(
        server.with_key("app-key", "GET", &path, "").await.status,
        404
    );
}

#[tokio::test]
async fn no_list_and_no_log_line_holds_a_key() {
    let server = operated();
    let (key, id) = server
        .new_key(r#"{"name":"web","rate":"20/s burst 40","max_jobs":3,"daily_usd":0.25,"storage_bytes":5e6}"#)
        .await;
    let list = server.admin("GET", "/api/admin/keys", "").await;
    let text = String::from_utf8(list.body.to_vec()).unwrap();
    assert!(text.contains(&id) && !text.contains(&key[4..]), "{text}");
    let digest = KeyDigest::of(&key);
    let hex = const_hex::encode(digest.as_bytes());
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
          "rate": "20/s burst 40",
          "storage_bytes": 5000000
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn the_first_key_closes_an_open_service_and_revoking_it_opens_nothing() {
    let server = open();
    assert_eq!(server.get("/api/jobs").await.status, 200);
    let (key, id) = server.new_key(r#"{"name":"web"}"#).await;
    assert_eq!(server.get("/api/jobs").await.status, 401);
    assert_eq!(
        server.with_key(&key, "GET", "/api/jobs", "").await.status,
        200
    );
    server
        .admin("DELETE", &format!("/api/admin/keys/{id}"), "")
        .await;
    assert_eq!(server.get("/api/jobs").await.status, 401);
}

#[tokio::test]
async fn a_key_with_the_right_does_what_an_operator_does_and_owns_jobs_too() {
    let server = operated();
    let (key, _) = server.new_key(r#"{"name":"ops","admin":true}"#).await;
    assert_eq!(
        server
            .with_key(&key, "GET", "/api/admin/keys", "")
            .await
            .status,
        200
    );
    assert_eq!(
        server.with_key(&key, "GET", "/api/jobs", "").await.status,
        200
    );
    // The operator's own key is no owner's.
    assert_eq!(server.admin("GET", "/api/jobs", "").await.status, 401);
}

#[tokio::test]
async fn nobody_is_the_operator_even_where_everybody_may_call() {
    let server = open();
    let answer = server.get("/api/admin/keys").await;
    assert_eq!(answer.code(), (401, "unauthorized".into()));
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nowhere_with_the_operators_key() {
    let server = TestServer::with(|state| {
        state.keys = ApiKeys::by(rules(&[]));
        state.cors = CorsOrigins::Any;
        state.public_url = Some("https://layers.example.com".parse().unwrap());
    });
    let ask = async |name: &str, value: &str| {
        let request = request("GET", "/api/admin/keys")
            .header("authorization", format!("Bearer {ADMIN}"))
            .header(name, value);
        server.send(request.body(Body::empty()).unwrap()).await
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
    let answer = server.send(preflight.body(Body::empty()).unwrap()).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn every_wrong_field_of_a_key_is_named() {
    let server = operated();
    let body = r#"{"name":" web","admin":"yes","rate":"fast","max_jobs":0,"daily_usd":1e-7,"storage_bytes":-1,"colour":1}"#;
    let answer = server.admin("POST", "/api/admin/keys", body).await;
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
    /max_jobs Expected a whole number from 1 to 4294967295, got 0.
    /storage_bytes Expected a whole number from 0 to 9007199254740992, got -1.
    /colour Unknown field; known are name, admin, rate, max_jobs, daily_usd and storage_bytes.
    "#);
    let missing = server.admin("POST", "/api/admin/keys", "{}").await;
    assert_eq!(missing.code(), (422, "invalid_fields".into()));
    assert!(server.store.key_list().await.unwrap().is_empty());
}
