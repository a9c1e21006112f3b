//! Trouble is counted as what it is: these numbers are zero on every good day, so nothing else would
//! notice that they stay so on a bad one.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use super::samples::Samples;
use crate::support::{
    Process, Setup, TestApp, Way, emulator, fal_options, json_of, kept_port, picture, png_base64,
    until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_after_the_call_shows_as_a_rescue_and_as_money_at_risk() {
    let (emulator, folder) = (emulator().await, tempfile::tempdir().unwrap());
    let scraped = format!("127.0.0.1:{}", kept_port());
    let mut options = fal_options(&emulator);
    let database = folder.path().join("lamina.db").display().to_string();
    options.push(("DATABASE_PATH", database));
    options.push(("PORT", "0".to_owned()));
    options.push(("METRICS_LISTEN", scraped.clone()));
    options.push(("SUBMIT_UNKNOWN_GRACE", "1s".to_owned()));
    emulator.script(fal_emulator::Fault::HistoryMissing);
    let pairs: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let dies = [&pairs[..], &[("LAMINA_TEST_CRASH_POINT", "after_call")]].concat();
    let first = Process::start(&dies).await;
    let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let create = client.post(format!("{}/api/jobs", first.base)).json(&body);
    // A worker that is quick ends the process before the answer is on its way.
    let _ = create.send().await;
    assert!(!first.ended().await.0.success());

    let second = Process::start(&pairs).await;
    let url = format!("{}/api/jobs", second.base);
    until("the job's end", || async {
        let jobs = json_of(client.get(&url).send().await.unwrap()).await;
        (jobs["jobs"][0]["status"] == "failed").then_some(())
    })
    .await;
    let url = format!("http://{scraped}/metrics");
    let wanted = [
        ("lamina_rescues_total", 1.0),
        ("lamina_submissions_given_up_total{engine=\"fal\"}", 1.0),
        ("lamina_submissions{engine=\"fal\",state=\"unknown\"}", 1.0),
        ("lamina_spend_at_risk_usd{engine=\"fal\"}", 0.05),
        ("lamina_spend_today_usd", 0.05),
        (
            "lamina_jobs_ended_total{engine=\"fal\",outcome=\"failed\",code=\"submission_unknown\"}",
            1.0,
        ),
    ];
    until("the numbers", || async {
        let text = client.get(&url).send().await.unwrap().text().await.unwrap();
        let samples = Samples::parse(&text);
        let all = wanted
            .iter()
            .all(|(name, value)| samples.of(name) == Some(*value));
        all.then_some(())
    })
    .await;
    second.terminate().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deleted_under_a_step_shows_as_a_lease_that_is_gone() {
    // Takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setup = Setup::new(Way::Local);
    setup.tuning.worker.lease = Duration::from_secs(3);
    setup.tuning.fetch_total = Some(Duration::from_secs(60));
    let app = TestApp::start_with(setup, None).await;
    let source = format!("http://{}/a.png", silent.local_addr().unwrap());
    let id = app.create(&json!({ "image_url": source })).await;
    let number = |name: &'static str| {
        let app = &app;
        async move { Samples::parse(&app.scrape().await).of(name) }
    };
    until("the step to run", || async {
        (number("lamina_steps_running{step=\"prepare\"}").await == Some(1.0)).then_some(())
    })
    .await;
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(app.client.delete(url).send().await.unwrap().status(), 204);
    let lost = "lamina_leases_lost_total{reason=\"gone\"}";
    until("the loss", || async {
        (number(lost).await == Some(1.0)).then_some(())
    })
    .await;
    let ended = "lamina_step_duration_seconds_count{step=\"prepare\",outcome=\"lost_lease\"}";
    assert_eq!(number(ended).await, Some(1.0));
    assert_eq!(
        number("lamina_steps_running{step=\"prepare\"}").await,
        Some(0.0)
    );
    app.stop().await;
}
