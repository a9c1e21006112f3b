//! Answers about finished jobs, which stay the same until the job is gone: an app that looks again
//! gets the bytes made for the last one. An answer belongs to the very record the store gave, so
//! that nothing here has to be told of a change. Answers about running jobs are never kept, for
//! they tell of the time.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;

use crate::http::answer::error::ApiError;
use crate::http::answer::json::Tagged;
use crate::http::extract::public_base::PublicBase;
use crate::jobs::JobId;
use crate::store::JobRecord;

/// Bytes of bodies that are kept, and about the size of one with four layers.
const BYTES: u64 = 8 << 20;
const USUAL: u64 = 2 << 10;

/// Which of a job's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum Part {
    /// The job.
    Job,
    /// Its layers.
    Layers,
}

/// The answers made last.
#[derive(Debug)]
pub(in crate::http) struct ResponseCache(Cache<(JobId, Part), Kept, Size>);

#[derive(Clone, Debug)]
struct Kept {
    job: Arc<JobRecord>,
    base: PublicBase,
    answer: Tagged,
}

impl ResponseCache {
    /// No answers.
    pub(in crate::http) fn new() -> Self {
        Self(Cache::with_weighter((BYTES / USUAL) as usize, BYTES, Size))
    }

    /// Whether an answer about this job was made before: a look that costs less than one for the job.
    pub(in crate::http) fn has(&self, part: Part, job: JobId) -> bool {
        self.0.contains_key(&(job, part))
    }

    /// The answer about a finished job, if it was made before.
    pub(in crate::http) fn known(
        &self,
        part: Part,
        job: &Arc<JobRecord>,
        base: &PublicBase,
    ) -> Option<Tagged> {
        let kept = self.0.get(&(job.id, part))?;
        (Arc::ptr_eq(&kept.job, job) && kept.base == *base).then_some(kept.answer)
    }

    /// The answer about a finished job, made by `make` unless it is known.
    pub(in crate::http) fn get<T: Serialize>(
        &self,
        part: Part,
        job: &Arc<JobRecord>,
        base: &PublicBase,
        make: impl FnOnce() -> T,
    ) -> Result<Tagged, ApiError> {
        if let Some(answer) = self.known(part, job, base) {
            return Ok(answer);
        }
        let answer = Tagged::of_version(&make(), job.version())?;
        let kept = Kept {
            job: Arc::clone(job),
            base: base.clone(),
            answer: answer.clone(),
        };
        self.0.insert((job.id, part), kept);
        Ok(answer)
    }
}

#[derive(Clone, Debug)]
struct Size;

impl Weighter<(JobId, Part), Kept> for Size {
    fn weight(&self, _: &(JobId, Part), kept: &Kept) -> u64 {
        // The record and its layers are about as large as the text that shows them.
        2 * kept.answer.len() as u64
    }
}
