//! The life of a job as an app sees it.

use super::*;
use crate::store::ExpiryStore as _;

#[tokio::test]
async fn a_create_by_url_is_accepted_and_fetches_nothing() {
    let server = TestServer::new();
    let answer = server
        .post_json(r#"{"image_url":"https://example.com/a.png","num_layers":3}"#)
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "job_id": "<id>",
      "status": "pending"
    }
    "#);
    let id = answer.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/jobs/{id}"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(server.jobs_with_bytes().await.is_empty());
}

#[tokio::test]
async fn a_new_job_is_shown_as_pending() {
    let server = TestServer::new();
    let id = server.created().await;
    let answer = server.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "created_at": "2026-11-22T14:11:57.000Z",
      "engine": "local",
      "error": null,
      "error_code": null,
      "eta_seconds": null,
      "expires_at": "2026-11-23T14:11:57.000Z",
      "job_id": "<id>",
      "layers": null,
      "progress": 0.0,
      "quality": null,
      "queue_position": null,
      "resolution": "engine",
      "status": "pending"
    }
    "#);
}

#[tokio::test]
async fn a_running_job_moves_between_two_reads_and_says_when_to_ask_again() {
    let server = TestServer::new();
    let path = format!("/api/jobs/{}", server.created().await);
    server.accept(Some(7)).await;
    // Nothing was measured, so nobody knows.
    let unknown = server.get(&path).await;
    assert_eq!(unknown.header("retry-after"), "5");
    assert_eq!(unknown.json()["eta_seconds"], serde_json::Value::Null);
    server.learn(Duration::from_secs(20));
    let first = server.get(&path).await;
    assert_eq!(first.header("retry-after"), "2");
    assert_eq!(first.json()["queue_position"], 7);
    assert_eq!(first.json()["eta_seconds"], 20);
    assert_eq!(first.json()["progress"], 0.05);
    server.clock.advance(Duration::from_secs(5));
    let second = server.get(&path).await;
    assert_eq!(second.json()["status"], "processing");
    assert!(second.json()["progress"].as_f64() > first.json()["progress"].as_f64());
    assert_eq!(second.json()["eta_seconds"], 15);
}

#[tokio::test]
async fn a_completed_job_has_its_layers_with_absolute_links() {
    let server = TestServer::new();
    let id = server.created().await;
    server.complete(id).await;
    let answer = server.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(answer.header("retry-after"), "");
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "created_at": "2026-11-22T14:11:57.000Z",
      "engine": "local",
      "error": null,
      "error_code": null,
      "eta_seconds": null,
      "expires_at": "2026-11-23T14:11:57.000Z",
      "job_id": "<id>",
      "layers": [
        {
          "bbox": null,
          "blend_mode": "normal",
          "bytes": 20,
          "content_type": "image/png",
          "coverage": 0.25,
          "fidelity_url": null,
          "height": 480,
          "id": "layer_0",
          "kind": null,
          "name": null,
          "opacity": 1.0,
          "order": 0,
          "sha256": "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff",
          "text": null,
          "text_confidence": null,
          "thumbhash": null,
          "thumbnail_url": "http://lamina.test/files/jobs/<id>/layer_0.thumbnail.webp?exp=1795443117&sig=<sig>",
          "url": "http://lamina.test/files/jobs/<id>/layer_0.png?exp=1795443117&sig=<sig>",
          "variants_url": "http://lamina.test/files/jobs/<id>/layer_0.png?exp=1795443117&sig=<sig>",
          "width": 640
        },
        {
          "bbox": {
            "height": 4,
            "width": 3,
            "x": 1,
            "y": 2
          },
          "blend_mode": "normal",
          "bytes": 20,
          "content_type": "image/png",
          "coverage": 0.25,
          "fidelity_url": null,
          "height": 480,
          "id": "layer_1",
          "kind": "text",
          "name": "text",
          "opacity": 1.0,
          "order": 1,
          "sha256": "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff",
          "text": "Grand\nOpening",
          "text_confidence": 0.984,
          "thumbhash": null,
          "thumbnail_url": "http://lamina.test/files/jobs/<id>/layer_1.thumbnail.webp?exp=1795443117&sig=<sig>",
          "url": "http://lamina.test/files/jobs/<id>/layer_1.png?exp=1795443117&sig=<sig>",
          "variants_url": "http://lamina.test/files/jobs/<id>/layer_1.png?exp=1795443117&sig=<sig>",
          "width": 640
        }
      ],
      "progress": 1.0,
      "quality": null,
      "queue_position": null,
      "resolution": "engine",
      "status": "completed"
    }
    "#);
    let layers = server.get(&format!("/api/jobs/{id}/layers")).await;
    assert_eq!(layers.status, StatusCode::OK);
    assert_eq!(layers.json()["layers"], answer.json()["layers"]);
    assert_eq!(layers.json()["job_id"], id.to_string());
}

