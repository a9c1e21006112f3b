//! `lamina jobs` and `lamina stats`, as an operator types them: beside a running service, and after
//! it has stopped.

use reqwest::Client;
use serde_json::{Value, json};

use crate::keys::Deployment;
use crate::support::{Process, picture, png_base64, until};

async fn create(base: &str) -> String {
    let client = Client::builder().no_proxy().build().unwrap();
    let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let request = client.post(format!("{base}/api/jobs")).json(&body);
    let created: Value = request.send().await.unwrap().json().await.unwrap();
    created["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn jobs_are_listed_shown_and_deleted_from_the_command_line() {
    let deployment = Deployment::new();
    let service = Process::start(&deployment.pairs()).await;
    let id = create(&service.base).await;
    let story = until("a completed job", || async {
        let story = deployment.says(&["jobs", "show", &id, "--json"]).await;
        let story: Value = serde_json::from_str(&story).unwrap();
        (story["state"] == "completed").then_some(story)
    })
    .await;
    assert_eq!(story["owner"], "anonymous");
    assert_eq!(story["submissions"][0]["paid"], "no");
    assert!(story["layers"].as_u64().unwrap() > 0 && story["total_ms"].is_u64());
    let listed = deployment
        .says(&["jobs", "list", "--state", "completed"])
        .await;
    assert!(listed.lines().nth(1).unwrap().starts_with(&id), "{listed}");
    let none = deployment
        .says(&["jobs", "list", "--state", "failed"])
        .await;
    assert_eq!(none.lines().count(), 1, "{none}");
    let stats = deployment.says(&["stats"]).await;
    assert!(stats.lines().any(|line| line == "completed  1"), "{stats}");
    let refused = deployment.run(&["jobs", "retry", &id], &[]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("job_not_failed"),
        "{said}"
    );
    deployment.says(&["jobs", "cancel", &id]).await;
    service.terminate().await;

    // With the service stopped, the same commands read its file.
    let shown = deployment.says(&["jobs", "show", &id]).await;
    assert!(
        shown.lines().any(|line| line.ends_with("deleted")),
        "{shown}"
    );
    let gone = deployment.run(&["jobs", "cancel", &id], &[]).await;
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(said.contains("410 job_deleted"), "{said}");
}
