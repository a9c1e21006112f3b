//! The model: what it takes, what it refuses, and what it returns.

use std::path::Path;

use fal_emulator::{Config, ImageLimits, LayerSource, SourceCheck};
use image::{DynamicImage, GenericImageView as _};
use serde_json::{Value, json};

use crate::bench::{Bench, image_uri, input, png};

async fn layers(bench: &Bench, result: &Value) -> Vec<DynamicImage> {
    let mut layers = Vec::new();
    for described in result["images"].as_array().expect("images") {
        let url = described["url"].as_str().expect("a URL");
        let answered = bench.client.get(url).send().await.expect("public");
        assert_eq!(answered.status(), 200);
        assert_eq!(
            answered.headers()["content-type"],
            described["content_type"].as_str().expect("a type")
        );
        let bytes = answered.bytes().await.expect("a whole file");
        assert_eq!(described["file_size"], bytes.len());
        let layer = image::load_from_memory(&bytes).expect("an image");
        assert_eq!(described["width"], layer.width());
        assert_eq!(described["height"], layer.height());
        layers.push(layer);
    }
    layers
}

#[tokio::test]
async fn layers_are_full_canvases_of_one_size_bottom_first() {
    let bench = Bench::start().await;
    let mut wanted = json!({"image_url": image_uri(160, 90), "num_layers": 6});
    let (status, result) = bench.finish(&wanted).await;
    assert_eq!(status, 200);
    let found = layers(&bench, &result).await;
    assert_eq!(found.len(), 6);
    for layer in &found {
        assert_eq!(layer.dimensions(), (864, 480));
        assert_eq!(layer.color(), image::ColorType::Rgba8);
    }
    assert!(found[0].pixels().all(|(_, _, pixel)| pixel[3] == 255));
    assert!(found[1].pixels().any(|(_, _, pixel)| pixel[3] == 0));
    assert_ne!(found[1], found[2]);
    assert_eq!(
        result["has_nsfw_concepts"],
        json!([false, false, false, false, false, false])
    );
    assert_eq!(result["prompt"], "");
    assert!(result["timings"]["inference"].is_f64());
    assert!(result["seed"].as_u64().expect("a seed") > i64::MAX as u64);
    let url = result["images"][0]["url"].as_str().expect("a URL");
    let path = url
        .strip_prefix(&bench.emulator.cdn_url())
        .expect("own CDN");
    let parts: Vec<_> = path.split('/').collect();
    assert_eq!(parts[..3], ["", "files", "b"]);
    assert_eq!(parts[3].len(), 8);
    assert_eq!(parts[4], result["images"][0]["file_name"]);

    wanted["output_format"] = "webp".into();
    wanted["seed"] = 7.into();
    wanted["prompt"] = "a card".into();
    let (_, result) = bench.finish(&wanted).await;
    assert_eq!(result["images"][0]["content_type"], "image/webp");
    assert_eq!(layers(&bench, &result).await.len(), 6);
    assert_eq!(result["seed"], 7);
    assert_eq!(result["prompt"], "a card");
}

#[tokio::test]
async fn sync_mode_returns_data_uris() {
    let bench = Bench::start().await;
    let mut wanted = input();
    wanted["sync_mode"] = true.into();
    let (_, result) = bench.finish(&wanted).await;
    let url = result["images"][3]["url"].as_str().expect("a URL");
    assert!(url.starts_with("data:image/png;base64,"));
}