#[tokio::test]
async fn a_reader_that_has_the_answer_already_is_told_so() {
    let server = TestServer::new();
    let id = server.created().await;
    server.complete(id).await;
    for path in [
        format!("/api/jobs/{id}"),
        format!("/api/jobs/{id}/layers"),
        "/api/jobs".into(),
    ] {
        let first = server.get(&path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"'), "{path}");
        server.clock.advance(Duration::from_secs(60));
        let again = request("GET", &path).header("if-none-match", &tag);
        let again = server.send(again.body(Body::empty()).unwrap()).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(again.header("etag"), tag);
        assert!(again.body.is_empty());
    }
}

#[tokio::test]
async fn layers_of_an_unfinished_job_are_a_conflict_that_says_when_to_ask_again() {
    let server = TestServer::new();
    let id = server.created().await;
    let answer = server.get(&format!("/api/jobs/{id}/layers")).await;
    assert_eq!(answer.code(), (409, "job_not_completed".into()));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_failed_job_is_an_answer_and_its_layers_are_a_conflict() {
    let server = TestServer::new();
    let id = server.created().await;
    server.fail(FailureCode::ContentRefused).await;
    let answer = server.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("retry-after"), "");
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "created_at": "2026-11-22T14:11:57.000Z",
      "engine": "local",
      "error": "The layering service refused this picture or prompt because of its content rules. Try another picture.",
      "error_code": "content_refused",
      "eta_seconds": null,
      "expires_at": "2026-11-23T14:11:57.000Z",
      "job_id": "<id>",
      "layers": null,
      "progress": 0.0,
      "quality": null,
      "queue_position": null,
      "resolution": "engine",
      "status": "failed"
    }
    "#);
    let layers = server.get(&format!("/api/jobs/{id}/layers")).await;
    assert_eq!(layers.code(), (409, "job_failed".into()));
    assert_eq!(layers.header("retry-after"), "");
}

