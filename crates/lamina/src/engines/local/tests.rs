//! What the embedded engine holds is bounded, by number, by time and by bytes.

use super::encoding::Encoding;
use super::*;
use crate::blobs::BlobKey;
use crate::engines::LayerContent;
use crate::jobs::{JobId, MediaType, Nonce, NumLayers, Params, UnixMs};
use crate::pool::PoolSize;

/// An engine over a picture of its own.
async fn engine(folder: &tempfile::TempDir) -> (Local, BlobKey) {
    let picture = image_intake::RgbaImage::new(8, 8, vec![200; 8 * 8 * 4]).unwrap();
    engine_of(folder, image_intake::encode_png(&picture), settings()).await
}

fn settings() -> LocalSettings {
    LocalSettings {
        concurrency: 2,
        threads: Some(1),
        text: TextLayers::default(),
        layers: layerize::USUAL_LAYERS,
        limits: Limits::default(),
        networks: layerize::Networks::default(),
    }
}

async fn engine_of(
    folder: &tempfile::TempDir,
    file: Vec<u8>,
    settings: LocalSettings,
) -> (Local, BlobKey) {
    let blobs = Blobs::folder(&folder.path().join("blobs")).unwrap();
    let source = BlobKey::Source(JobId::new(UnixMs(1)), MediaType::Png);
    blobs.put(&source, file.into()).await.unwrap();
    let (compute, _) = ComputeLog::open(&folder.path().join("computing")).unwrap();
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

/// The kinds of the layers of a picture, bottom first.
async fn kinds(file: Vec<u8>, settings: LocalSettings, asked: Option<NumLayers>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (engine, source) = engine_of(&folder, file, settings).await;
    let mut order = order(source, 1);
    order.params.num_layers = asked;
    let request = engine.submit(&order).await.unwrap().request;
    loop {
        match engine.check(&request, None).await.unwrap() {
            Check::Ready(layers) => {
                let kinds = layers.into_iter().map(|layer| layer.labels.kind.unwrap());
                return kinds.collect();
            }
            Check::Failed(error) => panic!("{error:?}"),
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Twenty-five squares, of which each has a colour of its own.
fn squares() -> Vec<u8> {
    let (side, step, edge) = (500_u32, 100, 60);
    let mut picture = vec![255; (side * side * 4) as usize];
    for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
        let within = |at: u32| (20..20 + edge).contains(&(at % step));
        if within(x) && within(y) {
            let (column, row) = ((x / step) as u8, (y / step) as u8);
            let at = ((y * side + x) * 4) as usize;
            picture[at..at + 3].copy_from_slice(&[40 * column, 40 * row, 40]);
        }
    }
    image_intake::encode_png(&image_intake::RgbaImage::new(side, side, picture).unwrap())
}

#[test]
fn a_longer_list_than_usual_holds_more_memory_for_the_files_of_its_layers() {
    assert_eq!(run::held(48, 1), 48 + SPLIT_MEGAPIXELS);
    assert_eq!(run::held(48, 12), 48 + SPLIT_MEGAPIXELS);
    assert_eq!(run::held(48, 64), 48 + SPLIT_MEGAPIXELS + 25);
    assert_eq!(run::held(1, 64), 1 + SPLIT_MEGAPIXELS + 1);
}

#[tokio::test]
async fn the_settings_say_how_many_layers_come_where_a_job_does_not() {
    let many = LocalSettings {
        layers: 64,
        ..settings()
    };
    let count = async |settings: &LocalSettings, asked| {
        kinds(squares(), settings.clone(), asked).await.len()
    };
    assert_eq!(count(&settings(), None).await, 12);
    assert_eq!(count(&many, None).await, 26);
    assert_eq!(count(&many, Some(NumLayers::Auto)).await, 26);
    assert_eq!(count(&many, Some(NumLayers::Count(3))).await, 3);
    let few = LocalSettings {
        layers: 2,
        ..settings()
    };
    assert_eq!(count(&few, None).await, 2);
    assert_eq!(count(&few, Some(NumLayers::Count(5))).await, 5);
}

#[tokio::test]
async fn lines_are_layers_of_their_own_where_the_settings_say_so() {
    let poster = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/images/design_poster.png"
    );
    let texts = async |text| {
        let settings = LocalSettings {
            text,
            layers: 64,
            ..settings()
        };
        let kinds = kinds(std::fs::read(poster).unwrap(), settings, None).await;
        kinds.iter().filter(|kind| *kind == "text").count()
    };
    let (blocks, lines) = (
        texts(TextLayers::Blocks).await,
        texts(TextLayers::Lines).await,
    );
    assert!(blocks < lines, "{blocks} blocks and {lines} lines");
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
