//! QUALITY_RETRY: a stack that gives its picture back poorly has one second run, which is paid for within the caps; the better stack stays, and
//! no end of the second run, and no kill, costs the first one. EMPTY_LAYERS and LAYER_CHECK beside it.

use std::collections::BTreeSet;
use std::sync::Arc;

use fal_emulator::{Config as EmulatorConfig, Emulator, Fault, LayerSource};
use lamina::clock::ManualClock;
use lamina::jobs::UnixMs;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Leaps, Process, Setup, TestApp, Way, composite, emulator_with, fal_options, json_of, kept_port,
    picture, png_base64, shared_clock, until,
};

/// An emulator whose layers give their picture back, but where a test says otherwise.
async fn able() -> Emulator {
    emulator_with(EmulatorConfig {
        layers: LayerSource::Layerize,
        concurrency: None,
        ..EmulatorConfig::default()
    })
    .await
}

fn setup() -> Setup {
    Setup::new(Way::FalPolling).with("QUALITY_RETRY", "25")
}

fn body(prompt: &str) -> Value {
    let image = png_base64(&picture(64, 48));
    json!({ "image_base64": image, "num_layers": 2, "prompt": prompt, "seed": u64::MAX })
}

/// The job's folder holds what its layers name and, of layers, nothing else.
async fn only_named_are_stored(app: &TestApp, job: &Value) {
    let folder = app
        .folder
        .path()
        .join("blobs/jobs")
        .join(job["job_id"].as_str().unwrap());
    let layers = job["layers"].as_array().unwrap().iter();
    let named: BTreeSet<String> = layers
        .map(|layer| {
            let path = layer["url"].as_str().unwrap().split('?').next().unwrap();
            path.rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    until("the files of one stack", || async {
        let names = std::fs::read_dir(&folder).unwrap();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        // Thumbnails have more than one dot.
        let layers =
            names.filter(|name| name.starts_with("layer_") && name.matches('.').count() == 1);
        (layers.collect::<BTreeSet<_>>() == named).then_some(())
    })
    .await;
}

async fn pictures(app: &TestApp, job: &Value) -> Vec<image::RgbaImage> {
    let mut pictures = Vec::new();
    for layer in job["layers"].as_array().unwrap() {
        let answer = app.client.get(layer["url"].as_str().unwrap()).send().await;
        let bytes = answer.unwrap().bytes().await.unwrap();
        assert_eq!(layer["bytes"], bytes.len());
        pictures.push(image::load_from_memory(&bytes).unwrap().into_rgba8());
    }
    pictures
}

/// In millionths of a dollar, as the ledger has it.
fn spent(app: &TestApp) -> i64 {
    let database = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let sum = "select coalesce(sum(microusd), 0) from spending";
    database.query_row(sum, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poor_stack_is_tried_once_more_with_another_seed_and_the_better_one_stays() {
    let emulator = able().await;
    let app = TestApp::start_with(setup(), Some(&emulator)).await;
    emulator.script_once_for_prompt("one", Fault::WrongPicture);
    let id = app.create(&body("one")).await;
    let job = app.finished(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["quality"]["second_try"], "took_second", "{job}");
    // Rounded at every layer, and scaled to the model's size.
    let layers = pictures(&app, &job).await;
    assert_eq!(composite(&layers).dimensions(), layers[0].dimensions());
    assert!(
        job["quality"]["psnr_db"]
            .as_f64()
            .is_none_or(|db| db > 25.0),
        "{job}"
    );
    let orders: Vec<&Value> = job["layers"].as_array().unwrap().iter().collect();
    for (place, layer) in orders.into_iter().enumerate() {
        assert_eq!(
            (&layer["order"], &layer["id"]),
            (&json!(place), &json!(format!("layer_{place}")))
        );
        let small = layer["thumbnail_url"].as_str().unwrap();
        let answer = app.client.get(small).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let seeds: Vec<Value> = emulator
        .requests()
        .iter()
        .map(|run| run.input["seed"].clone())
        .collect();
    assert_eq!(seeds, [json!(u64::MAX), json!(0)]);
    assert_eq!(emulator.billable_units(), 2);
    assert_eq!(spent(&app), 100_000);
    let counted = "lamina_second_tries_total{outcome=\"took_second\"} 1\n";
    assert!(app.scrape().await.contains(counted));
    // The first stack's files go, if not at once.
    only_named_are_stored(&app, &job).await;
    // A plain picture costs one run.
    let plain = app.finished(&app.create(&body("plain")).await).await;
    assert_eq!(plain["quality"]["second_try"], Value::Null);
    assert_eq!(emulator.billable_units(), 3);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_stack_that_is_no_better_goes_and_a_picture_is_run_no_third_time() {
    let emulator = able().await;
    let app = TestApp::start_with(setup(), Some(&emulator)).await;
    emulator.script_for_prompt("always", Fault::WrongPicture);
    let job = app.finished(&app.create(&body("always")).await).await;
    assert_eq!(job["quality"]["second_try"], "kept_first", "{job}");
    assert_eq!((emulator.billable_units(), spent(&app)), (2, 100_000));
    only_named_are_stored(&app, &job).await;
    assert!(
        job["layers"][0]["url"]
            .as_str()
            .unwrap()
            .contains("layer_0.")
    );
    // Off, which is the default, a poor stack is told and no more.
    let calm = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let poor = calm.finished(&calm.create(&body("always")).await).await;
    assert_eq!(poor["quality"]["second_try"], Value::Null);
    assert!(poor["quality"]["psnr_db"].as_f64().unwrap() < 25.0);
    assert_eq!(emulator.billable_units(), 3);
    calm.stop().await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caps_on_spending_hold_for_second_runs() {
    let emulator = able().await;
    emulator.script_for_prompt("always", Fault::WrongPicture);
    let capped = setup().with("SPEND_LIMIT_USD_PER_DAY", "0.05");
    let app = TestApp::start_with(capped, Some(&emulator)).await;
    let job = app.finished(&app.create(&body("always")).await).await;
    assert_eq!(
        (&job["status"], &job["quality"]["second_try"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!((emulator.billable_units(), spent(&app)), (1, 50_000));
    app.stop().await;
    emulator.stop().await;
}

/// Whatever fal does wrong in the second run, the job completes with whole layers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_end_of_the_second_run_costs_the_first_stack() {
    for way in [Way::FalPolling, Way::FalWebhooks] {
        let clock = ManualClock::at(UnixMs(1_795_356_717_000));
        // Its layers never show the picture: every first stack is poor.
        let emulator = emulator_with(EmulatorConfig {
            clock: shared_clock(&clock),
            concurrency: None,
            ..EmulatorConfig::default()
        })
        .await;
        let mut setup = Setup::new(way)
            .with("QUALITY_RETRY", "25")
            .with("ENGINE_TIMEOUT", "5s")
            .with("SUBMIT_UNKNOWN_GRACE", "500ms");
        setup.clock = Arc::new(clock.clone());
        setup.tuning.fetch_total = Some(std::time::Duration::from_secs(1));
        let app = TestApp::start_with(setup, Some(&emulator)).await;
        let mut jobs = Vec::new();
        for fault in Fault::all() {
            let prompt = format!("[{}]", fault.name());
            emulator.script_once_for_prompt(&prompt, Fault::Nothing);
            emulator.script_once_for_prompt(&prompt, fault.clone());
            jobs.push((fault, app.create(&body(&prompt)).await));
        }
        let leaps = Leaps::of(&app, &clock);
        while leaps.leap(&app, &emulator).await {}
        let mut wrong = Vec::new();
        for (fault, id) in jobs {
            let job = app.job(&id).await;
            let prompt = format!("[{}]", fault.name());
            let runs = emulator.requests();
            let paid: u64 = runs
                .iter()
                .filter(|run| run.input["prompt"] == prompt)
                .map(|run| run.billed_units)
                .sum();
            let told = job["quality"]["second_try"].is_string();
            if job["status"] != "completed" || !told || !(1..=2).contains(&paid) {
                let told = &job["quality"]["second_try"];
                let code = &job["error_code"];
                wrong.push(format!("{}: {paid} paid, {code}, {told}", fault.name()));
                continue;
            }
            pictures(&app, &job).await;
            only_named_are_stored(&app, &job).await;
        }
        assert!(wrong.is_empty(), "{way:?}:\n{}", wrong.join("\n"));
        app.stop().await;
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_in_the_second_run_ends_it_and_leaves_nothing() {
    let emulator = emulator_with(EmulatorConfig {
        layers: LayerSource::Layerize,
        hold: true,
        ..EmulatorConfig::default()
    })
    .await;
    let app = TestApp::start_with(setup(), Some(&emulator)).await;
    emulator.script_once_for_prompt("one", Fault::WrongPicture);
    let id = app.create(&body("one")).await;
    let first = emulator.wait_for_submissions(1).await.remove(0);
    emulator.complete(&first.request_id).await;
    let second = emulator.wait_for_submissions(2).await.remove(1);
    let job = app.job(&id).await;
    assert_eq!(
        (&job["status"], &job["layers"]),
        (&json!("processing"), &Value::Null)
    );
    assert_eq!(job["quality"], Value::Null);
    // The first stack is there, and nobody's yet.
    let folder = app.folder.path().join("blobs/jobs").join(&id);
    assert!(folder.join("layer_0.png").exists());
    let url = format!("{}/api/jobs/{id}", app.base);
    assert_eq!(
        app.client.delete(&url).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    until("the cancelled run", || async {
        emulator
            .cancelled()
            .contains(&second.request_id)
            .then_some(())
    })
    .await;
    until("the end of its files", || async {
        (!folder.exists()).then_some(())
    })
    .await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_around_the_second_run_pays_twice_and_no_more() {
    for point in [
        "before_write_submit",
        "after_write_submit",
        "before_write_completed",
        "after_write_completed",
    ] {
        let emulator = able().await;
        emulator.script_once_for_prompt("one", Fault::WrongPicture);
        let folder = tempfile::tempdir().unwrap();
        let (port, database) = (kept_port().to_string(), folder.path().join("lamina.db"));
        let database = database.display().to_string();
        let fal = fal_options(&emulator);
        let mut options: Vec<(&str, &str)> = vec![
            ("DATABASE_PATH", &database),
            ("PORT", &port),
            ("FETCH_ALLOW_HTTP", "true"),
            ("FETCH_ALLOW_NETS", "127.0.0.0/8"),
            ("QUALITY_RETRY", "25"),
        ];
        options.extend(fal.iter().map(|(name, value)| (*name, value.as_str())));
        options.push(("LAMINA_TEST_CRASH_POINT", point));
        let first = Process::start(&options).await;
        let client = reqwest::Client::new();
        let created = client
            .post(format!("{}/api/jobs", first.base))
            .json(&body("one"));
        let created = json_of(created.send().await.unwrap()).await;
        let (status, said) = first.ended().await;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "{point}: {said}");
        options.pop();
        let second = Process::start(&options).await;
        let url = format!(
            "{}/api/jobs/{}",
            second.base,
            created["job_id"].as_str().unwrap()
        );
        let job = until("the job's end", || async {
            let job = json_of(client.get(&url).send().await.unwrap()).await;
            (job["status"] == "completed" || job["status"] == "failed").then_some(job)
        })
        .await;
        assert_eq!(
            job["quality"]["second_try"], "took_second",
            "{point}: {job}"
        );
        for layer in job["layers"].as_array().unwrap() {
            let answer = client
                .get(layer["url"].as_str().unwrap())
                .send()
                .await
                .unwrap();
            assert_eq!(
                layer["bytes"],
                answer.bytes().await.unwrap().len(),
                "{point}"
            );
        }
        assert_eq!(emulator.billable_units(), 2, "{point}");
        let (status, said) = second.terminate().await;
        assert!(status.success(), "{point}: {said}");
        emulator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_layers_are_told_or_left_out() {
    let emulator = able().await;
    emulator.script_for_prompt("empty", Fault::LayerEmpty);
    let three = json!({
        "image_base64": png_base64(&picture(64, 48)), "num_layers": 3, "prompt": "empty",
    });
    let (mut counts, mut shown) = (Vec::new(), Vec::new());
    for wish in ["keep", "drop"] {
        let setup = Setup::new(Way::FalPolling).with("EMPTY_LAYERS", wish);
        let app = TestApp::start_with(setup, Some(&emulator)).await;
        let job = app.finished(&app.create(&three).await).await;
        let layers = job["layers"].as_array().unwrap();
        let told = job["quality"]["layers"].as_array().unwrap();
        assert_eq!(told.len(), layers.len());
        let empty = told.iter().filter(|layer| layer["empty"] == true).count();
        assert_eq!(empty > 0, wish == "keep", "{job}");
        for (place, layer) in layers.iter().enumerate() {
            assert_eq!(layer["id"], json!(format!("layer_{place}")));
            assert_eq!(told[place]["order"], json!(place));
        }
        counts.push(layers.len() - empty);
        shown.push(composite(&pictures(&app, &job).await));
        only_named_are_stored(&app, &job).await;
        let psd = format!(
            "{}/api/jobs/{}/export/psd",
            app.base,
            job["job_id"].as_str().unwrap()
        );
        let psd = app.client.get(psd).send().await.unwrap();
        assert_eq!(psd.status(), StatusCode::OK);
        app.stop().await;
    }
    assert_eq!(counts[0], counts[1]);
    assert_eq!(shown[0], shown[1]);
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_checksums_are_looked_at_nothing_is_told_of_pixels() {
    let emulator = able().await;
    emulator.script_for_prompt("broken", Fault::LayerNotAnImage);
    for check in ["full", "checksums"] {
        let setup = Setup::new(Way::FalPolling).with("LAYER_CHECK", check);
        let app = TestApp::start_with(setup, Some(&emulator)).await;
        let job = app.finished(&app.create(&body("good")).await).await;
        let is_full = check == "full";
        assert_eq!(job["quality"].is_object(), is_full, "{job}");
        for layer in job["layers"].as_array().unwrap() {
            assert_eq!(layer["thumbhash"].is_string(), is_full);
            if !is_full {
                let whole = json!({
                    "x": 0, "y": 0, "width": layer["width"], "height": layer["height"],
                });
                assert_eq!((&layer["bbox"], &layer["coverage"]), (&whole, &json!(1.0)));
            }
        }
        let broken = app.finished(&app.create(&body("broken")).await).await;
        assert_eq!(broken["error_code"], "engine_bad_layer", "{broken}");
        app.stop().await;
    }
    emulator.stop().await;
}

/// There is one place to collect, and a picture that nobody is asked for twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_is_not_asked_again_for_jobs_that_wait_to_be_collected() {
    let emulator = able().await;
    let mut setup = Setup::new(Way::FalPolling);
    setup.tuning.worker.concurrency[4] = 1;
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let mut jobs = Vec::new();
    for _ in 0..8 {
        jobs.push(app.create(&body("many")).await);
    }
    for job in &jobs {
        assert_eq!(app.finished(job).await["status"], "completed");
    }
    assert_eq!(emulator.counters().result_reads, jobs.len() as u64);
    app.stop().await;
    emulator.stop().await;
}