#[tokio::test]
async fn a_deleted_job_is_gone_for_every_reader() {
    let server = TestServer::new();
    let id = server.created().await;
    let path = format!("/api/jobs/{id}");
    let deleted = server.delete(&path).await;
    assert_eq!(
        (deleted.status, deleted.body.len()),
        (StatusCode::NO_CONTENT, 0)
    );
    for answer in [
        server.delete(&path).await,
        server.get(&path).await,
        server.get(&format!("{path}/layers")).await,
    ] {
        assert_eq!(answer.code(), (410, "job_deleted".into()));
    }
    assert_eq!(
        server.get("/api/jobs").await.json()["jobs"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn an_expired_job_says_that_its_time_was_over() {
    let server = TestServer::new();
    let id = server.created().await;
    server.clock.advance(DAY);
    let expired = server.store.job_expire(server.clock.now(), 9).await;
    assert_eq!(expired.unwrap().len(), 1);
    let answer = server.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(answer.code(), (410, "job_expired".into()));
    let answer = server.delete(&format!("/api/jobs/{id}")).await;
    assert_eq!(answer.code(), (410, "job_expired".into()));
}

#[tokio::test]
async fn a_job_whose_time_is_over_is_gone_before_anything_has_marked_it() {
    let server = TestServer::new();
    let id = server.created().await;
    server.clock.advance(DAY);
    for path in ["", "/layers"] {
        let answer = server.get(&format!("/api/jobs/{id}{path}")).await;
        assert_eq!(answer.code(), (410, "job_expired".into()), "{path}");
    }
    let listed = server.get("/api/jobs").await.json();
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_list_is_paged_from_the_newest_to_the_oldest() {
    let server = TestServer::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(server.created().await.to_string());
        server.clock.advance(Duration::from_secs(1));
    }
    ids.reverse();
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    for _ in 0..3 {
        let page = server.get(&format!("/api/jobs?{query}")).await.json();
        for job in page["jobs"].as_array().unwrap() {
            assert!(job.get("layers").is_none());
            seen.push(job["job_id"].as_str().unwrap().to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_wrong_query_is_told_and_not_ignored() {
    let server = TestServer::new();
    let answer = server.get("/api/jobs?limit=0&cursor=x&page=2").await;
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "code": "invalid_query",
      "detail": "3 query parameters are wrong; see errors.",
      "errors": [
        {
          "detail": "Expected a whole number from 1 to 100.",
          "pointer": "/limit"
        },
        {
          "detail": "Expected the next_cursor of the page before.",
          "pointer": "/cursor"
        },
        {
          "detail": "Unknown parameter; known are cursor and limit.",
          "pointer": "/page"
        }
      ],
      "status": 422,
      "title": "Unprocessable Entity",
      "type": "about:blank"
    }
    "#);
    assert_eq!(server.get("/api/jobs?limit=101").await.code().0, 422);
    // Of two, one part of the way would believe the first and another the last.
    let twice = format!("?{}page=2", "limit=5&".repeat(20));
    for query in ["?limit=1&limit=1", "?cursor=&limit=1&%6cimit=2", &twice] {
        let answer = server.get(&format!("/api/jobs{query}")).await;
        assert_eq!(answer.code(), (422, "invalid_query".into()), "{query}");
        let errors = answer.json()["errors"].to_string();
        assert!(errors.contains("given more than once"), "{query}: {errors}");
    }
}

#[tokio::test]
async fn the_same_key_and_body_are_the_same_job() {
    let server = TestServer::new();
    let body = base64_body(&png(3, 3));
    let first = server.post_with_key("k-1", &body).await;
    server.accept(None).await;
    let second = server.post_with_key("k-1", &body).await;
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(second.json()["job_id"], first.json()["job_id"]);
    assert_eq!(second.json()["status"], "processing");
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(server.jobs_with_bytes().await.len(), 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let server = TestServer::new();
    server.post_with_key("k-1", &base64_body(&png(3, 3))).await;
    let answer = server.post_with_key("k-1", &base64_body(&png(4, 3))).await;
    assert_eq!(answer.code(), (422, "idempotency_key_reused".into()));
    assert_eq!(server.jobs_with_bytes().await.len(), 1);
}

#[tokio::test]
async fn two_creates_at_once_with_one_key_make_one_job_and_leave_one_picture() {
    let server = TestServer::new();
    let body = base64_body(&png(9, 9));
    let answers = futures_util::future::join_all((0..8).map(|_| server.post_with_key("k", &body)));
    let answers = answers.await;
    let first = answers[0].json()["job_id"].clone();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == StatusCode::ACCEPTED)
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.json()["job_id"] == first)
    );
    assert_eq!(server.jobs_with_bytes().await.len(), 1);
    assert_eq!(
        server.get("/api/jobs").await.json()["jobs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_key_that_is_not_visible_ascii_is_refused() {
    let server = TestServer::new();
    let body = r#"{"image_url":"https://example.com/a.png"}"#;
    let long = "x".repeat(256);
    for key in ["", "with space", "tab\there", &long] {
        let answer = server.post_with_key(key, body).await;
        assert_eq!(
            answer.code(),
            (400, "invalid_idempotency_key".into()),
            "{key:?}"
        );
    }
    assert_eq!(server.post_with_key(&long[1..], body).await.status, 202);
}

#[tokio::test]
async fn a_picture_in_the_body_is_stored_before_the_answer() {
    let server = TestServer::new();
    let file = png(20, 10);
    let answer = server.post_json(base64_body(&file)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let id = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
    let key = BlobKey::Source(id, MediaType::Png);
    assert_eq!(server.blobs.get(&key).await.unwrap(), file);
}

#[tokio::test]
async fn a_large_body_goes_through_the_spool_and_leaves_nothing_there() {
    let server = TestServer::with(|state| state.limits.memory_bytes = 100);
    let file = png(300, 200);
    let answer = server.post_with_key("k", &base64_body(&file)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    let id = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
    let key = BlobKey::Source(id, MediaType::Png);
    assert_eq!(server.blobs.get(&key).await.unwrap(), file);
    let spool = server.folder.path().join("spool");
    assert_eq!(std::fs::read_dir(spool).unwrap().count(), 0);
}

#[tokio::test]
async fn an_engine_that_is_not_set_up_is_named_together_with_those_that_are() {
    let server = TestServer::new();
    let body = r#"{"image_url":"https://example.com/a.png","engine":"fal"}"#;
    insta::assert_snapshot!(server.post_json(body).await.calm(), @r#"
    {
      "code": "engine_not_configured",
      "detail": "The engine \"fal\" is not set up on this server. Leave \"engine\" out, or use one of: local.",
      "errors": [
        {
          "detail": "The engine \"fal\" is not set up on this server. Leave \"engine\" out, or use one of: local.",
          "pointer": "/engine"
        }
      ],
      "status": 422,
      "title": "Unprocessable Entity",
      "type": "about:blank"
    }
    "#);
    let body = r#"{"image_url":"https://example.com/a.png","engine":"local"}"#;
    assert_eq!(server.post_json(body).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn every_wrong_field_of_a_create_is_named() {
    let server = TestServer::new();
    let answer = server
        .post_json(r#"{"image_url":"ftp://x","num_layers":0,"colour":"red"}"#)
        .await;
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "code": "invalid_fields",
      "detail": "3 fields of the body are wrong; see errors.",
      "errors": [
        {
          "detail": "Expected an absolute http or https URL, such as https://example.com/photo.jpg.",
          "pointer": "/image_url"
        },
        {
          "detail": "Expected a whole number from 1 to 10, got 0.",
          "pointer": "/num_layers"
        },
        {
          "detail": "Unknown field; known are image_url, image_base64, upload_id, num_layers, prompt, negative_prompt, seed, num_inference_steps, guidance_scale, engine, resolution and webhook_url.",
          "pointer": "/colour"
        }
      ],
      "status": 422,
      "title": "Unprocessable Entity",
      "type": "about:blank"
    }
    "#);
}

#[tokio::test]
async fn a_field_that_is_given_twice_is_refused_whichever_would_count() {
    let server = TestServer::new();
    for body in [
        r#"{"image_url":"https://a.example/x.png","image_url":"https://b.example/x.png"}"#,
        r#"{"image_url":"https://a.example/x.png","seed":1,"\u0073eed":1}"#,
        r#"{"image_url":"https://a.example/x.png","prompt":null,"prompt":"x"}"#,
        r#"{"image_url":"https://a.example/x.png","seed":1,"seed":2,"seed":3}"#,
    ] {
        let answer = server.post_json(body).await;
        assert_eq!(answer.code(), (422, "invalid_fields".into()), "{body}");
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors.as_array().map(Vec::len), Some(1), "{errors}");
        let detail = errors[0]["detail"].as_str().unwrap();
        assert_eq!(detail, "It is given more than once; give it once.");
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_used_is_refused_with_its_field_and_leaves_nothing() {
    let server = TestServer::new();
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and so on";
    let answer = server.post_json(base64_body(heic)).await;
    insta::assert_snapshot!(answer.calm(), @r#"
    {
      "code": "image_format_unsupported",
      "detail": "This is a HEIC image; lamina accepts JPEG, PNG, WebP and GIF: have the phone convert it (on iOS the photo picker does so when asked for a compatible representation or for JPEG; in the settings it is Camera > Formats > Most Compatible), or save it as JPEG, and send that.",
      "errors": [
        {
          "detail": "This is a HEIC image; lamina accepts JPEG, PNG, WebP and GIF: have the phone convert it (on iOS the photo picker does so when asked for a compatible representation or for JPEG; in the settings it is Camera > Formats > Most Compatible), or save it as JPEG, and send that.",
          "pointer": "/image_base64"
        }
      ],
      "status": 415,
      "title": "Unsupported Media Type",
      "type": "about:blank"
    }
    "#);
    let mut cut = png(50, 50);
    cut.truncate(90);
    let answer = server.post_json(base64_body(&cut)).await;
    assert_eq!(answer.code(), (422, "image_truncated".into()));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/image_base64");
    assert!(server.jobs_with_bytes().await.is_empty());
}
