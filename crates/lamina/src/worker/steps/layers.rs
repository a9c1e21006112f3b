//! How many layers of an engine are taken, and how large ones: fixed before anything is read, and held
//! to while it is read. And which of them are in the store, so that a half stack can be taken back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use image_intake::Limits;
use parking_lot::Mutex;

use super::report::{Report, StepError};
use crate::blobs::BlobKey;
use crate::engines::{Declared, LayerSource};
use crate::jobs::{FailureCode, JobId};
use crate::worker::Worker;

/// Most layers of a job: ten can be asked for; the rest is slack for the whole picture as a frame of
/// its own, and for a model that makes one or two more than it was asked.
const MOST_LAYERS: usize = 14;
/// Most bytes of all layers of a job that are fetched: four times what ten of a usual model have.
const MOST_FETCHED_BYTES: u64 = 128 << 20;

/// What is left of the bounds of one job.
#[derive(Debug)]
pub(in crate::worker) struct Bounds {
    fetched: AtomicU64,
}

impl Bounds {
    /// Of an engine in this process, any number is taken.
    pub(in crate::worker) fn of(layers: &[LayerSource], own: bool) -> Result<Self, StepError> {
        if layers.len() > MOST_LAYERS && !own {
            return Err(too_large("layers", layers.len() as u64));
        }
        Ok(Self {
            fetched: AtomicU64::new(0),
        })
    }

    /// What the engine says of a layer, before a byte of it is read.
    pub(in crate::worker) fn declared(
        &self,
        declared: Declared,
        max_bytes: u64,
        limits: &Limits,
    ) -> Result<(), StepError> {
        let beyond = |size: Option<u64>, most: u64| size.filter(|size| *size > most);
        if let Some(bytes) = beyond(declared.bytes, max_bytes) {
            return Err(too_large("bytes", bytes));
        }
        match beyond(declared.pixels, limits.max_pixels) {
            Some(pixels) => Err(too_large("pixels", pixels)),
            None => Ok(()),
        }
    }

    /// So many bytes more.
    pub(in crate::worker) fn fetched(&self, bytes: usize) -> Result<(), StepError> {
        let bytes = bytes as u64;
        let before = self.fetched.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > MOST_FETCHED_BYTES {
            return Err(too_large("bytes in all", before + bytes));
        }
        Ok(())
    }
}

fn too_large(what: &'static str, found: u64) -> StepError {
    tracing::warn!(
        what,
        found,
        "an engine's result is larger than what is taken"
    );
    Report::give_up(FailureCode::EngineOutputTooLarge).into()
}

/// The layers that were written, or were about to be, and their files as far as those are held.
#[derive(Debug)]
pub(in crate::worker) struct Stored {
    keys: Mutex<Vec<BlobKey>>,
    /// None once they are too large, or taken.
    files: Mutex<Option<BTreeMap<u32, Bytes>>>,
    most_bytes: u64,
}

impl Stored {
    /// None yet; files are held until they have more than so many bytes.
    pub(in crate::worker) fn holding(most_bytes: u64) -> Self {
        Self {
            keys: Mutex::default(),
            files: Mutex::new(Some(BTreeMap::new())),
            most_bytes,
        }
    }

    /// Something of the stack goes under this key.
    pub(in crate::worker) fn note(&self, key: BlobKey) {
        self.keys.lock().push(key);
    }

    /// This is the file of a layer, by its order.
    pub(in crate::worker) fn hold(&self, order: u32, file: &Bytes) {
        let mut files = self.files.lock();
        let Some(held) = &mut *files else { return };
        held.insert(order, file.clone());
        let bytes: u64 = held.values().map(|file| file.len() as u64).sum();
        if bytes > self.most_bytes {
            *files = None;
        }
    }

    /// The files, bottom first; none where they were too large.
    pub(in crate::worker) fn take_files(&self) -> Vec<Bytes> {
        let files = self.files.lock().take().unwrap_or_default();
        files.into_values().collect()
    }

    /// A job that is not complete has no layers.
    pub(in crate::worker) async fn take_back(&self, worker: &Worker, job: JobId) {
        let keys = std::mem::take(&mut *self.keys.lock());
        for key in keys {
            if let Err(error) = worker.parts.blobs.remove(&key).await {
                tracing::warn!(%job, %error, "a layer of a stack that is not whole could not be removed; it goes with its job");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_held_whole_or_not_at_all() {
        let held = |most_bytes| {
            let stored = Stored::holding(most_bytes);
            for order in [1, 0, 2] {
                stored.hold(order, &Bytes::from(vec![order as u8; 10]));
            }
            // A later write of the same layer is no second file.
            stored.hold(2, &Bytes::from(vec![9; 10]));
            let firsts = stored.take_files().into_iter().map(|file| file[0]);
            firsts.collect::<Vec<_>>()
        };
        assert_eq!(held(30), [0, 1, 9]);
        // The third is too much, and the fourth alone would not be.
        assert!(held(29).is_empty());
    }

    fn layers(count: usize) -> Vec<LayerSource> {
        let layer = LayerSource {
            labels: crate::jobs::LayerLabels::default(),
            content: crate::engines::LayerContent::Bytes(bytes::Bytes::new()),
        };
        vec![layer; count]
    }

    #[test]
    fn number_size_and_sum_are_held_to_before_and_while_layers_are_read() {
        assert!(Bounds::of(&layers(MOST_LAYERS), false).is_ok());
        assert!(Bounds::of(&layers(MOST_LAYERS + 1), false).is_err());
        assert!(Bounds::of(&layers(MOST_LAYERS + 1), true).is_ok());
        let bounds = Bounds::of(&layers(1), false).unwrap_or_else(|_| panic!("one is few"));
        let limits = Limits {
            max_pixels: 100,
            ..Limits::default()
        };
        let declared = |bytes, pixels| bounds.declared(Declared { bytes, pixels }, 9, &limits);
        assert!(declared(None, None).is_ok());
        assert!(declared(Some(9), Some(100)).is_ok());
        assert!(declared(Some(10), None).is_err());
        assert!(declared(None, Some(101)).is_err());
        let part = (MOST_FETCHED_BYTES / 4) as usize;
        for _ in 0..4 {
            assert!(bounds.fetched(part).is_ok());
        }
        assert!(bounds.fetched(1).is_err());
    }
}
