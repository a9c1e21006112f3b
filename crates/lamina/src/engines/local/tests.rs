//! What the embedded engine holds is bounded, by number, by time and by bytes.

use super::encoding::Encoding;
use super::*;
use crate::blobs::BlobKey;
use crate::engines::LayerContent;
use crate::jobs::{JobId, MediaType, Nonce, Params, UnixMs};
use crate::pool::PoolSize;

/// An engine over a picture of its own.
async fn engine(folder: &tempfile::TempDir) -> (Local, BlobKey) {
    let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
    let source = BlobKey::Source(JobId::new(UnixMs(1)), MediaType::Png);
    let picture = image_intake::RgbaImage::new(8, 8, vec![200; 8 * 8 * 4]).unwrap();
    let file = image_intake::encode_png(&picture);
    blobs.put(&source, file.into()).await.unwrap();
    let (compute, _) = ComputeLog::open(&folder.path().join("computing")).unwrap();
    let settings = LocalSettings {
        concurrency: 2,
        threads: Some(1),
        limits: Limits::default(),
        networks: layerize::Networks::default(),
    };
    let pool = Pool::new(PoolSize::default());
    let (waker, _) = tokio::sync::mpsc::unbounded_channel();
    let clock = Arc::new(crate::clock::SystemClock::default());
    let forecast = Forecast::new(clock, crate::metrics::ForecastMetrics::default());
    (
        Local::new(blobs, pool, compute, waker, forecast, settings),
        source,
    )
}

fn order(source: BlobKey, number: i64) -> Order {
    Order {
        job: JobId::new(UnixMs(number)),
        owner: OwnerId::named("a"),
        suspect: false,
        nonce: Nonce::random(),
        source,
        input: None,
        params: Params::default(),
        expires_at: UnixMs(i64::MAX),
    }
}

fn done(engine: &Local) -> Vec<RequestId> {
    let runs = engine.shared.lock();
    let done = runs.by_request.iter();
    let done = done.filter(|(_, run)| matches!(run.state, State::Done(..)));
    done.map(|(request, _)| request.clone()).collect()
}

#[tokio::test]
async fn while_many_results_wait_to_be_taken_no_further_picture_is_split() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, source) = engine(&folder).await;
    let most = KEPT + 2;
    for number in 0..most + 5 {
        let order = order(source, i64::try_from(number).unwrap());
        engine.submit(&order).await.unwrap();
    }
    while done(&engine).len() < most {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.shared.kept.available_permits(), 0);
    // Each that is taken lets one more in.
    let taken = done(&engine);
    for request in &taken[..3] {
        engine.release(request);
    }
    while done(&engine).len() < most {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.shared.lock().by_request.len(), most + 2);
    for request in taken.iter().chain(&done(&engine)) {
        engine.release(request);
    }
    while done(&engine).len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.shared.kept.available_permits(), most - 2);
}

#[tokio::test]
async fn a_result_that_no_one_takes_is_forgotten_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, source) = engine(&folder).await;
    engine.submit(&order(source, 1)).await.unwrap();
    while done(&engine).is_empty() {
        tokio::task::yield_now().await;
    }
    let ended = engine
        .shared
        .lock()
        .by_request
        .values()
        .next()
        .unwrap()
        .ended;
    let ended = ended.unwrap();
    engine.shared.lock().forget_old(ended + KEPT_FOR / 2);
    assert_eq!(done(&engine).len(), 1);
    engine.shared.lock().forget_old(ended + KEPT_FOR);
    assert!(engine.shared.lock().by_request.is_empty());
    assert_eq!(engine.shared.kept.available_permits(), KEPT + 2);
}

#[tokio::test]
async fn splits_hold_their_memory_of_the_pool_until_their_layers_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, source) = engine(&folder).await;
    let megapixels = || engine.shared.pool.load().megapixels;
    // Of 90 there is room for one split of a small picture, and none for the second beside it.
    let others = engine.shared.pool.reserve(90 - SPLIT_MEGAPIXELS - 1).await;
    let first = engine.submit(&order(source, 1)).await.unwrap().request;
    while done(&engine).is_empty() {
        tokio::task::yield_now().await;
    }
    let second = engine.submit(&order(source, 2)).await.unwrap().request;
    while engine.shared.pool.load().waiting == 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(
        engine.check(&second, None).await.unwrap(),
        Check::Queued { .. }
    ));
    let layers_alone = 90 - SPLIT_MEGAPIXELS as usize - 1 + 1;
    assert_eq!(megapixels(), layers_alone);
    engine.release(&first);
    while done(&engine).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(megapixels(), layers_alone);
    engine.release(&second);
    drop(others);
    assert_eq!(megapixels(), 0);
}

#[tokio::test]
async fn a_split_that_is_released_while_it_waits_for_memory_holds_none() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, source) = engine(&folder).await;
    let others = engine.shared.pool.reserve(90).await;
    let request = engine.submit(&order(source, 1)).await.unwrap().request;
    while engine.shared.pool.load().waiting == 0 {
        tokio::task::yield_now().await;
    }
    engine.release(&request);
    while engine.shared.pool.load().waiting > 0 {
        tokio::task::yield_now().await;
    }
    drop(others);
    assert_eq!(engine.shared.pool.load().megapixels, 0);
}

#[test]
fn a_layer_holds_no_more_than_its_bytes() {
    let picture = layerize::RgbaImage {
        width: 64,
        height: 64,
        pixels: (0..64 * 64 * 4_usize)
            .map(|at| (at * at % 251) as u8)
            .collect(),
    };
    let options = layerize::Options::default();
    let (cancel, mut encoding) = (layerize::Cancel::default(), Encoding::of(64, 64));
    layerize::split_into(picture, &options, &mut |_| {}, &cancel, &mut encoding).unwrap();
    for layer in encoding.stack().unwrap() {
        let LayerContent::Measured(bytes, _) = layer.content else {
            panic!("a layer of this process has its bytes");
        };
        let length = bytes.len();
        assert_eq!(Vec::from(bytes).capacity(), length);
    }
}
