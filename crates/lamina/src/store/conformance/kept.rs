//! What is kept, counted through every change of a row.

use super::*;
use crate::access::StorageCaps;
use crate::jobs::LayerVariant;
use crate::store::{KeptKind, QuotaExceeded, StorageBound, StoreError, VariantOf};

async fn kept(store: &dyn Store) -> Vec<(KeptKind, u64)> {
    let mut kinds = store.storage_usage(0).await.unwrap().kinds;
    kinds.retain(|(_, bytes)| *bytes > 0);
    kinds.sort_unstable();
    kinds
}

pub(super) fn layer(order: u32) -> Layer {
    Layer {
        order,
        file: order,
        labels: LayerLabels::default(),
        media_type: MediaType::Png,
        width: 3,
        height: 2,
        bytes: 70 + u64::from(order),
        sha256: "00".into(),
        bbox: None,
        coverage: 1.0,
        thumbhash: None,
        fidelity_bytes: None,
    }
}

pub(in crate::store) async fn a_job_s_bytes_are_counted_until_they_are_erased(
    store: Arc<dyn Store>,
) {
    let store = &*store;
    let source = (KeptKind::Source, SOURCE_INFO.bytes);
    let (id, _) = accepted(store, T0).await;
    assert_eq!(kept(store).await, [source]);
    let job = claim(store, Phase::Wait, at(1)).await.unwrap();
    let (collect, done) = (
        change(Phase::Collect, at(1)),
        change(Phase::Completed, at(1)),
    );
    let keep = store.job_apply(&job.lease, collect, StepOutput::None, true, moment(1));
    assert_eq!(keep.await.unwrap(), FencedWrite::Applied);
    let mut layers: Vec<Layer> = (0..3).map(layer).collect();
    // The mask of a layer that was raised is kept with it.
    layers[1].fidelity_bytes = Some(1_000);
    let whole = 1_000 + layers.iter().map(|layer| layer.bytes).sum::<u64>();
    let applied = store.job_apply(
        &job.lease,
        done,
        StepOutput::Layers(layers, None),
        false,
        moment(1),
    );
    assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    let layer = (KeptKind::Layer, whole);
    assert_eq!(kept(store).await, [source, layer]);
    store.job_delete(&owner("a"), id, at(2)).await.unwrap();
    assert_eq!(kept(store).await, [source, layer]);
    store.job_erased(id, at(3)).await.unwrap();
    assert_eq!(kept(store).await, []);
    assert_eq!(store.job_forget(at(9), 9).await.unwrap(), 1);
    assert_eq!(kept(store).await, []);
    // One that expires before it was done; its row goes last.
    let id = create(store, at(10)).await;
    store.job_expire(at(10).plus(DAY), 9).await.unwrap();
    assert_eq!(kept(store).await, [source]);
    store.job_erased(id, at(11)).await.unwrap();
    assert_eq!(kept(store).await, []);
}

/// A completed job of the owner "a" with one layer of 70 bytes.
async fn with_layer(store: &dyn Store) -> JobId {
    let (id, _) = accepted(store, T0).await;
    let job = claim(store, Phase::Wait, at(1)).await.unwrap();
    for (phase, output) in [
        (Phase::Collect, StepOutput::None),
        (Phase::Completed, StepOutput::Layers(vec![layer(0)], None)),
    ] {
        let keep = phase == Phase::Collect;
        let applied = store.job_apply(&job.lease, change(phase, at(1)), output, keep, moment(1));
        assert_eq!(applied.await.unwrap(), FencedWrite::Applied);
    }
    id
}

