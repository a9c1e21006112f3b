//! Small pictures, which are kept beside their jobs' rows.

use super::*;
use crate::blobs::{BlobError, RowSources};
use crate::store::JobStore as _;

/// The store's sources, as `app/` hands them to the blob store.
#[derive(Debug)]
struct Rows(Arc<dyn Store>);

#[async_trait::async_trait]
impl RowSources for Rows {
    async fn source(&self, job: JobId) -> Result<Option<Bytes>, BlobError> {
        Ok(self.0.source_bytes(job).await.unwrap())
    }
}

fn server() -> TestServer {
    let mut server = TestServer::with(|state| {
        let rows = Arc::new(Rows(Arc::clone(&state.store)));
        state.blobs = state.blobs.clone().with_rows(rows);
    });
    let rows = Arc::new(Rows(Arc::clone(&server.store) as Arc<dyn Store>));
    server.blobs = server.blobs.clone().with_rows(rows);
    server
}

async fn created(server: &TestServer, file: &[u8]) -> JobId {
    let answer = server.post_json(base64_body(file)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
    answer.json()["job_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_small_picture_is_no_file_and_read_like_one() {
    let server = server();
    let file = png(20, 10);
    let id = created(&server, &file).await;
    assert_eq!(server.jobs_with_bytes().await, []);
    let key = BlobKey::Source(id, MediaType::Png);
    assert_eq!(server.blobs.get(&key).await.unwrap(), file);
    assert_eq!(server.blobs.size(&key).await.unwrap().0, file.len() as u64);
    let link = server.link(&key);
    let answer = server.get(&link).await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::OK, file.clone().into())
    );
    let part = request("GET", &link).header("range", "bytes=1-3");
    let part = server.send(part.body(Body::empty()).unwrap()).await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.body, &file[1..4]);
    server.delete(&format!("/api/jobs/{id}")).await;
    assert!(matches!(
        server.blobs.get(&key).await,
        Err(BlobError::Missing(_))
    ));
    assert_eq!(server.get(&link).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn a_large_picture_is_a_file() {
    let server = server();
    let noise = |_| fastrand::u8(..);
    let pixels = RgbaImage::new(200, 200, (0..160_000).map(noise).collect()).unwrap();
    let file = encode_png(&pixels);
    assert!(file.len() > 100_000);
    let id = created(&server, &file).await;
    assert_eq!(server.jobs_with_bytes().await, [id]);
    assert!(server.store.source_bytes(id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_of_a_small_upload_keeps_a_copy_beside_its_row() {
    let server = server();
    let file = png(8, 8);
    let body = request("POST", "/api/upload").header("content-type", "image/png");
    let upload = server
        .send(body.body(file.clone().into()).unwrap())
        .await
        .json();
    let id = upload["upload_id"].as_str().unwrap();
    let answer = server.post_json(format!(r#"{{"upload_id":"{id}"}}"#)).await;
    let job: JobId = answer.json()["job_id"].as_str().unwrap().parse().unwrap();
    server
        .blobs
        .erase_upload(id.parse().unwrap())
        .await
        .unwrap();
    let kept = server.store.source_bytes(job).await.unwrap();
    assert_eq!(kept.unwrap(), file);
}

#[tokio::test]
async fn a_picture_that_its_engine_needs_smaller_is_prepared_first() {
    let server = TestServer::with(|state| {
        state.engines.max_sides.insert(EngineKind::Local, 10);
    });
    for (side, phase) in [(10, Phase::Submit), (11, Phase::Prepare)] {
        created(&server, &png(side, 4)).await;
        assert!(server.claim(phase).await.is_some(), "{side}");
    }
}
