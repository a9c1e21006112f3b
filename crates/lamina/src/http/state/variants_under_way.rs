//! How many variants of layers are made at once, and that each is made once: whoever asks for one that is being made waits for it. Fair by owner.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::blobs::BlobKey;
use crate::fair::{Gate, Place};
use crate::jobs::OwnerId;

/// Variants that are made at once. Each holds its layer's file.
const AT_ONCE: usize = 4;
/// Megabytes of layers' files at once.
const MEGABYTES: u32 = 64;

/// Clones share it.
#[derive(Clone, Debug)]
pub(in crate::http) struct VariantsUnderWay {
    places: Gate<OwnerId>,
    turns: Arc<Mutex<HashMap<BlobKey, Weak<Turn<()>>>>>,
}

impl Default for VariantsUnderWay {
    fn default() -> Self {
        Self {
            places: Gate::new(AT_ONCE, MEGABYTES),
            turns: Arc::default(),
        }
    }
}

impl VariantsUnderWay {
    /// The turn to make this one, once nobody else makes it.
    pub(in crate::http) async fn turn(&self, key: BlobKey) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock();
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::new(Turn::new(()));
                turns.insert(key, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }

    /// A place for a layer whose file has so many bytes, once one is free.
    pub(in crate::http) async fn place(&self, owner: &OwnerId, bytes: u64) -> Place<OwnerId> {
        let megabytes = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
        self.places.enter(owner.clone(), megabytes).await
    }
}
