//! What a blob store must do, once for a folder, memory and a bucket on a real S3 server; and what
//! only a bucket can get wrong: signatures, faults, listings.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lamina::blobs::{BlobError, BlobKey, Blobs, Presigner, PutTerms, RowSources};
use lamina::clock::{Clock as _, SystemClock};
use lamina::jobs::{JobId, MediaType, UnixMs, UploadId};
use object_store::memory::InMemory;
use reqwest::{Client, StatusCode, Url};

use crate::support::{Fault, PREFIX, S3};

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    keeps_the_contract(Blobs::folder(&root.path().join("blobs")).unwrap()).await;
}

/// Two requests may check and store the same upload at once, while a job is made of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_written_again_is_whole_for_whoever_reads_it() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::folder(root.path()).unwrap();
    let key = BlobKey::Upload(UploadId::new(UnixMs(1)), MediaType::Png);
    let bytes = Bytes::from(vec![7; 4 << 20]);
    blobs.put(&key, bytes.clone()).await.unwrap();
    let writers = [(); 2].map(|()| {
        let (blobs, bytes) = (blobs.clone(), bytes.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                blobs.put(&key, bytes.clone()).await.unwrap();
            }
        })
    });
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        assert!(
            blobs.get(&key).await.unwrap() == bytes,
            "a part of the file"
        );
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let names = std::fs::read_dir(root.path().join("uploads"));
    let upload = names.unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_dir(upload).unwrap().count(), 1);
}

/// A source that came beside its row.
#[derive(Debug)]
struct Row;

#[async_trait::async_trait]
impl RowSources for Row {
    async fn source(&self, _: JobId) -> Result<Option<Bytes>, BlobError> {
        Ok(Some(Bytes::from_static(b"a picture")))
    }
}

/// As after the backup of a folder was restored over a bucket.
#[tokio::test]
async fn a_presigned_link_leads_to_a_source_that_came_beside_its_row() {
    let s3 = S3::start().await;
    let settings = s3.settings();
    let blobs = Blobs::bucket(&settings).unwrap().with_rows(Arc::new(Row));
    let now = SystemClock::default().now();
    let key = BlobKey::Source(JobId::new(now), MediaType::Png);
    assert!(
        blobs.room_in_row(9).unwrap().is_none(),
        "new ones are objects"
    );
    let link = Presigner::new(&settings)
        .unwrap()
        .get(&key, now.plus(Duration::from_secs(60)));
    let client = Client::builder().no_proxy().build().unwrap();
    let before = client.get(link.clone()).send().await.unwrap();
    assert_eq!(before.status(), StatusCode::NOT_FOUND);
    blobs.publish(&key).await.unwrap();
    let after = client.get(link).send().await.unwrap();
    assert_eq!(after.bytes().await.unwrap(), "a picture");
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(Blobs::over(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    let s3 = S3::start().await;
    keeps_the_contract(Blobs::bucket(&s3.settings()).unwrap()).await;
    let mut whole_bucket = s3.settings();
    whole_bucket.prefix = String::new();
    std::fs::remove_dir_all(s3.objects()).unwrap();
    keeps_the_contract(Blobs::bucket(&whole_bucket).unwrap()).await;
}

#[tokio::test]
async fn files_of_a_job_are_written_together_and_what_fails_takes_no_room() {
    let root = tempfile::tempdir().unwrap();
    let blobs = Blobs::folder(root.path()).unwrap();
    let job = JobId::new(UnixMs(1));
    let key = |number| BlobKey::Layer(job, number, MediaType::Png);
    let bytes = Bytes::from_static(b"a layer");
    let all = |count| {
        (0..count)
            .map(|number| (key(number), bytes.clone()))
            .collect()
    };
    blobs.put_all(all(3)).await.unwrap();
    blobs.put_all(Vec::new()).await.unwrap();
    let folder = root.path().join("jobs").join(job.to_string());
    let names = || std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(names(), 3);
    // A folder stands where the last one's name should.
    let taken = root.path().join(key(4).path());
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("file"), "x").unwrap();
    assert!(blobs.put_all(all(5)).await.is_err());
    assert!(matches!(
        blobs.get(&key(3)).await,
        Err(BlobError::Missing(_))
    ));
    assert_eq!(names(), 4, "nothing is left but what was there");
}

async fn keeps_the_contract(blobs: Blobs) {
    blobs.probe().await.unwrap();
    blobs.probe().await.unwrap();
    blobs.probe_write().await.unwrap();
    let (job, upload) = (JobId::new(UnixMs(1)), UploadId::new(UnixMs(1)));
    let layer = BlobKey::Layer(job, 0, MediaType::Png);
    let missing = |error: Option<BlobError>| matches!(error, Some(BlobError::Missing(_)));
    assert!(missing(blobs.get(&layer).await.err()));
    assert!(missing(blobs.size(&layer).await.err()));
    assert!(missing(blobs.open(&layer, None).await.err()));
    assert!(blobs.owners().await.unwrap().jobs.is_empty());

    for text in ["0123456789", "9876543210"] {
        blobs.put(&layer, Bytes::from(text)).await.unwrap();
        assert_eq!(blobs.get(&layer).await.unwrap(), text);
    }
    assert_eq!(blobs.size(&layer).await.unwrap().0, 10);
    let part = blobs.open(&layer, Some(2..5)).await.unwrap();
    assert_eq!((part.size, part.range.clone()), (10, 2..5));
    let bytes: Vec<Bytes> = part.stream.try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"765");

    // The same first letters and another id: erasing one must not touch the other.
    let other = BlobKey::Layer(JobId::new(UnixMs(2)), 10, MediaType::WebP);
    let large = Bytes::from(vec![7u8; 3 << 20]);
    blobs.put(&other, large.clone()).await.unwrap();
    let source = BlobKey::Source(job, MediaType::Png);
    blobs.copy(&layer, &source).await.unwrap();
    assert_eq!(blobs.get(&source).await.unwrap(), "9876543210");
    let absent = BlobKey::Source(JobId::new(UnixMs(9)), MediaType::Png);
    assert!(missing(blobs.copy(&absent, &source).await.err()));
    let uploaded = BlobKey::Upload(upload, MediaType::Png);
    blobs
        .put(&uploaded, Bytes::from_static(b"u"))
        .await
        .unwrap();
    let owners = blobs.owners().await.unwrap();
    assert_eq!((owners.jobs.len(), owners.uploads), (2, vec![upload]));
    assert!(owners.jobs.contains(&job));

    blobs.erase_job(job).await.unwrap();
    blobs.erase_job(job).await.unwrap();
    assert!(missing(blobs.get(&source).await.err()));
    assert!(missing(blobs.get(&layer).await.err()));
    assert_eq!(blobs.get(&other).await.unwrap(), large);
    let stack = [(0, "bottom"), (1, "middle"), (2, "top")];
    let named = |number| BlobKey::Layer(job, number, MediaType::Png);
    let all = stack.map(|(number, text)| (named(number), Bytes::from(text)));
    blobs.put_all(all.into()).await.unwrap();
    for (number, text) in stack {
        assert_eq!(blobs.get(&named(number)).await.unwrap(), text);
    }
    blobs.erase_job(job).await.unwrap();
    assert_eq!(blobs.owners().await.unwrap().jobs.len(), 1);
    blobs.erase_upload(upload).await.unwrap();
    assert!(blobs.owners().await.unwrap().uploads.is_empty());
}

