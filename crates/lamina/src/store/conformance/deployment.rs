//! What a store says of the deployment that it belongs to.

use super::*;

pub(in crate::store) async fn a_deployment_is_told_apart_and_its_times_never_go_back(
    store: Arc<dyn Store>,
) {
    let fresh = store.deployment().await.unwrap();
    assert!(fresh.id.len() >= 32 && !fresh.has_rows);
    store.deployment_seen(at(5)).await.unwrap();
    store.deployment_seen(at(3)).await.unwrap();
    store.deployment_adopted(at(4)).await.unwrap();
    store.deployment_adopted(at(2)).await.unwrap();
    create(&*store, T0).await;
    let used = store.deployment().await.unwrap();
    assert_eq!(used.id, fresh.id);
    assert_eq!((used.seen_at, used.adopted_at), (at(5), at(4)));
    assert!(used.has_rows);
    assert!(store.journal_empty().await.unwrap());
}
