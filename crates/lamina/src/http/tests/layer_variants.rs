//! Other variants of layers by their links: what is sent, what is kept, what is refused.

use super::exports::completed;
use super::*;
use crate::access::StorageCaps;
use crate::jobs::{LayerVariant, VariantSize};
use crate::store::{JobStore as _, KeptBytes as _, KeptKind};

/// Layer 1 of the tests' jobs is clear but for three by four pixels.
fn layer_of(id: JobId) -> BlobKey {
    BlobKey::Layer(id, 1, MediaType::Png)
}

fn shown(answer: &Answer) -> image::RgbaImage {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    image::load_from_memory(&answer.body).unwrap().to_rgba8()
}

impl TestServer {
    async fn kept_of_layers(&self) -> u64 {
        let usage = self.store.storage_usage(0).await.unwrap();
        usage.of(KeptKind::Layer)
    }

    async fn variants_there(&self) -> Vec<BlobKey> {
        let (keys, _) = self.blobs.keys().await.unwrap();
        let variants = keys.into_iter().map(|(key, _)| key);
        variants
            .filter(|key| matches!(key, BlobKey::Variant(..)))
            .collect()
    }

    fn counted(&self, outcome: &str) -> String {
        let text = self.metrics.text();
        let line = format!("lamina_layer_variants_total{{outcome=\"{outcome}\"}} ");
        let found = text.lines().find_map(|known| known.strip_prefix(&line));
        found.unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_link_of_a_layer_gives_it_trimmed_smaller_and_as_webp() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let link = server.link(&layer_of(id));
    for (query, size, kind, name) in [
        ("trim=1", (3, 4), "image/png", "layer_1.trim.whole.png"),
        (
            "trim=1&format=webp",
            (3, 4),
            "image/webp",
            "layer_1.trim.whole.webp",
        ),
        ("width=300", (512, 384), "image/png", "layer_1.w512.png"),
        (
            "format=webp&width=100",
            (128, 96),
            "image/webp",
            "layer_1.w128.webp",
        ),
        (
            "width=512&cache=7",
            (512, 384),
            "image/png",
            "layer_1.w512.png",
        ),
        // Never larger, and what would be the layer itself is.
        ("width=5000", (640, 480), "image/png", "layer_1.png"),
        ("trim=0&format=png", (640, 480), "image/png", "layer_1.png"),
        (
            "width=5000&trim=1",
            (3, 4),
            "image/png",
            "layer_1.trim.whole.png",
        ),
    ] {
        let answer = server.get(&format!("{link}&{query}")).await;
        let picture = shown(&answer);
        assert_eq!(picture.dimensions(), size, "{query}");
        assert_eq!(answer.header("content-type"), kind, "{query}");
        let disposition = format!("inline; filename=\"{name}\"");
        assert_eq!(answer.header("content-disposition"), disposition, "{query}");
        assert_eq!(
            answer.header("cache-control"),
            "private, max-age=86400, immutable"
        );
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let mut middle = picture.pixels().filter(|pixel| pixel[3] == 255);
        if size == (3, 4) {
            assert!(middle.all(|pixel| pixel.0 == [200, 40, 10, 255]));
        }
    }
    assert_eq!(server.counted("made"), "4");
    assert_eq!(server.counted("found"), "2");
    let kept: u64 = server.kept_of_layers().await;
    let mut there = 0;
    for key in server.variants_there().await {
        there += server.blobs.size(&key).await.unwrap().0;
    }
    let layers = 2 * "the bytes of layer 0".len() as u64;
    assert_eq!(kept, layers + there);
}

#[tokio::test]
async fn a_layers_links_are_in_the_job() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let job = server.get(&format!("/api/jobs/{id}")).await.json();
    let layer = &job["layers"][1];
    let path = |name: &str| {
        let url = layer[name].as_str().unwrap();
        url.strip_prefix("http://lamina.test").unwrap().to_owned()
    };
    assert_eq!(path("url"), path("variants_url"));
    let thumbnail = server.get(&path("thumbnail_url")).await;
    assert_eq!(thumbnail.header("content-type"), "image/webp");
    assert_eq!(shown(&thumbnail).dimensions(), (256, 192));
    assert_eq!(shown(&thumbnail).get_pixel(200, 100)[3], 0);
    let trimmed = server
        .get(&format!("{}&trim=1", path("variants_url")))
        .await;
    assert_eq!(shown(&trimmed).dimensions(), (3, 4));
}

#[tokio::test]
async fn parts_tags_and_head_are_answered_as_for_layers() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let link = format!("{}&trim=1", server.link(&layer_of(id)));
    let with = |method: &'static str, name: &'static str, value: String| {
        let request = request(method, &link).header(name, value);
        server.send(request.body(Body::empty()).unwrap())
    };
    let head = with("HEAD", "accept", "*/*".to_owned()).await;
    let whole = server.get(&link).await;
    for name in ["etag", "content-length", "content-type", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert!(head.body.is_empty());
    let part = with("GET", "range", "bytes=1-3".to_owned()).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body, b"PNG"[..]);
    let tag = whole.header("etag").to_owned();
    let same = with("GET", "if-none-match", tag.clone()).await;
    assert_eq!(
        (same.status, same.header("etag")),
        (StatusCode::NOT_MODIFIED, &*tag)
    );
    // The tag of one variant is not that of another.
    let other = server.get(&format!("{link}&format=webp")).await;
    assert_ne!(other.header("etag"), tag);
    assert_ne!(
        server.get(&server.link(&layer_of(id))).await.header("etag"),
        tag
    );
    let outside = with("GET", "range", "bytes=99999-".to_owned()).await;
    assert_eq!(outside.code(), (416, "range_not_satisfiable".to_owned()));
}

