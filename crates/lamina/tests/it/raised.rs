//! Layers at the picture's own size: what a model gives at 640 pixels is raised, shows the picture where it is seen, and put over each
//! other is the picture again.

use fal_emulator::{Config as EmulatorConfig, LayerSource};
use image::RgbaImage;
use lamina::store::KeptKind;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    TestApp, Way, composite, emulator_with, json_of, largest_difference, picture, png_base64, until,
};

async fn pictures(app: &TestApp, job: &Value, field: &str) -> Vec<RgbaImage> {
    let mut pictures = Vec::new();
    for layer in job["layers"].as_array().unwrap() {
        let link = layer[field].as_str().unwrap();
        let answer = app.client.get(link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "image/png");
        let bytes = answer.bytes().await.unwrap();
        pictures.push(image::load_from_memory(&bytes).unwrap().into_rgba8());
    }
    pictures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_of_a_model_come_as_large_as_the_picture_and_are_the_picture_again() {
    let emulator = emulator_with(EmulatorConfig {
        layers: LayerSource::Layerize,
        ..EmulatorConfig::default()
    })
    .await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let source = picture(1200, 900);
    let fields =
        json!({ "image_base64": png_base64(&source), "num_layers": 2, "resolution": "source" });
    let job = app.split(fields).await;
    assert_eq!(
        (&job["status"], &job["resolution"]),
        (&json!("completed"), &json!("source")),
        "{job}"
    );
    let layers = pictures(&app, &job, "url").await;
    assert_eq!(layers[0].dimensions(), (1200, 900));
    assert_eq!(largest_difference(&composite(&layers), &source), 0);
    // The disc is a layer of its own, and below it nothing is seen.
    let masks = pictures(&app, &job, "fidelity_url").await;
    let (ground, middle) = (masks[0].get_pixel(5, 5)[0], masks[0].get_pixel(600, 450)[0]);
    assert_eq!(
        (ground, middle, masks[1].get_pixel(600, 450)[0]),
        (255, 0, 255)
    );
    for layer in job["layers"].as_array().unwrap() {
        assert_eq!(
            (&layer["width"], &layer["height"]),
            (&json!(1200), &json!(900))
        );
    }
    let id = job["job_id"].as_str().unwrap();
    kept_with_its_masks(&app, id, &job).await;
    let mask = job["layers"][0]["fidelity_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let deleted = app
        .client
        .delete(format!("{}/api/jobs/{id}", app.base))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let gone = app.client.get(&mask).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::GONE);
    app.stop().await;
}

/// Its layers' bytes and its masks' count as layers; and what raising showed of its progress is the most that was shown.
async fn kept_with_its_masks(app: &TestApp, id: &str, job: &Value) {
    let files = std::fs::read_dir(app.folder.path().join("blobs/jobs").join(id)).unwrap();
    let files: Vec<(String, u64)> = files
        .map(|file| file.unwrap())
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, file.metadata().unwrap().len())
        })
        .collect();
    let bytes = |kind: &str| -> u64 {
        let found = files.iter().filter(|(name, _)| name.starts_with(kind));
        found.map(|(_, bytes)| bytes).sum()
    };
    let listed = job["layers"].as_array().unwrap().iter();
    let listed: u64 = listed.map(|layer| layer["bytes"].as_u64().unwrap()).sum();
    assert_eq!(bytes("layer_"), listed);
    assert!(bytes("fidelity_") > 0, "{files:?}");
    let usage = app.store.storage_usage(0).await.unwrap();
    assert_eq!(usage.of(KeptKind::Layer), listed + bytes("fidelity_"));
    let database = rusqlite::Connection::open(app.folder.path().join("lamina.db")).unwrap();
    let row = "select progress_floor from jobs where id = ?1";
    let shown: f64 = database.query_row(row, [id], |row| row.get(0)).unwrap();
    assert!((0.95..1.0).contains(&shown), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_ends_the_raising_and_nothing_stays() {
    let emulator = emulator_with(EmulatorConfig {
        layers: LayerSource::Layerize,
        ..EmulatorConfig::default()
    })
    .await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let large = png_base64(&picture(3600, 2700));
    let id = app
        .create(&json!({ "image_base64": large, "resolution": "source" }))
        .await;
    let url = format!("{}/api/jobs/{id}", app.base);
    // Past what is shown of a job that collects: it is being raised, or was.
    until("the raising", || async {
        let job = json_of(app.client.get(&url).send().await.unwrap()).await;
        (job["progress"].as_f64().unwrap() > 0.951).then_some(())
    })
    .await;
    let deleted = app.client.delete(&url).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let folder = app.folder.path().join("blobs/jobs").join(&id);
    until("its files' end", || async {
        (!folder.exists()).then_some(())
    })
    .await;
    // The pool is free again, and a layer that was about to be written did not come back.
    let next = app
        .split(json!({ "image_base64": png_base64(&picture(900, 700)), "resolution": "source" }))
        .await;
    assert_eq!(next["status"], "completed", "{next}");
    assert!(!folder.exists());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_smaller_than_what_a_model_works_on_has_layers_of_its_size_too() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    // Narrower than the model's canvas, and as high as it is wide elsewhere.
    for (width, height) in [(64, 48), (90, 900)] {
        let source = picture(width, height);
        let fields = json!({ "image_base64": png_base64(&source), "resolution": "source" });
        let job = app.split(fields).await;
        let layers = pictures(&app, &job, "url").await;
        assert_eq!(layers[0].dimensions(), (width, height), "{job}");
        assert_eq!(largest_difference(&composite(&layers), &source), 0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engines_layers_are_as_large_already_and_without_the_wish_nothing_changes() {
    let emulator = emulator_with(EmulatorConfig::default()).await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    let own = app
        .split(json!({ "engine": "local", "resolution": "source" }))
        .await;
    let plain = app
        .split(json!({ "image_base64": png_base64(&picture(1200, 900)) }))
        .await;
    assert_eq!(
        (&own["resolution"], &plain["resolution"]),
        (&json!("source"), &json!("engine"))
    );
    assert_eq!(own["layers"][0]["width"], 64);
    assert!(plain["layers"][0]["width"].as_u64().unwrap() < 1200);
    for layer in [&own["layers"][0], &plain["layers"][0]] {
        assert_eq!(layer["fidelity_url"], Value::Null);
    }
    app.stop().await;
}