fn layer(order: u32) -> BlobKey {
    BlobKey::Layer(
        JobId::new(SystemClock::default().now()),
        order,
        MediaType::Png,
    )
}

#[tokio::test]
async fn a_presigned_link_reads_one_object_until_it_expires() {
    let s3 = S3::start().await;
    let (blobs, now) = (
        Blobs::bucket(&s3.settings()).unwrap(),
        SystemClock::default().now(),
    );
    let (key, signer) = (layer(0), Presigner::new(&s3.settings()).unwrap());
    // Stored under another type, as a careless copy would.
    let aside = BlobKey::Layer(JobId::new(now), 9, MediaType::WebP);
    blobs
        .put(&aside, Bytes::from_static(b"0123456789"))
        .await
        .unwrap();
    blobs.copy(&aside, &key).await.unwrap();

    let client = Client::builder().no_proxy().build().unwrap();
    let link = signer.get(&key, now.plus(Duration::from_secs(60)));
    let whole = client.get(link.clone()).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()["content-type"], "image/png");
    assert_eq!(
        whole.headers()["content-disposition"],
        "inline; filename=\"layer_0.png\""
    );
    assert_eq!(whole.bytes().await.unwrap(), "0123456789");
    let part = client.get(link.clone()).header("range", "bytes=2-4");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), "234");

    let status = |url: Url| {
        let request = client.get(url);
        async move { request.send().await.unwrap().status() }
    };
    let head = client.head(link.clone()).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::FORBIDDEN, "a method is signed");
    let mut wrong = link.to_string();
    let last = if wrong.ends_with('0') { "1" } else { "0" };
    wrong.replace_range(wrong.len() - 1.., last);
    assert_eq!(status(wrong.parse().unwrap()).await, StatusCode::FORBIDDEN);
    let elsewhere = link.as_str().replace("layer_0.png?", "layer_9.webp?");
    assert_eq!(
        status(elsewhere.parse().unwrap()).await,
        StatusCode::FORBIDDEN
    );
    let renamed = link.as_str().replace("image%2Fpng", "text%2Fhtml");
    assert_ne!(renamed, link.as_str());
    assert_eq!(
        status(renamed.parse().unwrap()).await,
        StatusCode::FORBIDDEN
    );
    let expired = signer.get(&key, now.minus(Duration::from_secs(2)));
    assert_eq!(status(expired).await, StatusCode::FORBIDDEN);
    assert_eq!(
        client.put(link).body("x").send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_presigned_link_writes_one_object_of_its_type_until_it_expires() {
    let s3 = S3::start().await;
    let (blobs, now) = (
        Blobs::bucket(&s3.settings()).unwrap(),
        SystemClock::default().now(),
    );
    let signer = Presigner::new(&s3.settings()).unwrap();
    let key = BlobKey::Upload(UploadId::new(now), MediaType::Png);
    let client = Client::builder().no_proxy().build().unwrap();
    let put = |url: &Url, kind: &'static str| {
        let request = client.put(url.clone()).header("content-type", kind);
        async move { request.body("picture").send().await.unwrap().status() }
    };
    let terms = PutTerms {
        content_type: Some(MediaType::Png),
        bytes: Some(7),
    };
    let minute = Duration::from_secs(60);
    let link = signer.put(&key, &terms, now, now.plus(minute));
    assert_eq!(put(&link, "text/html").await, StatusCode::FORBIDDEN);
    let longer = client.put(link.clone()).header("content-type", "image/png");
    let longer = longer.body("a picture").send().await.unwrap();
    assert_eq!(longer.status(), StatusCode::FORBIDDEN);
    assert!(matches!(blobs.size(&key).await, Err(BlobError::Missing(_))));
    assert_eq!(put(&link, "image/png").await, StatusCode::OK);
    assert_eq!(blobs.get(&key).await.unwrap(), "picture");
    let earlier = now.minus(Duration::from_secs(100));
    let expired = signer.put(&key, &terms, earlier, earlier.plus(minute));
    assert_eq!(put(&expired, "image/png").await, StatusCode::FORBIDDEN);
    let reading = client.get(link).send().await.unwrap();
    assert_eq!(reading.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_hiccup_of_the_bucket_is_not_noticed() {
    let s3 = S3::start().await;
    let blobs = Blobs::bucket(&s3.settings()).unwrap();
    let (key, bytes) = (
        layer(0),
        Bytes::from((0..300_000u32).map(|i| i as u8).collect::<Vec<_>>()),
    );
    s3.fail_next(Method::PUT, Fault::Answer(503, "SlowDown"));
    s3.fail_next(Method::PUT, Fault::Answer(500, "InternalError"));
    blobs.put(&key, bytes.clone()).await.unwrap();
    s3.fail_next(Method::GET, Fault::Answer(500, "InternalError"));
    assert_eq!(blobs.get(&key).await.unwrap(), bytes);
    // A body that is cut goes on where it was, so that no client sees a broken picture.
    s3.fail_next(Method::GET, Fault::CutBody);
    let opened = blobs.open(&key, None).await.unwrap();
    let read: Vec<Bytes> = opened.stream.try_collect().await.unwrap();
    assert_eq!(read.concat(), bytes);
}

#[tokio::test]
async fn a_bucket_that_is_down_is_unavailable_and_comes_back() {
    let mut s3 = S3::start().await;
    let blobs = Blobs::bucket(&s3.settings()).unwrap();
    let (key, bytes) = (layer(0), Bytes::from_static(b"0123456789"));
    blobs.put(&key, bytes.clone()).await.unwrap();
    blobs.probe().await.unwrap();
    s3.down().await;
    let unavailable = |error: Option<BlobError>| matches!(error, Some(BlobError::Unavailable(_)));
    assert!(unavailable(blobs.probe().await.err()));
    assert!(unavailable(blobs.put(&key, bytes.clone()).await.err()));
    assert!(unavailable(blobs.get(&key).await.err()));
    assert!(unavailable(blobs.owners().await.err()));
    assert!(unavailable(
        blobs.erase_job(JobId::new(UnixMs(1))).await.err()
    ));
    s3.up().await;
    blobs.probe().await.unwrap();
    assert_eq!(blobs.get(&key).await.unwrap(), bytes);

    s3.fail(&[Method::PUT], Fault::Answer(503, "SlowDown"));
    assert!(unavailable(blobs.put(&key, bytes.clone()).await.err()));
    s3.heal();
    blobs.put(&key, bytes).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_said_once_with_what_to_do_and_without_its_secrets() {
    let s3 = S3::start().await;
    let key = layer(0);
    let mut wrong = s3.settings();
    wrong.secret_access_key = "another".into();
    let text = |error: Option<BlobError>| match error {
        Some(BlobError::Refused(text)) => text,
        other => panic!("{other:?}"),
    };
    let blobs = Blobs::bucket(&wrong).unwrap();
    let said = text(blobs.put(&key, Bytes::from_static(b"x")).await.err());
    assert!(said.contains("S3_SECRET_ACCESS_KEY"), "{said}");
    assert_eq!(s3.count(&Method::PUT, "layer_0.png"), 1);
    text(blobs.probe().await.err());
    text(blobs.owners().await.err());

    let blobs = Blobs::bucket(&s3.settings()).unwrap();
    for (status, code, advice) in [
        (403, "SignatureDoesNotMatch", "S3_SECRET_ACCESS_KEY"),
        (403, "InvalidAccessKeyId", "S3_ACCESS_KEY_ID"),
        (403, "AccessDenied", "may do in this bucket"),
        (403, "RequestTimeTooSkewed", "clock"),
        (400, "AuthorizationHeaderMalformed", "S3_REGION"),
        (404, "NoSuchBucket", "no such bucket"),
    ] {
        for error in [
            {
                s3.fail_next(Method::GET, Fault::Answer(status, code));
                blobs.get(&key).await.err()
            },
            {
                s3.fail_next(Method::PUT, Fault::Answer(status, code));
                blobs.put(&key, Bytes::from_static(b"x")).await.err()
            },
        ] {
            let said = text(error);
            assert!(said.contains(advice) && said.contains(code), "{said}");
            assert!(
                !said.contains("5ec7e7") && !said.contains("key-id"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn every_owner_is_listed_however_many_there_are() {
    let s3 = S3::start().await;
    let blobs = Blobs::bucket(&s3.settings()).unwrap();
    // More than a page of a listing; made beside the server, as its folder is quicker.
    let jobs: Vec<JobId> = (0..1_200).map(|at| JobId::new(UnixMs(at))).collect();
    for job in &jobs {
        let folder = s3.objects().join(format!("jobs/{job}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("source.png"), "x").unwrap();
    }
    let mut listed = blobs.owners().await.unwrap().jobs;
    listed.sort_by_key(ToString::to_string);
    let mut wanted = jobs;
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(listed, wanted);
    assert!(s3.objects().ends_with(PREFIX));
}

/// The library keeps its type of a refused request to itself, so its text is read; this is what fails
/// when a newer one words it otherwise.
#[tokio::test]
async fn who_can_help_is_known_for_every_call_and_every_answer_of_a_bucket() {
    let s3 = S3::start().await;
    let blobs = Blobs::bucket(&s3.settings()).unwrap();
    let (key, job) = (layer(0), JobId::new(UnixMs(1)));
    blobs.put(&key, Bytes::from_static(b"x")).await.unwrap();
    let all = [Method::GET, Method::PUT, Method::HEAD, Method::DELETE];
    for (status, code, may_pass) in [
        (301, "PermanentRedirect", false),
        (400, "InvalidRequest", false),
        (401, "Unauthorized", false),
        (403, "AccessDenied", false),
        (404, "NoSuchBucket", false),
        (409, "OperationAborted", false),
        (429, "SlowDown", true),
        (500, "InternalError", true),
        (503, "ServiceUnavailable", true),
    ] {
        s3.fail(&all, Fault::Answer(status, code));
        let failures = [
            ("get", blobs.get(&key).await.err()),
            ("put", blobs.put(&key, Bytes::from_static(b"x")).await.err()),
            ("open", blobs.open(&key, None).await.err()),
            ("size", blobs.size(&key).await.err()),
            ("copy", blobs.copy(&key, &layer(1)).await.err()),
            ("remove", blobs.remove(&key).await.err()),
            ("erase", blobs.erase_job(job).await.err()),
            ("list", blobs.owners().await.err()),
            ("mark", blobs.mark().await.err()),
            ("probe", blobs.probe_write().await.err()),
        ];
        s3.heal();
        for (call, error) in failures {
            // An answer to HEAD has no body, so nothing tells a missing bucket from a missing object.
            let is_known = match &error {
                Some(BlobError::Missing(_)) => (call, status) == ("size", 404),
                Some(BlobError::Unavailable(_)) => may_pass,
                Some(BlobError::Refused(_)) => !may_pass,
                Some(BlobError::Full(_)) | None => false,
            };
            assert!(is_known, "{call}, {status} {code}: {error:?}");
        }
    }
}
