//! Bounds on what is kept: every way in is refused beyond them with the code that says which, leaves
//! nothing behind, and is open again when something goes.

use serde_json::json;

use super::*;
use crate::access::{OwnerLimits, StorageCaps};
use crate::store::{ExpiryStore as _, KeptBytes as _, KeptKind, LAYERS_BYTES, OwnerStore as _};

fn bounded(caps: StorageCaps) -> TestServer {
    let server = TestServer::new();
    server.store.bound_storage(caps);
    server
}

fn of_owner(bytes: u64) -> StorageCaps {
    StorageCaps {
        owner_bytes: Some(bytes),
        ..StorageCaps::default()
    }
}

impl TestServer {
    async fn kept(&self, kind: KeptKind) -> u64 {
        self.store.storage_usage(0).await.unwrap().of(kind)
    }

    async fn kept_in_all(&self) -> u64 {
        self.store.storage_usage(0).await.unwrap().total()
    }

    async fn uploaded(&self) -> Answer {
        let request = request("POST", "/api/upload").header("content-type", "image/png");
        self.send(request.body(png(4, 4).into()).unwrap()).await
    }

    async fn ticket(&self, body: &str) -> Answer {
        let request = request("POST", "/api/uploads").header("content-type", "application/json");
        self.send(request.body(body.to_owned().into()).unwrap())
            .await
    }

    async fn tus_begun(&self, headers: &[(&str, &str)], part: Vec<u8>) -> Answer {
        let begun = request("POST", "/api/uploads/tus").header("tus-resumable", "1.0.0");
        let begun = headers.iter().fold(begun, |request, (name, value)| {
            request.header(*name, *value)
        });
        let begun = begun.header("content-type", "application/offset+octet-stream");
        self.send(begun.body(part.into()).unwrap()).await
    }
}

const OWNER: (u16, &str) = (507, "storage_quota_exceeded");
const TOTAL: (u16, &str) = (507, "storage_limit_reached");

fn refused(answer: &Answer, (status, code): (u16, &str)) {
    assert_eq!(answer.code(), (status, code.to_owned()));
}

/// The answers that only these bounds give.
pub(super) async fn codes(add: &mut impl FnMut(&Answer)) {
    add(&bounded(of_owner(1)).uploaded().await);
    let total = StorageCaps {
        total_bytes: Some(1),
        ..StorageCaps::default()
    };
    add(&bounded(total).uploaded().await);
}