#[tokio::test]
async fn who_has_no_link_makes_nothing_and_wrong_values_are_told() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let link = server.link(&layer_of(id));
    for query in [
        "trim=2",
        "format=jpeg",
        "width=0",
        "width=-5",
        "width=1e3",
        "width=20000",
        "width=1&width=2",
    ] {
        let answer = server.get(&format!("{link}&{query}")).await;
        assert_eq!(answer.code(), (422, "invalid_query".to_owned()), "{query}");
        let name = query.split('=').next().unwrap();
        assert_eq!(answer.json()["errors"][0]["pointer"], format!("/{name}"));
    }
    let (signed, _) = link.split_at(link.len() - 2);
    let unsigned = server.get(&format!("{signed}AA&trim=1")).await;
    assert_eq!(unsigned.code(), (403, "link_invalid".to_owned()));
    // A variant has a name below the layer's folder, and a link to it is made by the server alone.
    let small = BlobKey::Variant(
        id,
        1,
        LayerVariant {
            trim: true,
            size: VariantSize::Whole,
            format: MediaType::Png,
        },
    );
    let guessed = link.replace(&layer_of(id).path(), &small.path());
    assert_eq!(
        server.get(&guessed).await.code(),
        (403, "link_invalid".to_owned())
    );
    let of_a_source = server.link(&BlobKey::Source(id, MediaType::Png));
    assert_eq!(
        server.get(&format!("{of_a_source}&width=0")).await.code().1,
        "file_gone"
    );
    assert_eq!(server.variants_there().await, []);
    assert_eq!(server.counted("made"), "0");
}

#[tokio::test]
async fn many_who_ask_at_once_have_it_made_once() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let link = format!("{}&width=256", server.link(&layer_of(id)));
    let asked = (0..24).map(|_| server.get(&link));
    let answers = futures_util::future::join_all(asked).await;
    for answer in &answers {
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(shown(answer).dimensions(), (256, 192));
    }
    assert_eq!(server.counted("made"), "1");
    assert_eq!(server.counted("found"), "23");
}

#[tokio::test]
async fn what_cannot_be_kept_is_made_for_one_answer() {
    let server = TestServer::new();
    let id = completed(&server).await;
    server.store.bound_storage(StorageCaps {
        owner_bytes: Some(1),
        ..StorageCaps::default()
    });
    let before = server.kept_of_layers().await;
    let link = format!("{}&trim=1", server.link(&layer_of(id)));
    for _ in 0..2 {
        assert_eq!(shown(&server.get(&link).await).dimensions(), (3, 4));
    }
    let part = request("GET", &link).header("range", "bytes=1-3");
    let part = server.send(part.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (part.status, &*part.body),
        (StatusCode::PARTIAL_CONTENT, &b"PNG"[..])
    );
    assert_eq!(
        (server.counted("not_kept"), server.counted("made")),
        ("3".into(), "0".into())
    );
    assert_eq!(server.kept_of_layers().await, before);
    assert_eq!(server.variants_there().await, []);
}

#[tokio::test]
async fn variants_end_with_their_job() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let link = format!("{}&trim=1", server.link(&layer_of(id)));
    assert_eq!(server.get(&link).await.status, StatusCode::OK);
    assert_eq!(server.variants_there().await.len(), 1);
    let owner = OwnerId::anonymous();
    server
        .store
        .job_delete(&owner, id, server.clock.now())
        .await
        .unwrap();
    for link in [link.clone(), format!("{link}&format=webp")] {
        assert_eq!(
            server.get(&link).await.code(),
            (410, "file_gone".to_owned())
        );
    }
    server.blobs.erase_job(id).await.unwrap();
    assert_eq!(server.variants_there().await, []);
}

#[tokio::test]
async fn a_layer_whose_file_is_no_picture_is_a_defect_and_nothing_is_kept() {
    let server = TestServer::new();
    let id = server.created().await;
    server.complete(id).await;
    let link = format!("{}&trim=1", server.link(&layer_of(id)));
    assert_eq!(
        server.get(&link).await.code(),
        (500, "internal_error".to_owned())
    );
    assert_eq!(server.variants_there().await, []);
}

#[tokio::test]
async fn a_variant_that_would_take_too_much_memory_is_refused() {
    let server = TestServer::new();
    let id = server.created().await;
    server
        .complete_with(id, |layer| (layer.width, layer.height) = (16_384, 3000))
        .await;
    for (query, refused) in [("format=webp", true), ("format=webp&width=300", false)] {
        let link = format!("{}&{query}", server.link(&layer_of(id)));
        let code = server.get(&link).await.code();
        assert_eq!(
            code == (422, "layer_variant_too_large".to_owned()),
            refused,
            "{query}: {code:?}"
        );
    }
}

/// A thumbnail is what lamina answers, so it is taken; the layer itself makes the better source.
#[tokio::test]
async fn a_thumbnails_link_as_a_source_means_its_layer() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let small = server.link(&BlobKey::Variant(id, 1, LayerVariant::THUMBNAIL));
    let body = format!(r#"{{"image_url":"http://lamina.test{small}"}}"#);
    let created = request("POST", "/api/jobs").header("content-type", "application/json");
    let created = server.send(created.body(body.into()).unwrap()).await;
    assert_eq!(created.status, StatusCode::ACCEPTED, "{:?}", created.body);
    let made: JobId = created.json()["job_id"].as_str().unwrap().parse().unwrap();
    let job = server
        .store
        .job_get(&OwnerId::anonymous(), made)
        .await
        .unwrap();
    let crate::store::Lookup::Found(job) = job else {
        panic!("it was created");
    };
    let source = job.source.unwrap();
    assert_eq!((source.width, source.height), (640, 480));
}
