//! Troubled downloads: each fault that concerns a layer's file.

use fal_emulator::Fault;
use reqwest::Response;
use serde_json::Value;

use crate::bench::{Bench, input};

/// Runs one request under `fault` and returns its images.
async fn images(bench: &Bench, fault: Fault) -> Vec<Value> {
    bench.emulator.script(fault);
    let (status, result) = bench.finish(&input()).await;
    assert_eq!(status, 200);
    result["images"].as_array().expect("images").clone()
}

async fn fetch(bench: &Bench, image: &Value) -> Response {
    let url = image["url"].as_str().expect("a URL");
    bench.client.get(url).send().await.expect("an answer")
}

async fn last(bench: &Bench, fault: Fault) -> Response {
    let images = images(bench, fault).await;
    assert_eq!(fetch(bench, &images[0]).await.status(), 200);
    fetch(bench, &images[3]).await
}

#[tokio::test]
async fn a_layer_can_be_missing_or_no_image_or_of_another_size() {
    let bench = Bench::start().await;
    assert_eq!(last(&bench, Fault::LayerNotFound).await.status(), 404);
    let text = last(&bench, Fault::LayerNotAnImage).await;
    assert_eq!(text.headers()["content-type"], "image/png");
    assert!(image::load_from_memory(&text.bytes().await.expect("bytes")).is_err());
    let small = last(&bench, Fault::LayerWrongSize).await;
    let small = image::load_from_memory(&small.bytes().await.expect("bytes")).expect("an image");
    let whole = images(&bench, Fault::Nothing).await;
    assert_eq!(
        u64::from(small.width()) * 2,
        whole[0]["width"].as_u64().expect("a width")
    );
}

#[tokio::test]
async fn a_layer_s_file_can_fail_a_few_times() {
    let bench = Bench::start().await;
    let images = images(&bench, Fault::LayerErrors { times: 2 }).await;
    for expected in [500, 500, 200, 200] {
        assert_eq!(fetch(&bench, &images[3]).await.status(), expected);
    }
}

#[tokio::test]
async fn a_layer_s_file_can_end_too_early() {
    let bench = Bench::start().await;
    let cut = last(&bench, Fault::LayerCut).await;
    assert!(cut.content_length().is_some());
    assert!(cut.bytes().await.is_err());
}

#[tokio::test]
async fn a_layer_s_file_can_be_huge_or_endless() {
    let bench = Bench::start().await;
    let bytes = 3_000_000;
    let declared = last(
        &bench,
        Fault::LayerHuge {
            bytes,
            declared: true,
        },
    )
    .await;
    assert_eq!(declared.content_length(), Some(bytes));
    let silent = last(
        &bench,
        Fault::LayerHuge {
            bytes,
            declared: false,
        },
    )
    .await;
    assert_eq!(silent.content_length(), None);
    let body = silent.bytes().await.expect("bytes");
    assert_eq!(body.len() as u64, bytes);
    assert!(body.starts_with(b"\x89PNG"));

    let mut drips = last(&bench, Fault::LayerDrips).await;
    let first = drips.chunk().await.expect("no break").expect("a chunk");
    assert!(first.starts_with(b"\x89PNG"));
    for _ in 0..3 {
        assert!(drips.chunk().await.expect("no break").is_some());
    }
}

#[tokio::test]
async fn outputs_can_be_odd_in_number_and_shape() {
    let bench = Bench::start().await;
    let count = async |fault| images(&bench, fault).await.len();
    assert_eq!(count(Fault::EmptyImages).await, 0);
    assert_eq!(count(Fault::FewerImages { by: 1 }).await, 3);
    assert_eq!(count(Fault::FewerImages { by: 9 }).await, 1);
    assert_eq!(count(Fault::MoreImages { by: 2 }).await, 6);
    let bare = images(&bench, Fault::MissingFileFields).await;
    assert_eq!(bare[0].as_object().map(|fields| fields.len()), Some(1));
    let inline = images(&bench, Fault::DataUris).await;
    assert!(
        inline[0]["url"]
            .as_str()
            .expect("a URL")
            .starts_with("data:image/png;base64,")
    );

    let extra = images(&bench, Fault::SourceFrameFirst).await;
    assert_eq!(extra.len(), 5);
    let first = fetch(&bench, &extra[0]).await.bytes().await.expect("bytes");
    let first = image::load_from_memory(&first)
        .expect("an image")
        .to_rgba8();
    // The test's image: red grows to the right, blue is 90 everywhere, nothing is transparent.
    assert!(
        first
            .pixels()
            .all(|pixel| pixel[3] == 255 && pixel[2] == 90)
    );
    assert!(first.get_pixel(first.width() - 1, 0)[0] > first.get_pixel(0, 0)[0] + 80);

    bench.emulator.script(Fault::Nsfw);
    let (_, flagged) = bench.finish(&input()).await;
    assert_eq!(flagged["has_nsfw_concepts"][0], true);
    let black = fetch(&bench, &flagged["images"][0])
        .await
        .bytes()
        .await
        .expect("bytes");
    let black = image::load_from_memory(&black).expect("an image").to_rgb8();
    assert!(black.pixels().all(|pixel| pixel.0 == [0, 0, 0]));

    bench.emulator.script(Fault::NullOutput);
    assert_eq!(bench.finish(&input()).await, (200, Value::Null));
}