#[tokio::test]
async fn every_way_in_counts_and_is_closed_beyond_the_bound() {
    let server = TestServer::new();
    let first = server.uploaded().await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    let bytes = first.json()["bytes"].as_u64().unwrap();
    assert_eq!(server.kept(KeptKind::Upload).await, bytes);
    server.store.bound_storage(of_owner(2 * bytes - 1));
    refused(&server.uploaded().await, OWNER);
    // What is promised counts as if it had come.
    let ticket = format!(r#"{{"bytes":{bytes}}}"#);
    refused(&server.ticket(&ticket).await, OWNER);
    let length = bytes.to_string();
    refused(
        &server
            .tus_begun(&[("upload-length", &length)], Vec::new())
            .await,
        OWNER,
    );
    // A job's source is a second copy, and its layers will want room.
    let of_upload = json!({ "upload_id": first.json()["upload_id"] }).to_string();
    refused(&server.post_json(of_upload.clone()).await, OWNER);
    server.store.bound_storage(of_owner(bytes + LAYERS_BYTES));
    let job = server.post_with_key("k", &of_upload).await;
    assert_eq!(job.status, 202, "{:?}", job.body);
    assert_eq!(server.kept(KeptKind::Source).await, bytes);
    for body in [of_upload.clone(), base64_body(&png(4, 4))] {
        refused(&server.post_json(body).await, OWNER);
    }
    assert_eq!(server.jobs_with_bytes().await.len(), 1);
    assert_eq!(server.kept_in_all().await, 2 * bytes);
    // A repeated create is answered all the same.
    assert_eq!(server.post_with_key("k", &of_upload).await.status, 202);
    // The bytes of what goes are counted until they are gone.
    let id = job.json()["job_id"].as_str().unwrap().to_owned();
    server.delete(&format!("/api/jobs/{id}")).await;
    assert_eq!(server.kept(KeptKind::Source).await, bytes);
    let (id, now) = (id.parse().unwrap(), server.clock.now());
    server.store.job_erased(id, now).await.unwrap();
    assert_eq!(server.kept_in_all().await, bytes);
    assert_eq!(server.post_json(of_upload).await.status, 202);
}

#[tokio::test]
async fn what_nobody_has_looked_at_has_a_bound_of_its_own() {
    let server = bounded(StorageCaps {
        incoming_bytes: Some(100),
        ..StorageCaps::default()
    });
    let ticket = server.ticket(r#"{"bytes":60}"#).await;
    assert_eq!(ticket.status, 201);
    refused(&server.ticket(r#"{"bytes":41}"#).await, OWNER);
    refused(
        &server
            .tus_begun(&[("upload-length", "41")], Vec::new())
            .await,
        OWNER,
    );
    let tus = server
        .tus_begun(&[("upload-length", "40")], Vec::new())
        .await;
    assert_eq!(tus.status, 201);
    // Checked pictures are not concerned.
    assert_eq!(server.uploaded().await.status, 201);
    let path = tus.header("location").to_owned();
    let end = request("DELETE", &path).header("tus-resumable", "1.0.0");
    let ended = server.send(end.body(Body::empty()).unwrap()).await;
    assert_eq!(ended.status, 204);
    assert_eq!(server.kept(KeptKind::Incoming).await, 60);
}

#[tokio::test]
async fn a_size_that_is_told_late_is_counted_before_its_bytes_come() {
    let server = bounded(StorageCaps {
        incoming_bytes: Some(100),
        ..StorageCaps::default()
    });
    // Resumable, part by part.
    let deferred = [("upload-defer-length", "1")];
    let begun = server.tus_begun(&deferred, vec![7; 60]).await;
    assert_eq!(begun.status, 201, "{:?}", begun.body);
    assert_eq!(server.kept(KeptKind::Incoming).await, 60);
    let path = begun.header("location").to_owned();
    let part = |offset: usize, more: &[(&str, &str)], body: Body| {
        let part = request("PATCH", &path)
            .header("tus-resumable", "1.0.0")
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", offset.to_string());
        let part = more
            .iter()
            .fold(part, |request, (name, value)| request.header(*name, *value));
        part.body(body).unwrap()
    };
    refused(&server.send(part(60, &[], vec![7; 41].into())).await, OWNER);
    // Nobody knows how long this one is.
    let chunk = Ok::<_, std::convert::Infallible>(Bytes::from_static(b"x"));
    let unknown = Body::from_stream(futures_util::stream::iter([chunk]));
    refused(&server.send(part(60, &[], unknown)).await, OWNER);
    let declares = [("upload-length", "101")];
    refused(
        &server.send(part(60, &declares, vec![7; 1].into())).await,
        OWNER,
    );
    assert_eq!(server.kept(KeptKind::Incoming).await, 60);
    let last = server.send(part(60, &[("upload-length", "70")], vec![7; 10].into()));
    assert_eq!(last.await.status, 204);
    assert_eq!(server.kept(KeptKind::Incoming).await, 70);
    // A ticket, in one body; what did not come whole is not counted.
    let ticket = server.ticket("{}").await.json();
    assert_eq!(server.kept(KeptKind::Incoming).await, 70);
    let link = ticket["url"].as_str().unwrap();
    let put = |body: Vec<u8>| {
        let put = request("PUT", link.strip_prefix("http://lamina.test").unwrap());
        put.body(body.into()).unwrap()
    };
    refused(&server.send(put(vec![7; 31])).await, OWNER);
    assert_eq!(server.kept(KeptKind::Incoming).await, 70);
    refused(&server.send(put(Vec::new())).await, (422, "image_empty"));
    assert_eq!(server.kept(KeptKind::Incoming).await, 70);
    assert_eq!(server.send(put(vec![7; 30])).await.status, 204);
    assert_eq!(server.kept(KeptKind::Incoming).await, 100);
}

#[tokio::test]
async fn many_at_once_do_not_get_past_the_bound() {
    let server = TestServer::with(|state| {
        state.pool = Pool::new(PoolSize {
            threads: 2,
            megapixels: 8,
            queue: 1000,
        });
    });
    let bytes = server.uploaded().await.json()["bytes"].as_u64().unwrap();
    server.store.bound_storage(of_owner(5 * bytes + 1));
    let server = Arc::new(server);
    let tries = (0..40).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.uploaded().await.status.as_u16() })
    });
    let tried = futures_util::future::join_all(tries).await;
    let mut statuses: Vec<_> = tried.into_iter().map(Result::unwrap).collect();
    statuses.sort_unstable();
    let expected = [[201; 4].as_slice(), &[507; 36]].concat();
    assert_eq!(statuses, expected);
    assert_eq!(server.kept_in_all().await, 5 * bytes);
    // Nothing of the others is left.
    assert_eq!(server.blobs.owners().await.unwrap().uploads.len(), 5);
}

