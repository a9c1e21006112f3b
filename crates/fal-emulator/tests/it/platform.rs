//! The platform's API: listing requests, and deleting what one left.

use reqwest::{Method, Response};

use fal_emulator::{Config, Fault, MODEL};
use serde_json::Value;

use crate::bench::{Bench, body, input, request_path};

async fn erase(bench: &Bench, id: &str, key: &str) -> Response {
    let url = format!(
        "{}/models/requests/{id}/payloads",
        bench.emulator.platform_url()
    );
    let call = bench.client.request(Method::DELETE, url);
    let call = call.header("authorization", format!("Key {key}"));
    call.send().await.expect("an answer")
}

#[tokio::test]
async fn an_admin_deletes_result_and_output_files_and_nobody_else_does() {
    let bench = Bench::start().await;
    let submitted = bench.submit(&input()).await;
    let id = submitted["request_id"].as_str().expect("an id").to_owned();
    bench.emulator.wait_for_completed(1).await;
    let output = body(bench.get(&request_path(&submitted)).await).await;
    let file = output["images"][0]["url"]
        .as_str()
        .expect("a URL")
        .to_owned();
    assert_eq!(bench.get(&file).await.status(), 200);

    let admin = bench.emulator.admin_key();
    assert_eq!(
        erase(&bench, &id, &bench.emulator.key()).await.status(),
        403
    );
    assert_eq!(erase(&bench, &id, "some:body").await.status(), 401);
    assert_eq!(erase(&bench, "unknown", &admin).await.status(), 404);
    assert_eq!(bench.get(&file).await.status(), 200);
    assert!(!bench.emulator.requests()[0].erased);

    let erased = erase(&bench, &id, &admin).await;
    assert_eq!(erased.status(), 200);
    let results = body(erased).await;
    let results = results["cdn_delete_results"].as_array().expect("a list");
    let images = output["images"].as_array().expect("a list");
    assert_eq!(results.len(), images.len());
    assert!(results.iter().all(|result| result["exception"].is_null()));
    assert_eq!(bench.get(&file).await.status(), 404);
    assert_eq!(bench.get(&request_path(&submitted)).await.status(), 404);
    assert!(bench.emulator.requests()[0].erased);
}

async fn listed(bench: &Bench, query: &str) -> Response {
    bench
        .get(&format!(
            "/v1/models/requests/by-endpoint?endpoint_id={MODEL}{query}"
        ))
        .await
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a list");
    let id = |item: &Value| item["request_id"].as_str().expect("an id").to_owned();
    items.iter().map(id).collect()
}

async fn run(bench: &Bench) -> String {
    let submitted = bench.submit(&input()).await;
    let id = submitted["request_id"].as_str().expect("an id").to_owned();
    bench.emulator.complete(&id).await;
    id
}

#[tokio::test]
async fn requests_are_listed_page_by_page_and_only_to_who_has_a_key() {
    let bench = Bench::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(run(&bench).await);
    }
    let first = listed(&bench, "&limit=2").await;
    assert!(first.headers().contains_key("date"));
    let first = body(first).await;
    assert_eq!((&first["has_more"], ids(&first).len()), (&true.into(), 2));
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = body(listed(&bench, &format!("&limit=2&cursor={cursor}")).await).await;
    assert_eq!(
        (&second["has_more"], &second["next_cursor"]),
        (&false.into(), &Value::Null)
    );
    let mut all = [ids(&first), ids(&second)].concat();
    all.sort();
    made.sort();
    assert_eq!(all, made);
    let item = &first["items"][0];
    assert!(item["sent_at"].is_string() && item["started_at"].is_string());
    assert_eq!(
        (&item["status_code"], item.get("tags")),
        (&200.into(), None)
    );

    let none = body(listed(&bench, "&start=2100-01-01").await).await;
    assert!(ids(&none).is_empty());
    for wrong in ["&limit=0", "&limit=101", "&start=soon", "&cursor=x"] {
        assert_eq!(listed(&bench, wrong).await.status(), 400, "{wrong}");
    }
    let path = format!(
        "{}/v1/models/requests/by-endpoint?endpoint_id={MODEL}",
        bench.emulator.url()
    );
    let anonymous = bench.client.get(path).send().await.expect("an answer");
    assert_eq!(anonymous.status(), 401);
}

#[tokio::test]
async fn what_waits_is_not_listed_and_what_was_not_stored_shows_no_input() {
    let bench = Bench::with(Config {
        hold: true,
        list_tags: true,
        ..Config::default()
    });
    let bench = bench.await;
    let call = bench.call(Method::POST, &format!("/{MODEL}"));
    let call = call
        .header("x-fal-store-io", "0")
        .header("x-fal-tags", "a=b,c=d");
    let submitted = body(call.json(&input()).send().await.expect("an answer")).await;
    assert!(ids(&body(listed(&bench, "").await).await).is_empty());
    let id = submitted["request_id"].as_str().expect("an id");
    bench.emulator.begin(id);
    let running = body(listed(&bench, "&expand=payloads").await).await;
    let item = &running["items"][0];
    assert_eq!(item["request_id"], id);
    assert_eq!(item["status_code"], Value::Null);
    assert_eq!(item.get("json_input"), None);
    assert_eq!(item["tags"], serde_json::json!({"a": "b", "c": "d"}));
}

#[tokio::test]
async fn the_list_can_be_late_empty_broken_or_show_another() {
    let bench = Bench::start().await;
    bench.emulator.script(Fault::HistoryLate { reads: 2 });
    let late = run(&bench).await;
    for shown in [0, 0, 1] {
        assert_eq!(ids(&body(listed(&bench, "").await).await).len(), shown);
    }
    bench.emulator.script(Fault::HistoryMissing);
    run(&bench).await;
    assert_eq!(ids(&body(listed(&bench, "").await).await), [late]);

    bench.emulator.reset();
    bench.emulator.script(Fault::HistoryErrors {
        status: 503,
        times: 1,
    });
    bench.emulator.script(Fault::HistoryTwo);
    run(&bench).await;
    let other = run(&bench).await;
    assert_eq!(listed(&bench, "").await.status(), 503);
    let two = ids(&body(listed(&bench, "").await).await);
    assert_eq!(two.len(), 3);
    assert!(two.contains(&other));
    assert_eq!(ids(&body(listed(&bench, "").await).await), two);
}
