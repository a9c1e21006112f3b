//! Deleting what a request left, over the platform's API.

use reqwest::{Method, Response};

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