#[tokio::test]
async fn the_embedded_engine_s_layers_rebuild_the_picture() {
    let bench = Bench::with(Config {
        layers: LayerSource::Layerize,
        ..Config::default()
    });
    let bench = bench.await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/images/design_card.png");
    let source = std::fs::read(file).expect("a test image");
    let sent = json!({"content_type": "image/png", "file_name": "card.png"});
    let announced = bench.post("/storage/upload/initiate?storage_type=fal-cdn-v3", &sent);
    let announced: Value = announced.await.json().await.expect("JSON");
    let put = bench
        .client
        .put(announced["upload_url"].as_str().expect("a URL"));
    let stored = put.body(source.clone()).send().await.expect("an answer");
    assert_eq!(stored.status(), 200);

    let wanted = json!({"image_url": announced["file_url"], "num_layers": 3});
    let (status, result) = bench.finish(&wanted).await;
    assert_eq!(status, 200, "{result}");
    let found = layers(&bench, &result).await;
    assert_eq!(found.len(), 3);
    let (width, height) = found[0].dimensions();
    let mut stack = found[0].to_rgba8();
    for layer in &found[1..] {
        assert_eq!(layer.dimensions(), (width, height));
        image::imageops::overlay(&mut stack, layer, 0, 0);
    }
    let source = image::load_from_memory(&source)
        .expect("an image")
        .to_rgba8();
    let scaled = image::imageops::resize(
        &source,
        width,
        height,
        image::imageops::FilterType::Triangle,
    );
    let worst = stack
        .iter()
        .zip(scaled.iter())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(worst.expect("pixels") <= 2, "{worst:?}");
}

#[tokio::test]
async fn sources_are_refused_in_the_model_s_own_words() {
    let bench = Bench::with(Config {
        image_limits: ImageLimits {
            min_side: 32,
            max_side: 256,
            max_bytes: 40_000,
        },
        ..Config::default()
    });
    let bench = bench.await;
    let data = |bytes: &[u8]| {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!("data:image/png;base64,{payload}")
    };
    let half = &png(96, 64)[..60];
    let nowhere = format!("{}/files/b/00000000/none.png", bench.emulator.url());
    for (source, kind, context) in [
        (nowhere, "file_download_error", Value::Null),
        (
            "http://127.0.0.1:1/a.png".into(),
            "file_download_error",
            Value::Null,
        ),
        (
            "ftp://127.0.0.1/a.png".into(),
            "file_download_error",
            Value::Null,
        ),
        (
            "data:image/png;base64,@@@".into(),
            "file_download_error",
            Value::Null,
        ),
        (data(b"hello"), "image_load_error", Value::Null),
        (data(half), "image_load_error", Value::Null),
        (
            image_uri(31, 64),
            "image_too_small",
            json!({"min_height": 32, "min_width": 32}),
        ),
        (
            image_uri(257, 64),
            "image_too_large",
            json!({"max_height": 256, "max_width": 256}),
        ),
        (
            data(&[1; 50_000]),
            "file_too_large",
            json!({"max_size": 40_000}),
        ),
    ] {
        let (status, result) = bench.finish(&json!({"image_url": source})).await;
        assert_eq!(status, 422);
        let item = &result["detail"][0];
        assert_eq!(item["type"], kind);
        assert_eq!(item["loc"], json!(["body", "image_url"]));
        assert_eq!(item["url"], format!("https://docs.fal.ai/errors/#{kind}"));
        assert_eq!(item.get("ctx").unwrap_or(&Value::Null), &context);
    }
    assert_eq!(bench.emulator.billable_units(), 0);
}

#[tokio::test]
async fn a_benchmark_may_skip_the_source() {
    let bench = Bench::with(Config {
        source_check: SourceCheck::Skip,
        ..Config::default()
    });
    let bench = bench.await;
    let (status, result) = bench
        .finish(&json!({"image_url": "http://127.0.0.1:1/none"}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(layers(&bench, &result).await[0].dimensions(), (640, 640));
}

#[tokio::test]
async fn synthetic_layers_are_as_heavy_as_asked_for() {
    let heavy = Config {
        source_check: SourceCheck::Skip,
        layer_bytes: Some(375_000),
        ..Config::default()
    };
    let bench = Bench::with(heavy).await;
    let (status, result) = bench.finish(&input()).await;
    assert_eq!(status, 200);
    for described in result["images"].as_array().expect("images") {
        let bytes = described["file_size"].as_u64().expect("a size");
        assert!((330_000..=420_000).contains(&bytes), "{bytes} bytes");
    }
    let found = layers(&bench, &result).await;
    assert!(found[1].pixels().any(|(_, _, pixel)| pixel[3] == 0));
    let (_, again) = bench.finish(&input()).await;
    let sizes = |result: &Value| -> Vec<Value> {
        let images = result["images"].as_array().expect("images");
        images.iter().map(|one| one["file_size"].clone()).collect()
    };
    assert_eq!(sizes(&result), sizes(&again));
}