pub(in crate::store) async fn variants_of_a_layer_are_counted_within_the_bounds_until_it_is_erased(
    store: Arc<dyn Store>,
) {
    let store = &*store;
    let job = with_layer(store).await;
    let of = |variant| VariantOf {
        job,
        file: 0,
        variant,
    };
    let thumbnail = of(LayerVariant::THUMBNAIL);
    let trimmed = of(LayerVariant {
        trim: true,
        ..LayerVariant::THUMBNAIL
    });
    let source = (KeptKind::Source, SOURCE_INFO.bytes);
    let layers = |bytes: u64| (KeptKind::Layer, 70 + bytes);
    let (owned_by, found) = store.layer_get(job, 0, at(2)).await.unwrap().unwrap();
    assert_eq!((owned_by, found), (owner("a"), layer(0)));
    assert!(store.layer_get(job, 1, at(2)).await.unwrap().is_none());
    assert!(
        store
            .layer_get(JobId::new(T0), 0, at(2))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .layer_variant_keep(thumbnail, 10, at(2))
            .await
            .unwrap()
    );
    assert!(store.layer_variant_keep(trimmed, 5, at(2)).await.unwrap());
    assert_eq!(kept(store).await, [source, layers(15)]);
    // One that was lost and is made again counts once.
    assert!(
        store
            .layer_variant_keep(thumbnail, 12, at(2))
            .await
            .unwrap()
    );
    assert_eq!(kept(store).await, [source, layers(17)]);
    store.layer_variant_forget(trimmed).await.unwrap();
    store.layer_variant_forget(trimmed).await.unwrap();
    assert_eq!(kept(store).await, [source, layers(12)]);
    let absent = VariantOf { file: 9, ..trimmed };
    assert!(!store.layer_variant_keep(absent, 5, at(2)).await.unwrap());
    let limit = SOURCE_INFO.bytes + 70 + 12 + 4;
    store.bound_storage(StorageCaps {
        owner_bytes: Some(limit),
        ..StorageCaps::default()
    });
    let refused = store.layer_variant_keep(trimmed, 5, at(2)).await;
    assert!(matches!(refused, Err(StoreError::QuotaExceeded(_))));
    assert!(store.layer_variant_keep(trimmed, 4, at(2)).await.unwrap());
    assert!(
        store
            .layer_get(job, 0, at(2).plus(DAY))
            .await
            .unwrap()
            .is_none()
    );
    store.job_delete(&owner("a"), job, at(3)).await.unwrap();
    assert!(store.layer_get(job, 0, at(3)).await.unwrap().is_none());
    assert!(!store.layer_variant_keep(thumbnail, 1, at(3)).await.unwrap());
    assert_eq!(kept(store).await, [source, layers(16)]);
    store.job_erased(job, at(4)).await.unwrap();
    assert_eq!(kept(store).await, []);
}

pub(in crate::store) async fn an_upload_s_bytes_are_counted_once_promised_or_there(
    store: Arc<dyn Store>,
) {
    let store = &*store;
    for arrival in Arrival::ALL {
        let id = UploadId::new(T0);
        let promised = Incoming {
            id,
            owner: owner("a"),
            arrival,
            bytes: Some(500),
            reserved: 500,
            metadata: None,
            created_at: T0,
            expires_at: at(10),
        };
        let kind = if arrival == Arrival::Bucket {
            KeptKind::Bucket
        } else {
            KeptKind::Incoming
        };
        store.incoming_create(promised).await.unwrap();
        assert_eq!(kept(store).await, [(kind, 500)]);
        assert!(store.incoming_reserve(id, 700).await.unwrap());
        assert!(store.incoming_reserve(id, 400).await.unwrap());
        assert_eq!(kept(store).await, [(kind, 400)]);
        let upload = NewUpload {
            id,
            owner: owner("a"),
            info: SOURCE_INFO,
            created_at: T0,
            expires_at: at(10),
        };
        assert!(store.incoming_check(upload).await.unwrap());
        assert_eq!(kept(store).await, [(KeptKind::Upload, SOURCE_INFO.bytes)]);
        assert!(!store.incoming_reserve(id, 700).await.unwrap());
        store.upload_forget(id).await.unwrap();
        assert_eq!(kept(store).await, []);
    }
}

pub(in crate::store) async fn no_number_of_creates_keeps_more_than_the_bound(
    store: Arc<dyn Store>,
) {
    let limit = 3 * SOURCE_INFO.bytes;
    store.bound_storage(StorageCaps {
        owner_bytes: Some(limit),
        ..StorageCaps::default()
    });
    let creates = (0..12).map(|place| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.job_create(new_job(at(place)), None).await })
    });
    let (mut made, mut refused) = (0, 0);
    for create in creates.collect::<Vec<_>>() {
        match create.await.unwrap() {
            Ok(Created::New) => made += 1,
            Err(StoreError::QuotaExceeded(full)) => {
                let bound = StorageBound::Owner;
                assert_eq!(full, QuotaExceeded { bound, limit });
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((made, refused), (3, 9));
    assert_eq!(kept(&*store).await, [(KeptKind::Source, limit)]);
    // One whose picture is still to be fetched takes no room yet, and another owner has its own.
    let by_url = NewJob {
        source: StoredSource::Url("https://a.example/b.png".parse().unwrap()),
        ..new_job(at(50))
    };
    assert_eq!(store.job_create(by_url, None).await.unwrap(), Created::New);
    assert!(store.storage_room(&owner("a"), 0).await.is_ok());
    assert!(store.storage_room(&owner("a"), 1).await.is_err());
    assert!(store.storage_room(&owner("b"), limit).await.is_ok());
}
