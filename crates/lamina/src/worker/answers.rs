//! Where layers are, as an engine said of jobs that have to wait for a place to be collected: so it is not asked again then. Addresses
//! alone, until the job is gone or others come some minutes later, and lost without harm: collect asks for what is not here.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

use crate::engines::{LayerContent, LayerSource};
use crate::jobs::{JobId, RequestId, UnixMs};

/// A job that is not collected by then is deleted, or not to be had.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// Jobs whose answers are kept; each takes some hundred bytes a layer.
const MOST: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<JobId, Answer>>);

#[derive(Debug)]
struct Answer {
    request: RequestId,
    layers: Vec<LayerSource>,
    since: UnixMs,
}

impl Answers {
    /// Keeps the answer about a request, if it has no pictures.
    pub(super) fn keep(
        &self,
        job: JobId,
        request: RequestId,
        layers: Vec<LayerSource>,
        now: UnixMs,
    ) {
        let is_url = |layer: &LayerSource| matches!(layer.content, LayerContent::Url(..));
        if !layers.iter().all(is_url) {
            return;
        }
        let mut answers = self.0.lock();
        answers.retain(|_, answer| now.since(answer.since) < KEPT_FOR);
        if answers.len() < MOST {
            let answer = Answer {
                request,
                layers,
                since: now,
            };
            answers.insert(job, answer);
        }
    }

    /// The answer about this request, once.
    pub(super) fn take(
        &self,
        job: JobId,
        request: &RequestId,
        now: UnixMs,
    ) -> Option<Vec<LayerSource>> {
        let answer = self.0.lock().remove(&job)?;
        let is_new = now.since(answer.since) < KEPT_FOR;
        (is_new && answer.request == *request).then_some(answer.layers)
    }

    /// The job is gone.
    pub(super) fn forget(&self, job: JobId) {
        self.0.lock().remove(&job);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use url::Url;

    use super::*;
    use crate::engines::Declared;
    use crate::jobs::LayerLabels;

    fn layers(content: LayerContent) -> Vec<LayerSource> {
        vec![LayerSource {
            labels: LayerLabels::default(),
            content,
        }]
    }

    fn address() -> Vec<LayerSource> {
        let url = Url::parse("https://files.test/1.png").unwrap();
        layers(LayerContent::Url(url, Declared::default()))
    }

    const NOW: UnixMs = UnixMs(1_000_000);

    #[test]
    fn an_answer_is_given_once_for_its_request_and_a_while() {
        let (answers, job) = (Answers::default(), JobId::new(NOW));
        let (one, other) = (RequestId("1".into()), RequestId("2".into()));
        answers.keep(job, one.clone(), address(), NOW);
        assert_eq!(answers.take(job, &one, NOW), Some(address()));
        assert_eq!(answers.take(job, &one, NOW), None);
        answers.keep(job, one.clone(), address(), NOW);
        assert_eq!(answers.take(job, &other, NOW), None);
        answers.keep(job, one.clone(), address(), NOW);
        assert_eq!(answers.take(job, &one, NOW.plus(KEPT_FOR)), None);
    }

    #[test]
    fn pictures_are_not_kept_and_neither_are_too_many_addresses() {
        let (answers, request) = (Answers::default(), RequestId("1".into()));
        let job = JobId::new(NOW);
        let picture = layers(LayerContent::Bytes(Bytes::from_static(b"picture")));
        answers.keep(job, request.clone(), picture, NOW);
        assert_eq!(answers.take(job, &request, NOW), None);
        for _ in 0..MOST {
            answers.keep(JobId::new(NOW), request.clone(), address(), NOW);
        }
        answers.keep(job, request.clone(), address(), NOW);
        assert_eq!(answers.take(job, &request, NOW), None);
        // Those of jobs that nobody came for go when another comes.
        let later = NOW.plus(KEPT_FOR);
        answers.keep(job, request.clone(), address(), later);
        assert_eq!(answers.0.lock().len(), 1);
        answers.forget(job);
        assert_eq!(answers.take(job, &request, later), None);
    }
}
