//! Which pictures a database needs: those of its living jobs and uploads, and no half-made ones.

use std::collections::{HashMap, HashSet};

use crate::blobs::BlobKey;
use crate::jobs::{JobId, UploadId};
use crate::store::sqlite::{Living, LivingJob};

/// What a database says is alive, by id.
pub(super) struct Needed {
    jobs: HashMap<JobId, LivingJob>,
    uploads: HashSet<UploadId>,
}

impl Needed {
    pub(super) fn of(living: Living) -> Self {
        Self {
            jobs: living.jobs.into_iter().map(|job| (job.id, job)).collect(),
            uploads: living.uploads.into_iter().collect(),
        }
    }

    /// Whether somebody alive owns the picture. Layers that no row names yet are made again.
    pub(super) fn owns(&self, key: &BlobKey) -> bool {
        match key {
            BlobKey::Source(job, _) | BlobKey::EngineInput(job, _) => self.jobs.contains_key(job),
            BlobKey::Layer(..) => self.digest(key).is_some(),
            // Goes with its layer, and is not counted as missing: the layer is whole without it.
            BlobKey::Fidelity(job, file) => {
                let job = self.jobs.get(job);
                job.is_some_and(|job| job.layers.iter().any(|layer| layer.0 == *file))
            }
            BlobKey::Upload(upload, _) => self.uploads.contains(upload),
            // Made again when it is asked for.
            BlobKey::Variant(..) => false,
            // Nobody has looked at it yet. A backup holds what lamina answers for.
            BlobKey::Incoming(_) => false,
        }
    }

    /// The digest that the database has of a layer, in lower-case hex.
    pub(super) fn digest(&self, key: &BlobKey) -> Option<&str> {
        let BlobKey::Layer(job, file, media) = key else {
            return None;
        };
        let layers = &self.jobs.get(job)?.layers;
        let layer = layers
            .iter()
            .find(|layer| (layer.0, layer.1) == (*file, *media));
        layer.map(|(_, _, sha256)| sha256.as_str())
    }

    /// Jobs that cannot go on, or be shown, because a picture of theirs is not in `there`.
    pub(super) fn without(&self, there: &HashSet<BlobKey>) -> Vec<&LivingJob> {
        let lacks = |job: &&LivingJob| must_have(job).any(|key| !there.contains(&key));
        let mut jobs: Vec<&LivingJob> = self.jobs.values().filter(lacks).collect();
        jobs.sort_unstable_by_key(|job| job.id.to_string());
        jobs
    }

    pub(super) fn has_job(&self, job: &JobId) -> bool {
        self.jobs.contains_key(job)
    }

    pub(super) fn has_upload(&self, upload: &UploadId) -> bool {
        self.uploads.contains(upload)
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn uploads(&self) -> usize {
        self.uploads.len()
    }
}

fn must_have(job: &LivingJob) -> impl Iterator<Item = BlobKey> {
    let source = job
        .source
        .filter(|_| !job.phase.is_terminal())
        .map(|media| BlobKey::Source(job.id, media));
    let layers = job.layers.iter();
    let layers = layers.map(|(file, media, _)| BlobKey::Layer(job.id, *file, *media));
    source.into_iter().chain(layers)
}
