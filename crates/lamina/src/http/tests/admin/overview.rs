//! The present in one look, and who did what.

use super::*;

async fn overview(server: &TestServer) -> Value {
    let answer = server.admin("GET", "/api/admin/overview", "").await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

/// All that is wrong but what the disk of this machine may be.
fn alarms(seen: &Value) -> Vec<&Value> {
    let alarms = seen["alarms"].as_array().unwrap().iter();
    alarms
        .filter(|alarm| alarm["name"] != "LaminaDiskFilling")
        .collect()
}

#[tokio::test]
async fn a_service_that_is_well_has_no_alarm_and_shows_its_oldest_job() {
    let server = operated();
    let first = created(&server, "local").await;
    server.clock.advance(Duration::from_secs(2));
    created(&server, "local").await;
    let seen = overview(&server).await;
    assert!(alarms(&seen).is_empty(), "{seen}");
    assert_eq!(seen["failures"], serde_json::json!([]));
    let prepare = &seen["phases"][0];
    assert_eq!(prepare["state"], "prepare");
    assert_eq!(
        (&prepare["due"], &prepare["oldest_job"]),
        (&2.into(), &first.to_string().into())
    );
    assert_eq!(seen["totals"]["created"], 2);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do_and_what_it_may_have_cost() {
    let server = operated();
    let id = created(&server, "fal").await;
    submitted_and_lost(&server).await;
    let seen = overview(&server).await;
    let alarm = alarms(&seen)[0];
    assert_eq!(alarm["name"], "LaminaSubmissionUnknown");
    assert_eq!(
        alarm["summary"],
        "It is not known whether fal took a picture; it may have been paid"
    );
    assert!(
        alarm["todo"].as_str().unwrap().contains("names the job"),
        "{alarm}"
    );
    let failure = &seen["failures"][0];
    assert_eq!(
        (&failure["error_code"], &failure["jobs"]),
        (&"submission_unknown".into(), &1.into())
    );
    assert!(
        failure["todo"]
            .as_str()
            .unwrap()
            .contains("Create the job again")
    );
    let unknown = &seen["unknown"][0];
    assert_eq!(
        (&unknown["job_id"], &unknown["owner"]),
        (&id.to_string().into(), &"app".into())
    );
    assert_eq!(unknown["usd"], 0.05);
    assert_eq!(seen["unknown_submissions"], 1);
    assert_eq!(seen["usd_today"], 0.05);
    assert_eq!(seen["spending"][0]["owner"], "app");
    // An hour later it is no news, a day later the failure is none.
    server.clock.advance(Duration::from_secs(3_700));
    assert!(alarms(&overview(&server).await).is_empty());
    server.clock.advance(DAY);
    let later = overview(&server).await;
    assert_eq!(
        (&later["failures"], &later["usd_today"]),
        (&serde_json::json!([]), &0.0.into())
    );
    assert_eq!(later["unknown_submissions"], 1);
}

#[tokio::test]
async fn a_cap_of_an_owner_stands_beside_what_it_spent() {
    let server = operated();
    let limits = r#"{"daily_usd":3}"#;
    let set = server
        .admin("PUT", "/api/admin/owners/app/limits", limits)
        .await;
    assert_eq!(set.status, 200);
    created(&server, "fal").await;
    server.opened().await;
    let seen = overview(&server).await;
    let line = &seen["spending"][0];
    assert_eq!(
        (&line["usd_today"], &line["usd_a_day_at_most"]),
        (&0.05.into(), &3.0.into())
    );
}

#[tokio::test]
async fn nobody_but_an_operator_sees_it() {
    let server = operated();
    let path = "/api/admin/overview";
    assert_eq!(
        server.with_key("app-key", "GET", path, "").await.code(),
        (403, "admin_only".into())
    );
    assert_eq!(server.get(path).await.code(), (401, "unauthorized".into()));
    let (key, _) = server.new_key(r#"{"name":"boss","admin":true}"#).await;
    assert_eq!(server.with_key(&key, "GET", path, "").await.status, 200);
}
