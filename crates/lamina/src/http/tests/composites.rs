//! What a person arranged, taken home: drawn as one picture, and with its layers.

use image::{DynamicImage, GenericImageView as _, Rgba};

use super::exports::{completed, layer_file};
use super::*;
use crate::exports as formats;

async fn post(server: &TestServer, path: &str, body: &str) -> Answer {
    let request = request("POST", path).header("content-type", "application/json");
    server
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

async fn drawn(server: &TestServer, id: JobId, body: &str) -> DynamicImage {
    let answer = post(server, &format!("/api/jobs/{id}/composite"), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    image::load_from_memory(&answer.body).unwrap()
}

const RED: Rgba<u8> = Rgba([200, 40, 10, 255]);
const CLEAR: Rgba<u8> = Rgba([0, 0, 0, 0]);

#[tokio::test]
async fn layers_are_drawn_where_and_as_strong_as_they_are_put() {
    let server = TestServer::new();
    let id = completed(&server).await;
    // Only layer_1 has a visible pixel: three by four, at 1, 2.
    let as_it_is = drawn(&server, id, "{}").await;
    assert_eq!(as_it_is.dimensions(), (640, 480));
    assert_eq!(
        (as_it_is.get_pixel(1, 2), as_it_is.get_pixel(0, 2)),
        (RED, CLEAR)
    );
    let moved = r#"{"layers":[{"id":"layer_1","dx":10,"dy":-1.2}]}"#;
    let moved = drawn(&server, id, moved).await;
    assert_eq!(
        (moved.get_pixel(11, 1), moved.get_pixel(1, 2)),
        (RED, CLEAR)
    );
    let faded = r#"{"layers":[{"id":"layer_1","opacity":0.5}]}"#;
    let faded = drawn(&server, id, faded).await;
    assert_eq!(faded.get_pixel(1, 2), Rgba([200, 40, 10, 128]));
    for unseen in [
        r#"{"layers":[{"id":"layer_1","visible":false}]}"#,
        r#"{"layers":[]}"#,
    ] {
        assert_eq!(
            drawn(&server, id, unseen).await.get_pixel(1, 2),
            CLEAR,
            "{unseen}"
        );
    }
}

#[tokio::test]
async fn a_ground_a_part_a_size_and_a_format_can_be_chosen() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let blue = r##"{"background":"#0000ff","crop":{"x":1,"y":2,"width":4,"height":2}}"##;
    let blue = drawn(&server, id, blue).await;
    assert_eq!(blue.dimensions(), (4, 2));
    assert_eq!(blue.get_pixel(0, 0), RED);
    assert_eq!(blue.get_pixel(3, 1), Rgba([0, 0, 255, 255]));
    let small = drawn(&server, id, r#"{"max_side":64}"#).await;
    assert_eq!(small.dimensions(), (64, 48));
    for (word, kind, file) in [
        ("png", "image/png", "Card.png"),
        ("webp", "image/webp", "Card.webp"),
        ("jpeg", "image/jpeg", "Card.jpg"),
    ] {
        let path = format!("/api/jobs/{id}/composite?name=Card");
        let answer = post(&server, &path, &format!("{{\"format\":\"{word}\"}}")).await;
        assert_eq!(answer.header("content-type"), kind);
        let name = format!("attachment; filename=\"{file}\"");
        assert_eq!(answer.header("content-disposition"), name);
        let picture = image::load_from_memory(&answer.body).unwrap();
        assert_eq!(picture.dimensions(), (640, 480));
        // A JPEG has no alpha: it is on white.
        let ground = if word == "jpeg" {
            Rgba([255; 4])
        } else {
            CLEAR
        };
        assert_eq!(picture.get_pixel(600, 400), ground, "{word}");
    }
}

#[tokio::test]
async fn layers_are_scaled_around_their_middle_and_within_bounds() {
    let server = TestServer::new();
    let id = completed(&server).await;
    // Three by four at 1, 2 becomes nine by twelve around the same middle, moved onto the canvas.
    let body = r#"{"layers":[{"id":"layer_1","scale":3,"dx":20,"dy":20}]}"#;
    let large = drawn(&server, id, body).await;
    assert_eq!(
        (large.get_pixel(22, 24), large.get_pixel(18, 18)),
        (RED, RED)
    );
    assert_eq!(
        (large.get_pixel(26, 29), large.get_pixel(27, 29)),
        (RED, CLEAR)
    );
    let small = r#"{"layers":[{"id":"layer_1","scale":0.01}]}"#;
    let small = drawn(&server, id, small).await;
    assert_eq!((small.get_pixel(2, 3), small.get_pixel(1, 2)), (RED, CLEAR));
    for format in formats::words() {
        let answer = post(&server, &format!("/api/jobs/{id}/export/{format}"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{format}");
    }
    let other = server.created().await;
    server
        .complete_with(other, |layer| {
            (layer.width, layer.height) = (8000, 8000);
            layer.bbox = Some(BoundingBox {
                x: 0,
                y: 0,
                width: 8000,
                height: 4000,
            });
        })
        .await;
    let body = r#"{"layers":[{"id":"layer_0","scale":0.5},{"id":"layer_1","scale":1.3}]}"#;
    let answer = post(&server, &format!("/api/jobs/{other}/composite"), body).await;
    assert_eq!(answer.code(), (422, "invalid_fields".into()));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/layers/1/scale");
}

#[tokio::test]
async fn every_export_takes_the_same_arrangement() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let body = r##"{"layers":[{"id":"layer_1","dx":5,"dy":6,"opacity":0.4}],"background":"#112233","crop":{"x":2,"y":2,"width":20,"height":10}}"##;
    let answer = post(&server, &format!("/api/jobs/{id}/export/zip"), body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let manifest = &text[text.find("{\n").unwrap()..=text.rfind("\n}").unwrap() + 1];
    let manifest: Value = serde_json::from_str(manifest).unwrap();
    assert_eq!(
        (&manifest["width"], &manifest["height"]),
        (&20.into(), &10.into())
    );
    let nodes = manifest["nodes"].as_array().unwrap();
    assert_eq!((&nodes[0]["name"], nodes.len()), (&"Background".into(), 2));
    assert_eq!(nodes[1]["opacity"], 0.4);
    // The file is the whole canvas's; moved by 5, 6, and seen from 2, 2.
    assert_eq!((&nodes[1]["x"], &nodes[1]["y"]), (&3.into(), &4.into()));
    let file = layer_file();
    assert!(answer.body.windows(file.len()).any(|part| part == file));
    // What a person arranged comes back in the manifest, and makes the same again.
    let recipe = manifest["recipe"].to_string();
    let again = post(&server, &format!("/api/jobs/{id}/export/zip"), &recipe).await;
    assert!(again.body == answer.body, "{recipe}");
    let plain = server.get(&format!("/api/jobs/{id}/export/zip")).await;
    assert!(!String::from_utf8_lossy(&plain.body).contains("\"recipe\""));
    for format in formats::words() {
        let answer = post(&server, &format!("/api/jobs/{id}/export/{format}"), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{format}");
    }
}

#[tokio::test]
async fn an_arrangement_of_what_is_not_there_is_told_field_by_field() {
    let server = TestServer::new();
    let id = completed(&server).await;
    let composite = format!("/api/jobs/{id}/composite");
    let body =
        r#"{"layers":[{"id":"layer_0"},{"id":"layer_7"}],"crop":{"x":639,"width":2,"height":1}}"#;
    let answer = post(&server, &composite, body).await;
    assert_eq!(answer.code(), (422, "invalid_fields".into()));
    let errors = answer.json()["errors"].clone();
    let pointers: Vec<&str> = errors
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    assert_eq!(pointers, ["/layers/1/id", "/crop"]);
    let broken = post(&server, &composite, "{").await;
    assert_eq!(broken.code(), (400, "invalid_json".into()));
    // A file of layers has neither a format nor a size of its own.
    let answer = post(
        &server,
        &format!("/api/jobs/{id}/export/psd"),
        r#"{"format":"png"}"#,
    )
    .await;
    assert_eq!(answer.code(), (422, "invalid_fields".into()));
    let unknown = post(&server, &format!("/api/jobs/{id}/export/xcf"), "{}").await;
    assert_eq!(unknown.code(), (404, "export_format_unknown".into()));
}
