//! Every owner's jobs, what an operator does about them, and the whole in numbers.

use super::*;

#[tokio::test]
async fn a_job_is_listed_by_what_it_is_and_page_by_page() {
    let server = operated();
    let failed = created(&server, "local").await;
    server.fail(FailureCode::SourceLost).await;
    server.clock.advance(Duration::from_secs(1));
    let waiting = created(&server, "fal").await;
    let (other, _) = server.new_key(r#"{"name":"web"}"#).await;
    server.clock.advance(Duration::from_secs(1));
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let made = server.with_key(&other, "POST", "/api/jobs", body).await;
    let others: JobId = made.json()["job_id"].as_str().unwrap().parse().unwrap();
    let list = async |query: &str| {
        let page = server
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
        "limit=1&limit=2",
        "state=failed&engine=fal&%73tate=active",
        &format!("{}colour=red", "limit=1&".repeat(20)),
    ] {
        let answer = server
            .admin("GET", &format!("/api/admin/jobs?{wrong}"), "")
            .await;
        assert_eq!(answer.code(), (422, "invalid_query".into()), "{wrong}");
    }
}

#[tokio::test]
async fn an_address_that_could_not_be_fetched_is_told_to_its_owner_alone() {
    let server = operated();
    let body = r#"{"image_url":"https://example.com/secret.png"}"#;
    let made = server.with_key("app-key", "POST", "/api/jobs", body).await;
    let id = made.json()["job_id"].as_str().unwrap().to_owned();
    let lease = server.lease(Phase::Prepare).await;
    let sentence = "https://example.com/secret.png answered 404; make it public.".to_owned();
    let failure = Failure::other("fetch_status", sentence.clone());
    server
        .apply(&lease, Phase::Failed, StepOutput::None, Some(failure))
        .await;
    let (own, operators) = (format!("/api/jobs/{id}"), format!("/api/admin/jobs/{id}"));
    let seen = server.with_key("app-key", "GET", &own, "").await.json();
    assert_eq!(seen["error"], sentence);
    let story = server.admin("GET", &operators, "").await;
    assert_eq!(story.json()["error_code"], "fetch_status");
    assert_eq!(story.json()["error"], Value::Null);
    assert!(!String::from_utf8_lossy(&story.body).contains("secret"));
}

#[tokio::test]
async fn the_story_of_a_job_tells_what_was_paid_and_nothing_of_the_picture() {
    let server = operated();
    let body =
        r#"{"image_url":"https://example.com/secret.png","prompt":"a secret","engine":"fal"}"#;
    let made = server.with_key("app-key", "POST", "/api/jobs", body).await;
    let id = made.json()["job_id"].as_str().unwrap().to_owned();
    submitted_and_lost(&server).await;
    let detail = server
        .admin("GET", &format!("/api/admin/jobs/{id}"), "")
        .await;
    assert!(!String::from_utf8_lossy(&detail.body).contains("secret"));
    insta::assert_snapshot!(detail.calm(), @r#"
    {
      "accepted_at": null,
      "attempt": 0,
      "created_at": "2026-11-22T14:11:57.000Z",
      "deliveries": [],
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
      "steps": [],
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
    let unknown = server
        .admin("GET", &format!("/api/admin/jobs/{}", JobId::new(T0)), "")
        .await;
    assert_eq!(unknown.code(), (404, "job_not_found".into()));
}

#[tokio::test]
async fn a_failed_job_begins_anew_for_its_owner() {
    let server = operated();
    let id = created(&server, "local").await;
    let path = format!("/api/jobs/{id}");
    server.fail(FailureCode::SourceLost).await;
    let before = server.with_key("app-key", "GET", &path, "").await;
    assert_eq!(before.json()["status"], "failed");
    let retried = server
        .admin("POST", &format!("/api/admin/jobs/{id}/retry"), "{}")
        .await;
    assert_eq!(
        (retried.status.as_u16(), &retried.json()["state"]),
        (202, &"prepare".into())
    );
    let after = server.with_key("app-key", "GET", &path, "").await;
    assert_eq!(after.json()["status"], "pending");
    assert_eq!(after.json()["error"], Value::Null);
    server.lease(Phase::Prepare).await;
}

#[tokio::test]
async fn what_may_have_been_paid_is_paid_again_only_when_told() {
    let server = operated();
    let id = created(&server, "fal").await;
    submitted_and_lost(&server).await;
    let retry = format!("/api/admin/jobs/{id}/retry");
    let refused = server.admin("POST", &retry, r#"{"pay_again":false}"#).await;
    assert_eq!(refused.code(), (409, "payment_unknown".into()));
    let again = server.admin("POST", &retry, r#"{"pay_again":true}"#).await;
    assert_eq!(again.status, 202);
    let (_, nonce) = server.opened().await;
    let now = server.clock.now();
    let refused = SubmissionState::Refused;
    server
        .store
        .submission_close(&nonce, refused, None, now)
        .await
        .unwrap();
    let stats = server.admin("GET", "/api/admin/stats", "").await.json();
    assert_eq!(
        (&stats["usd_today"], &stats["unknown_submissions"]),
        (&0.05.into(), &1.into())
    );
    for wrong in ["", "[]", r#"{"pay_again":"yes"}"#, r#"{"again":true}"#] {
        let answer = server.admin("POST", &retry, wrong).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{wrong}");
    }
}

#[tokio::test]
async fn an_operator_deletes_a_job_as_its_owner_would() {
    let server = operated();
    let id = created(&server, "local").await;
    let path = format!("/api/admin/jobs/{id}");
    assert_eq!(server.admin("DELETE", &path, "").await.status, 204);
    assert_eq!(
        server.admin("DELETE", &path, "").await.code(),
        (410, "job_deleted".into())
    );
    let seen = server
        .with_key("app-key", "GET", &format!("/api/jobs/{id}"), "")
        .await;
    assert_eq!(seen.code(), (410, "job_deleted".into()));
    let retried = server.admin("POST", &format!("{path}/retry"), "{}").await;
    assert_eq!(retried.code(), (410, "job_deleted".into()));
    assert_eq!(
        server.admin("GET", &path, "").await.json()["state"],
        "deleted"
    );
    assert_eq!(
        server.admin("DELETE", "/api/admin/jobs/x", "").await.status,
        404
    );
}

#[tokio::test]
async fn the_numbers_tell_jobs_queue_spending_and_storage() {
    let server = operated();
    let id = created(&server, "local").await;
    server.complete(id).await;
    created(&server, "fal").await;
    server.opened().await;
    server.clock.advance(29 * DAY);
    created(&server, "fal").await;
    server.opened().await;
    server.clock.advance(Duration::from_secs(1));
    created(&server, "local").await;
    server.learn(Duration::from_millis(1_500));
    let stats = server.admin("GET", "/api/admin/stats", "").await;
    insta::assert_snapshot!(stats.calm(), @r#"
    {
      "at": "2026-12-21T14:11:58.000Z",
      "estimates": [],
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
      "runs": [
        {
          "below_megapixels": 0.354,
          "engine": "local",
          "longest_seconds": 1.5,
          "median_seconds": 1.5,
          "num_layers": null,
          "p90_seconds": 1.5,
          "runs": 1
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
        "counted_bytes": 250,
        "counted_bytes_at_most": null,
        "incoming_bytes": 0,
        "layer_bytes": 40,
        "owner_bytes_at_most": null,
        "owners": [
          {
            "bytes": 250,
            "owner": "app"
          }
        ],
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
    server.clock.advance(DAY);
    let stats = server.admin("GET", "/api/admin/stats", "").await.json();
    assert_eq!(
        (&stats["usd_today"], &stats["usd_30_days"]),
        (&0.0.into(), &0.05.into())
    );
}