#[tokio::test]
async fn all_owners_together_have_a_bound_and_each_its_own() {
    let server =
        TestServer::with(|state| state.keys = ApiKeys::new([("a", "a-key"), ("b", "b-key")]));
    let ticket = |key: &'static str, bytes: u64| {
        let body = format!(r#"{{"bytes":{bytes}}}"#);
        server.with_key(key, "POST", "/api/uploads", body)
    };
    server.store.bound_storage(StorageCaps {
        total_bytes: Some(100),
        owner_bytes: Some(60),
        incoming_bytes: None,
    });
    assert_eq!(ticket("a-key", 60).await.status, 201);
    refused(&ticket("a-key", 1).await, OWNER);
    refused(&ticket("b-key", 41).await, TOTAL);
    assert_eq!(ticket("b-key", 40).await.status, 201);
    let usage = server.store.storage_usage(9).await.unwrap();
    let owners: Vec<_> = usage
        .owners
        .iter()
        .map(|(owner, bytes)| (owner.as_str(), *bytes))
        .collect();
    assert_eq!(owners, [("a", 60), ("b", 40)]);
}

#[tokio::test]
async fn what_was_set_for_an_owner_goes_before_what_holds_for_all() {
    let server =
        TestServer::with(|state| state.keys = ApiKeys::new([("a", "a-key"), ("b", "b-key")]));
    server.store.bound_storage(of_owner(50));
    let ticket = |key: &'static str, bytes: u64| {
        let body = format!(r#"{{"bytes":{bytes}}}"#);
        server.with_key(key, "POST", "/api/uploads", body)
    };
    let set = async |bytes: Option<u64>| {
        let limits = OwnerLimits {
            storage_bytes: bytes,
            ..OwnerLimits::default()
        };
        let owner = OwnerId::named("a");
        server.store.owner_limit(&owner, limits).await.unwrap();
    };
    set(Some(80)).await;
    assert_eq!(ticket("a-key", 80).await.status, 201);
    refused(&ticket("a-key", 1).await, OWNER);
    refused(&ticket("b-key", 51).await, OWNER);
    // Nothing is kept for whoever may keep nothing, and what is kept stays.
    set(Some(0)).await;
    refused(&ticket("a-key", 1).await, OWNER);
    assert_eq!(server.kept_in_all().await, 80);
    set(None).await;
    refused(&ticket("a-key", 1).await, OWNER);
    // Without a bound for all there is his all the same.
    server.store.bound_storage(StorageCaps::default());
    assert_eq!(ticket("a-key", 1).await.status, 201);
    set(Some(81)).await;
    refused(&ticket("a-key", 1).await, OWNER);
    let upload = server.with_key("a-key", "POST", "/api/jobs", base64_body(&png(4, 4)));
    refused(&upload.await, OWNER);
}
