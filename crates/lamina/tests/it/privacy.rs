//! What fal is told to forget, and when.

use std::time::Duration;

use fal_emulator::{Config as EmulatorConfig, Emulator};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    S3, Setup, TestApp, Way, emulator, files, picture, png_base64, png_bytes, until,
};

fn seconds(lifecycle: &str) -> u64 {
    let lifecycle: Value = serde_json::from_str(lifecycle).unwrap();
    lifecycle["expiration_duration_seconds"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fal_is_told_to_store_nothing_and_to_keep_no_file_longer_than_the_job() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling)
        .with("JOB_TTL", "2h")
        .with("ENGINE_TIMEOUT", "10m");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    let submitted = &emulator.requests()[0];
    assert_eq!(submitted.headers["x-fal-store-io"], "0");
    let output = seconds(&submitted.headers["x-fal-object-lifecycle-preference"]);
    assert!((7_000..=7_200).contains(&output), "{output}");
    // What went in is needed as long as a run may take, and nobody can delete it.
    let input = seconds(emulator.uploads()[0].lifecycle.as_ref().unwrap());
    assert_eq!(input, 15 * 60);
    assert!(!submitted.erased, "no key of ADMIN scope was set");
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_lives_shorter_than_a_run_may_take_bounds_the_upload_too() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).with("JOB_TTL", "5m");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    app.split(json!({})).await;
    let input = seconds(emulator.uploads()[0].lifecycle.as_ref().unwrap());
    assert!((200..=300).contains(&input), "{input}");
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_admin_key_fals_copies_go_as_soon_as_the_layers_are_here() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).with("FAL_ADMIN_KEY", &emulator.admin_key());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let job = app.split(json!({})).await;
    until("fal's copies to go", || async {
        emulator.requests()[0].erased.then_some(())
    })
    .await;
    let layer = app.client.get(job["layers"][0]["url"].as_str().unwrap());
    assert_eq!(layer.send().await.unwrap().status(), StatusCode::OK);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_a_job_cancels_its_run_and_has_fal_delete_what_it_left() {
    let config = EmulatorConfig {
        hold: true,
        ..EmulatorConfig::default()
    };
    let emulator = Emulator::start(config).await.unwrap();
    let setup = Setup::new(Way::FalPolling).with("FAL_ADMIN_KEY", &emulator.admin_key());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let body = json!({ "image_base64": png_base64(&picture(64, 48)) });
    let id = app.create(&body).await;
    emulator.wait_for_submissions(1).await;
    until("the acceptance to be written", || async {
        (app.job(&id).await["status"] == "processing").then_some(())
    })
    .await;
    let url = format!("{}/api/jobs/{id}", app.base);
    app.client.delete(url).send().await.unwrap();
    until("the run and its copies to go", || async {
        let request = &emulator.requests()[0];
        (request.cancelled && request.erased).then_some(())
    })
    .await;
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_not_delete_costs_nothing_but_a_line_in_the_log() {
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).with("FAL_ADMIN_KEY", &emulator.key());
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    assert_eq!(app.split(json!({})).await["status"], "completed");
    assert!(!emulator.requests()[0].erased);
    app.stop().await;
    emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_in_a_bucket_reaches_fal_by_a_link_that_ends_with_the_job() {
    let s3 = S3::start().await;
    let emulator = emulator().await;
    let setup = Setup::new(Way::FalPolling).over(&s3).with("JOB_TTL", "2h");
    let app = TestApp::start_with(setup, Some(&emulator)).await;
    let job = app.split(json!({})).await;
    assert_eq!(job["status"], "completed");
    let link = emulator.requests()[0].input["image_url"].clone();
    let link = reqwest::Url::parse(link.as_str().unwrap()).unwrap();
    assert!(link.as_str().starts_with(&s3.endpoint()), "{link}");
    let query: std::collections::BTreeMap<_, _> = link.query_pairs().into_owned().collect();
    let date: jiff::civil::DateTime =
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &query["X-Amz-Date"]).unwrap();
    let begun = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let lives = Duration::from_secs(query["X-Amz-Expires"].parse().unwrap());
    let end: jiff::Timestamp = job["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!((begun + lives).as_second(), end.as_second());
    app.stop().await;
    emulator.stop().await;
}

/// What a phone writes beside a picture; no pixel can look like it.
const PLACE: &[u8] = b"GPSLatitude 52.516275 13.377704";

/// A JPEG and a PNG with the place in every usual corner.
fn tagged() -> [Vec<u8>; 2] {
    let image = image::DynamicImage::from(picture(64, 48)).to_rgb8();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut jpeg = jpeg.into_inner();
    let exif = [b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0".as_slice(), PLACE].concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), PLACE].concat();
    for (marker, body) in [
        (0xE1, exif),
        (0xE1, xmp),
        (0xED, PLACE.into()),
        (0xFE, PLACE.into()),
    ] {
        let length = (body.len() as u16 + 2).to_be_bytes();
        let segment = [[0xFF, marker].as_slice(), &length, &body].concat();
        jpeg.splice(2..2, segment);
    }
    jpeg.extend_from_slice(PLACE);
    let mut png = png_bytes(&picture(64, 48));
    for kind in [b"tEXt", b"eXIf", b"iTXt"] {
        let body = [kind.as_slice(), b"Comment\0", PLACE].concat();
        let crc = body.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1))
            })
        });
        let length = (body.len() as u32 - 4).to_be_bytes();
        png.splice(
            33..33,
            [length.as_slice(), &body, &(!crc).to_be_bytes()].concat(),
        );
    }
    png.extend_from_slice(PLACE);
    [jpeg, png]
}

fn has_place(bytes: &[u8]) -> bool {
    bytes.windows(PLACE.len()).any(|window| window == PLACE)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_picture_was_taken_is_in_no_byte_that_is_stored_or_forwarded() {
    let emulator = emulator().await;
    let app = TestApp::start(Way::FalPolling, Some(&emulator)).await;
    for file in tagged() {
        assert!(has_place(&file));
        let upload = app.client.post(format!("{}/api/upload", app.base));
        let upload = upload.body(file.clone()).send().await.unwrap();
        assert_eq!(upload.status(), StatusCode::CREATED);
        let upload: Value = serde_json::from_str(&upload.text().await.unwrap()).unwrap();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &file);
        for source in [
            json!({ "upload_id": upload["upload_id"] }),
            json!({ "image_base64": base64 }),
        ] {
            let id = app.create(&source).await;
            assert_eq!(app.finished(&id).await["status"], "completed");
        }
    }
    let mut forwarded = 0;
    for request in emulator.requests() {
        let link = request.input["image_url"].as_str().unwrap();
        let answer = app.client.get(link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!has_place(&answer.bytes().await.unwrap()), "{link}");
        forwarded += 1;
    }
    assert_eq!(forwarded, 4);
    let folder = app.stop().await;
    let stored = files(folder.path());
    assert!(stored.len() > 10, "{stored:?}");
    for path in stored {
        assert!(
            !has_place(&std::fs::read(&path).unwrap()),
            "{}",
            path.display()
        );
    }
    emulator.stop().await;
}
