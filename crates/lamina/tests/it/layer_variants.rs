//! Thumbnails and other variants of layers by a running service: the same over a folder and a bucket, made once, kept over a restart, gone
//! with their job.

use image::RgbaImage;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Setup, TestApp, Way, files, left_out};

async fn opened(app: &TestApp, url: &str) -> (Vec<u8>, RgbaImage) {
    let answer = app.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    let bytes = answer.bytes().await.unwrap().to_vec();
    let image = image::load_from_memory(&bytes).unwrap().to_rgba8();
    (bytes, image)
}

/// The same to the library that defines the format, by its program; pixels that nothing is seen of are free.
fn by_libwebp(file: &[u8], image: &RgbaImage) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("layer.webp"), file).unwrap();
    let decoded = std::process::Command::new("dwebp")
        .args(["-quiet", "-pam", "layer.webp", "-o", "layer.pam"])
        .current_dir(folder.path())
        .status();
    let Ok(status) = decoded else {
        return left_out("WebP by dwebp, which is not installed");
    };
    assert!(status.success());
    let pam = std::fs::read(path("layer.pam")).unwrap();
    let end = b"ENDHDR\n";
    let header = pam
        .windows(end.len())
        .position(|window| window == end)
        .unwrap();
    let found = pam[header + end.len()..].as_chunks::<4>().0;
    let wanted = image.as_raw().as_chunks::<4>().0;
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            found == wanted || (found[3], wanted[3]) == (0, 0),
            "{found:?} {wanted:?}"
        );
    }
}

/// Every layer of a job in each of its variants, against `layers` as they are stored. Lamina serves them, wherever the layers are.
pub(crate) async fn are_those_of(app: &TestApp, job: &Value, layers: &[RgbaImage]) {
    for (layer, image) in job["layers"].as_array().unwrap().iter().zip(layers) {
        let link = |query: &str| format!("{}{query}", layer["variants_url"].as_str().unwrap());
        assert!(link("").starts_with(&app.base));
        assert!(layer["thumbhash"].as_str().unwrap().len() >= 8);
        let (file, thumbnail) = opened(app, layer["thumbnail_url"].as_str().unwrap()).await;
        assert_eq!(&file[8..12], b"WEBP");
        let scale = f64::from(image.width().max(image.height())) / 256.0;
        let scaled = |side: u32| (f64::from(side) / scale.max(1.0)).round() as u32;
        assert_eq!(
            thumbnail.dimensions(),
            (scaled(image.width()), scaled(image.height()))
        );
        let (file, whole) = opened(app, &link("&format=webp")).await;
        assert!(whole == *image, "without loss");
        by_libwebp(&file, image);
        let (_, trimmed) = opened(app, &link("&trim=1")).await;
        let side = |name: &str| u32::try_from(layer["bbox"][name].as_u64().unwrap_or(0)).unwrap();
        let (x, y, width, height) = (side("x"), side("y"), side("width"), side("height"));
        let cut = image::imageops::crop_imm(image, x, y, width.max(1), height.max(1)).to_image();
        assert!(trimmed == cut, "the pixels of its box");
        let (_, small) = opened(app, &link("&width=32")).await;
        assert_eq!(small.width(), image.width().min(128));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_are_made_once_and_kept_over_a_restart() {
    let setup = || Setup::new(Way::Local).with("PUBLIC_URL", "http://lamina.example");
    let app = TestApp::start_with(setup(), None).await;
    let job = app.split(json!({})).await;
    let id = job["job_id"].as_str().unwrap().to_owned();
    let here = |app: &TestApp, name: &str| {
        let url = job["layers"][0][name].as_str().unwrap();
        url.replace("http://lamina.example", &app.base)
    };
    let urls = [
        here(&app, "thumbnail_url"),
        format!("{}&trim=1&format=webp", here(&app, "variants_url")),
    ];
    let mut before = Vec::new();
    for url in urls {
        let many = (0..8).map(|_| opened(&app, &url));
        let all = futures_util::future::join_all(many).await;
        assert!(all.iter().all(|one| one.0 == all[0].0));
        before.push(all.into_iter().next().unwrap().0);
    }
    let made = "lamina_layer_variants_total{outcome=\"made\"} 2\n";
    assert!(app.scrape().await.contains(made));
    let folder = app.stop().await;
    let app = TestApp::start_in(folder, setup(), None).await;
    let urls = [
        here(&app, "thumbnail_url"),
        format!("{}&trim=1&format=webp", here(&app, "variants_url")),
    ];
    for (url, before) in urls.iter().zip(&before) {
        assert!(opened(&app, url).await.0 == *before);
    }
    let text = app.scrape().await;
    assert!(text.contains("lamina_layer_variants_total{outcome=\"made\"} 0\n"));
    assert!(text.contains("lamina_layer_variants_total{outcome=\"found\"} 2\n"));
    let deleted = app.client.delete(format!("{}/api/jobs/{id}", app.base));
    assert_eq!(
        deleted.send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    let kept = app.folder.path().join("blobs/jobs").join(&id);
    crate::support::until("the variants to go", || async {
        files(&kept).is_empty().then_some(())
    })
    .await;
    for url in urls {
        let answer = app.client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::GONE);
    }
    crate::support::until("nothing to be counted", || async {
        let text = app.scrape().await;
        text.contains("lamina_stored_bytes{kind=\"layer\"} 0\n")
            .then_some(())
    })
    .await;
    app.stop().await;
}
