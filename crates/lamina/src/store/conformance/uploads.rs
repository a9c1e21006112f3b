//! Uploads, and what was promised to become one.

use super::*;

pub(in crate::store) async fn an_upload_is_its_owners_until_it_expires(store: Arc<dyn Store>) {
    let id = UploadId::new(T0);
    let upload = NewUpload {
        id,
        owner: owner("a"),
        info: SOURCE_INFO,
        created_at: T0,
        expires_at: at(10),
    };
    store.upload_create(upload).await.unwrap();
    assert_eq!(
        store
            .upload_get(&owner("a"), id, at(9))
            .await
            .unwrap()
            .unwrap()
            .info,
        SOURCE_INFO
    );
    assert_eq!(
        store.upload_get(&owner("b"), id, at(9)).await.unwrap(),
        None
    );
    assert_eq!(
        store.upload_get(&owner("a"), id, at(10)).await.unwrap(),
        None
    );
    assert_eq!(store.upload_expired(at(10), 5, &[]).await.unwrap(), [id]);
    assert_eq!(
        store
            .upload_existing(&[id, UploadId::new(at(1))])
            .await
            .unwrap(),
        [id]
    );
    store.upload_forget(id).await.unwrap();
    assert!(store.upload_existing(&[id]).await.unwrap().is_empty());
}

pub(in crate::store) async fn a_promised_upload_becomes_an_upload_once(store: Arc<dyn Store>) {
    let id = UploadId::new(T0);
    let promised = Incoming {
        id,
        owner: owner("a"),
        arrival: Arrival::Resumable,
        bytes: None,
        reserved: 0,
        metadata: Some("name aGk=".into()),
        created_at: T0,
        expires_at: at(10),
    };
    store.incoming_create(promised.clone()).await.unwrap();
    let found = store.incoming_get(id, at(9)).await.unwrap();
    assert_eq!(found, Some(promised.clone()));
    assert_eq!(store.incoming_get(id, at(10)).await.unwrap(), None);
    assert_eq!(store.upload_existing(&[id]).await.unwrap(), [id]);
    assert!(store.incoming_declare(id, 7).await.unwrap());
    assert!(!store.incoming_declare(id, 8).await.unwrap());
    let found = store.incoming_get(id, at(9)).await.unwrap().unwrap();
    assert_eq!(found.bytes, Some(7));

    let upload = NewUpload {
        id,
        owner: owner("a"),
        info: SOURCE_INFO,
        created_at: T0,
        expires_at: at(20),
    };
    assert!(store.incoming_check(upload.clone()).await.unwrap());
    assert!(store.incoming_check(upload.clone()).await.unwrap());
    assert_eq!(store.incoming_get(id, at(9)).await.unwrap(), None);
    assert!(
        store
            .incoming_expired(at(99), 9, &[])
            .await
            .unwrap()
            .is_empty()
    );
    let found = store.upload_get(&owner("a"), id, at(19)).await.unwrap();
    assert_eq!(found.unwrap().info, SOURCE_INFO);
    store.upload_forget(id).await.unwrap();
    assert!(!store.incoming_check(upload).await.unwrap(), "it is gone");
    assert!(store.upload_existing(&[id]).await.unwrap().is_empty());

    store.incoming_create(promised).await.unwrap();
    assert_eq!(store.incoming_expired(at(10), 9, &[]).await.unwrap(), [id]);
    store.incoming_forget(id).await.unwrap();
    assert!(
        store
            .incoming_expired(at(10), 9, &[])
            .await
            .unwrap()
            .is_empty()
    );
}
