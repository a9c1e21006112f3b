//! The machine's clock is stepped, by an hour and by a day, forward and back, while a job is at any
//! stage and between two processes. Jobs go on, are paid once, and nothing goes because of a leap.

use std::sync::Arc;
use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator};
use lamina::clock::{Clock as _, ManualClock};
use lamina::jobs::{JobId, Phase, UnixMs};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Setup, TestApp, Way, emulator_with, held_emulator, picture, png_base64, until,
};

const START: UnixMs = UnixMs(1_795_356_717_000);
const HOUR: i64 = 3_600_000;
const STEPS: [i64; 4] = [HOUR, -HOUR, 24 * HOUR, -24 * HOUR];

fn setup(way: Way, clock: &ManualClock) -> Setup {
    let mut setup = Setup::new(way);
    setup.clock = Arc::new(clock.clone());
    setup
}

fn body() -> Value {
    json!({ "image_base64": png_base64(&picture(64, 48)) })
}

/// Time passes, as it does, until the job has ended.
async fn ends(app: &TestApp, clock: &ManualClock, id: &str) -> Value {
    until("a finished job", || async {
        clock.advance(Duration::from_millis(250));
        app.store.signal().due.notify_one();
        let job = app.job(id).await;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_while_the_engine_runs_ends_no_run_and_delays_none() {
    for step in STEPS {
        let clock = ManualClock::at(START);
        let emulator = held_emulator().await;
        let app = TestApp::start_with(setup(Way::FalPolling, &clock), Some(&emulator)).await;
        let before = app.create(&body()).await;
        let submitted = emulator.wait_for_submissions(1).await;
        clock.step(step);
        let after = app.create(&body()).await;
        emulator.set_hold(false);
        emulator.complete(&submitted[0].request_id).await;
        for id in [before, after] {
            let job = ends(&app, &clock, &id).await;
            assert_eq!(job["status"], "completed", "{step}: {job}");
        }
        assert_eq!(emulator.billable_units(), 2, "{step}");
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_during_the_paid_call_leaves_it_answered_and_paid_once() {
    for step in STEPS {
        let clock = ManualClock::at(START);
        let emulator = emulator_with(EmulatorConfig::default()).await;
        emulator.script(fal_emulator::Fault::SubmitHeld);
        let app = TestApp::start_with(setup(Way::FalPolling, &clock), Some(&emulator)).await;
        let id = app.create(&body()).await;
        let submitted = emulator.wait_for_submissions(1).await;
        clock.step(step);
        emulator.release(&submitted[0].request_id);
        let job = ends(&app, &clock, &id).await;
        assert_eq!(job["status"], "completed", "{step}: {job}");
        assert_eq!(emulator.billable_units(), 1, "{step}");
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_between_two_processes_ends_no_run_and_delays_none() {
    // Within the job's day: how long nothing ran is not known, so that after it the job is not shown.
    for step in STEPS.map(|step| step.min(23 * HOUR)) {
        let clock = ManualClock::at(START);
        let emulator = held_emulator().await;
        let app = TestApp::start_with(setup(Way::FalPolling, &clock), Some(&emulator)).await;
        let id = app.create(&body()).await;
        let submitted = emulator.wait_for_submissions(1).await;
        until("the answer to be written", || async {
            (app.job(&id).await["status"] == "processing").then_some(())
        })
        .await;
        let folder = app.stop().await;

        // A new process takes its time from the clock as it finds it.
        let clock = ManualClock::at(UnixMs(clock.wall().0 + step));
        let app = TestApp::start_in(folder, setup(Way::FalPolling, &clock), Some(&emulator)).await;
        // Asked once while it runs: its time is not over.
        clock.advance(Duration::from_secs(3));
        app.store.signal().due.notify_one();
        assert_eq!(app.job(&id).await["status"], "processing", "{step}");
        emulator.complete(&submitted[0].request_id).await;
        let job = ends(&app, &clock, &id).await;
        assert_eq!(job["status"], "completed", "{step}: {job}");
        assert_eq!(emulator.billable_units(), 1, "{step}");
        app.stop().await;
        emulator.stop().await;
    }
}

/// Sweeps, and asks for the job.
async fn swept(app: &TestApp, id: &str) -> StatusCode {
    for _ in 0..3 {
        app.store.signal().erase.notify_one();
        tokio::task::yield_now().await;
        app.store.ping().await.unwrap();
    }
    let answer = app.get(&format!("/api/jobs/{id}")).send().await.unwrap();
    answer.status()
}

async fn finished(app: &TestApp, clock: &ManualClock, _none: Option<&Emulator>) -> String {
    let id = app.create(&body()).await;
    assert_eq!(ends(app, clock, &id).await["status"], "completed");
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_a_day_ahead_erases_nothing_until_it_has_run_on() {
    let clock = ManualClock::at(START);
    let app = TestApp::start_with(setup(Way::Local, &clock), None).await;
    let id = finished(&app, &clock, None).await;
    clock.step(25 * HOUR);
    assert_eq!(swept(&app, &id).await, StatusCode::OK);
    assert!(app.scrape().await.contains("lamina_expiry_held 1"));
    // A start does not confirm it.
    let folder = app.stop().await;
    let clock = ManualClock::at(clock.wall());
    let app = TestApp::start_in(folder, setup(Way::Local, &clock), None).await;
    // How long nothing ran is not known, so it is not shown any more; it is not erased either.
    let job: JobId = id.parse().unwrap();
    assert_eq!(swept(&app, &id).await, StatusCode::GONE);
    let phase = app.store.job_phase(job).await.unwrap();
    assert_eq!(phase, Some(Phase::Completed));
    clock.advance(Duration::from_secs(3601));
    until("the job to expire", || async {
        swept(&app, &id).await;
        let phase = app.store.job_phase(job).await.unwrap();
        (phase == Some(Phase::Expired)).then_some(())
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leap_that_was_taken_back_left_nothing_behind() {
    let clock = ManualClock::at(START);
    let app = TestApp::start_with(setup(Way::Local, &clock), None).await;
    let id = finished(&app, &clock, None).await;
    clock.step(25 * HOUR);
    assert_eq!(swept(&app, &id).await, StatusCode::OK);
    clock.step(-25 * HOUR);
    assert_eq!(swept(&app, &id).await, StatusCode::OK);
    let told = app.scrape().await;
    assert!(told.contains("lamina_expiry_held 0"));
    assert!(
        told.contains("lamina_clock_steps_total{direction=\"forward\"} 1"),
        "{told}"
    );
    assert!(told.contains("lamina_clock_steps_total{direction=\"back\"} 1"));
    // Its day is over when a day has passed.
    clock.advance(Duration::from_secs(25 * 3600));
    until("the job to expire", || async {
        (swept(&app, &id).await == StatusCode::GONE).then_some(())
    })
    .await;
    app.stop().await;
}
