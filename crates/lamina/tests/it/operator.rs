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
    let detail = until("a completed job", || async {
        let detail = deployment.says(&["jobs", "show", &id, "--json"]).await;
        let detail: Value = serde_json::from_str(&detail).unwrap();
        (detail["state"] == "completed").then_some(detail)
    })
    .await;
    assert_eq!(detail["owner"], "anonymous");
    assert_eq!(detail["submissions"][0]["paid"], "no");
    // What comes with its picture has nothing to prepare.
    let steps = detail["steps"].as_array().unwrap().iter();
    let phases: Vec<_> = steps.clone().map(|step| &step["phase"]).collect();
    assert_eq!(phases, ["submit", "wait", "collect"]);
    assert!(
        steps
            .clone()
            .all(|step| step["error_code"].is_null() && step["took_ms"].is_u64())
    );
    assert!(detail["layers"].as_u64().unwrap() > 0 && detail["total_ms"].is_u64());
    let shown = deployment.says(&["jobs", "show", &id]).await;
    let table = shown.lines().skip_while(|line| !line.starts_with("STEP"));
    let words = table
        .skip(1)
        .take(3)
        .map(|line| line.split(' ').next().unwrap());
    assert_eq!(
        words.collect::<Vec<_>>(),
        ["submit", "wait", "collect"],
        "{shown}"
    );
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

#[tokio::test]
async fn a_question_about_no_database_is_refused_and_makes_nothing() {
    let deployment = Deployment::in_folder("data");
    let backup = deployment.folder.path().join("backup.lamina");
    let backup = backup.display().to_string();
    for arguments in [
        &["jobs", "list"][..],
        &["jobs", "cancel", "01999999-9999-7999-8999-999999999999"],
        &["stats"],
        &["keys", "list"],
        &["keys", "revoke", "9f86d081884c"],
        &["keys", "limit", "app", "--rate", "1/s"],
        &["backup", &backup],
    ] {
        let refused = deployment.run(arguments, &[]).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            !refused.status.success()
                && said.contains("there is no database at /")
                && said.contains("DATABASE_PATH"),
            "{arguments:?}: {said}"
        );
        assert_eq!(deployment.made(), 0, "{arguments:?} made something");
    }
    let checked = deployment.run(&["check"], &[]).await;
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("a start makes it"), "{said}");
    let database = deployment.folder.path().join("data/lamina.db");
    assert!(checked.status.success() && !database.exists(), "{said}");

    // The first key comes before the first start, and is told where it went.
    let made = deployment.run(&["keys", "new", "app"], &[]).await;
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(made.status.success() && database.exists(), "{said}");
    assert!(said.contains(database.to_str().unwrap()), "{said}");
    let second = deployment.run(&["keys", "new", "app"], &[]).await;
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!said.contains("a new one was made"), "{said}");
}

#[tokio::test]
async fn a_name_that_api_keys_could_not_hold_is_refused_before_anything_is_made() {
    let deployment = Deployment::in_folder("data");
    for name in ["a:b", "a,b"] {
        for arguments in [&["keys", "new", name][..], &["keys", "limit", name]] {
            let refused = deployment.run(arguments, &[]).await;
            let said = String::from_utf8(refused.stderr).unwrap();
            assert!(
                !refused.status.success() && said.contains("without colon, comma"),
                "{said}"
            );
        }
    }
    assert_eq!(deployment.made(), 0);
}

#[tokio::test]
async fn one_job_is_one_job() {
    let deployment = Deployment::new();
    let service = Process::start(&deployment.pairs()).await;
    create(&service.base).await;
    let backup = deployment.folder.path().join("backup.lamina");
    let made = deployment
        .run(&["backup", backup.to_str().unwrap()], &[])
        .await;
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(said.contains(": 1 job, 0 uploads, "), "{said}");
    service.terminate().await;
}
