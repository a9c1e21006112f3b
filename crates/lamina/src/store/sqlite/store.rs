//! The [`Store`] trait over the SQL of the sibling files: which calls read, which write, and which
//! wake whoever waits. No SQL here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    SqliteStore, apply, claim, expiry, incoming, jobs, queue, sources, spending, stats,
    submissions, uploads,
};
use crate::access::SpendCaps;
use crate::jobs::{
    Change, EngineKind, FailureCode, JobId, Moment, Nonce, OwnerId, Phase, RequestId, Stage,
    UnixMs, UploadId,
};
use crate::store::{
    Abandoned, Call, Cancellable, Claimed, ClockSeen, Created, Deletion, DeploymentStore as _,
    Ended, FencedWrite, IdempotencyKey, Incoming, JobRecord, KeptBytes as _, KeptInput, Lease,
    Ledger, Lookup, NewJob, NewUpload, Opening, QueueStats, Signal, StepOutput, Store, StoreError,
    SubmissionState, UploadRecord, WaitCounts, Want,
};

#[async_trait]
impl Store for SqliteStore {
    async fn job_create(
        &self,
        job: NewJob,
        key: Option<IdempotencyKey>,
    ) -> Result<Created, StoreError> {
        let caps = self.storage_caps();
        let created = self.write_and_notify(&self.signal.due, move |db| {
            jobs::create(db, &job, key.as_ref(), caps)
        });
        Ok(created.await??)
    }

    async fn source_bytes(&self, id: JobId) -> Result<Option<Bytes>, StoreError> {
        self.read(move |db| sources::get(db, id)).await
    }

    async fn job_by_key(
        &self,
        owner: &OwnerId,
        key: &IdempotencyKey,
    ) -> Result<Option<Created>, StoreError> {
        let (owner, key) = (owner.clone(), key.clone());
        self.read(move |db| jobs::by_key(db, &owner, &key)).await
    }

    fn job_recent(&self, owner: &OwnerId, id: JobId) -> Option<Arc<JobRecord>> {
        self.threads().ok()?.job_cache.get(owner, id)
    }

    async fn job_get(&self, owner: &OwnerId, id: JobId) -> Result<Lookup, StoreError> {
        let threads = self.threads()?;
        if let Some(job) = threads.job_cache.get(owner, id) {
            return Ok(Lookup::Found(job));
        }
        let (owner, job_cache) = (owner.clone(), Arc::clone(&threads.job_cache));
        let work = move |db: &_| jobs::get_and_keep(db, &owner, id, &job_cache);
        threads.readers.read(work).await
    }

    async fn job_list(
        &self,
        owner: &OwnerId,
        cursor: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| jobs::list(db, &owner, cursor, limit))
            .await
    }

    async fn job_delete(
        &self,
        owner: &OwnerId,
        id: JobId,
        now: UnixMs,
    ) -> Result<Deletion, StoreError> {
        let owner = owner.clone();
        self.forget(Some(&self.signal.erase), move |db| {
            jobs::delete(db, &owner, id, now)
        })
        .await
    }

    async fn job_claim(
        &self,
        worker: &str,
        wants: Vec<Want>,
        now: UnixMs,
        lease: Duration,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (worker, turns) = (worker.to_owned(), Arc::clone(&self.turns));
        self.write(move |db| claim::claim(db, &worker, wants, now, lease, &turns))
            .await
    }

    async fn job_due(&self, now: UnixMs, most: u32) -> Result<[u32; Stage::ALL.len()], StoreError> {
        self.read(move |db| claim::due(db, now, most)).await
    }

    async fn job_next_due(&self, now: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        self.read(move |db| claim::next_due(db, now)).await
    }

    async fn lease_renew(&self, lease: &Lease, until: UnixMs) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write(move |db| queue::renew(db, &lease, until)).await
    }

    async fn lease_release(&self, lease: &Lease) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write_and_notify(&self.signal.due, move |db| queue::release(db, &lease))
            .await
    }

    async fn lease_end_all_others(
        &self,
        worker: &str,
        computed: &[JobId],
        now: UnixMs,
    ) -> Result<u64, StoreError> {
        let (worker, computed) = (worker.to_owned(), computed.to_vec());
        self.write_and_notify(&self.signal.due, move |db| {
            queue::end_all_others(db, &worker, &computed, now)
        })
        .await
    }

    async fn job_apply(
        &self,
        lease: &Lease,
        change: Change,
        output: StepOutput,
        keep: bool,
        moment: Moment,
    ) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        let work = move |db: &_| apply::apply(db, &lease, &change, &output, keep, moment);
        // A kept lease leaves nothing for another claim to find.
        if keep {
            self.write(work).await
        } else {
            self.write_and_notify(&self.signal.due, work).await
        }
    }

    async fn job_wake(&self, id: JobId, nonce: &Nonce, now: UnixMs) -> Result<bool, StoreError> {
        let nonce = nonce.clone();
        self.write_and_notify(&self.signal.due, move |db| {
            queue::wake(db, id, nonce.as_str(), now)
        })
        .await
    }

    async fn job_fail_poisoned(
        &self,
        max_rescues: u32,
        wall: UnixMs,
    ) -> Result<Vec<Ended>, StoreError> {
        self.write(move |db| {
            queue::fail_poisoned(db, max_rescues, wall, &FailureCode::CrashLoop.into())
        })
        .await
    }

    async fn clock_seen(&self) -> Result<Option<ClockSeen>, StoreError> {
        self.read(queue::clock_seen).await
    }

    async fn clock_see(&self, seen: ClockSeen) -> Result<(), StoreError> {
        self.write(move |db| queue::see_clock(db, seen)).await
    }

    async fn queue_shift(&self, millis: i64) -> Result<(), StoreError> {
        self.write_and_notify(&self.signal.due, move |db| queue::shift(db, millis))
            .await
    }

    async fn submission_open(
        &self,
        lease: &Lease,
        nonce: &Nonce,
        call: Call,
        caps: SpendCaps,
        moment: Moment,
    ) -> Result<Opening, StoreError> {
        let (lease, nonce) = (lease.clone(), nonce.clone());
        self.write(move |db| spending::open(db, &lease, &nonce, &call, caps, moment))
            .await
    }

    async fn submission_affordable(
        &self,
        owner: &OwnerId,
        price_microusd: u64,
        caps: SpendCaps,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let owner = owner.clone();
        self.read(move |db| spending::affordable(db, &owner, price_microusd, caps, now))
            .await
    }

    async fn input_keep(&self, lease: &Lease, input: KeptInput) -> Result<FencedWrite, StoreError> {
        let lease = lease.clone();
        self.write(move |db| queue::keep_input(db, &lease, &input))
            .await
    }

    async fn submission_asked(
        &self,
        nonce: &Nonce,
        found: Option<&RequestId>,
    ) -> Result<(), StoreError> {
        let (nonce, found) = (nonce.clone(), found.cloned());
        self.write(move |db| submissions::asked(db, &nonce, found.as_ref()))
            .await
    }

    async fn submission_known(&self, requests: &[RequestId]) -> Result<Vec<RequestId>, StoreError> {
        let requests = requests.to_vec();
        self.read(move |db| submissions::known(db, &requests)).await
    }

    async fn submission_rivals(
        &self,
        engine: EngineKind,
        nonce: &Nonce,
        from: UnixMs,
        to: UnixMs,
    ) -> Result<u64, StoreError> {
        let nonce = nonce.clone();
        self.read(move |db| submissions::rivals(db, engine, &nonce, from, to))
            .await
    }

    async fn submission_abandon(
        &self,
        before: UnixMs,
        now: UnixMs,
        limit: u32,
    ) -> Result<Vec<Abandoned>, StoreError> {
        self.write(move |db| submissions::abandon(db, before, now, limit))
            .await
    }

    async fn submission_close(
        &self,
        nonce: &Nonce,
        state: SubmissionState,
        request: Option<&RequestId>,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        let (nonce, request) = (nonce.clone(), request.cloned());
        self.write(move |db| submissions::close(db, &nonce, state, request.as_ref(), now))
            .await
    }

    async fn submission_adopt(
        &self,
        id: JobId,
        nonce: &Nonce,
        request: &RequestId,
        now: UnixMs,
    ) -> Result<bool, StoreError> {
        let (nonce, request) = (nonce.clone(), request.clone());
        self.write_and_notify(&self.signal.due, move |db| {
            submissions::adopt(db, id, &nonce, &request, now)
        })
        .await
    }

    async fn submission_exists(&self, id: JobId, nonce: &Nonce) -> Result<bool, StoreError> {
        let nonce = nonce.clone();
        self.read(move |db| submissions::exists(db, id, &nonce))
            .await
    }

    async fn submission_unknown_count(&self) -> Result<u64, StoreError> {
        self.read(submissions::unknown_count).await
    }

    async fn engine_durations(
        &self,
        engine: EngineKind,
        limit: u32,
    ) -> Result<Vec<Duration>, StoreError> {
        self.read(move |db| submissions::durations(db, engine, limit))
            .await
    }

    async fn job_expire(&self, now: UnixMs, limit: u32) -> Result<Vec<Ended>, StoreError> {
        self.forget(None, move |db| expiry::expire(db, now, limit))
            .await
    }

    async fn job_overdue(&self, now: UnixMs, limit: u32) -> Result<Vec<JobId>, StoreError> {
        self.read(move |db| expiry::overdue(db, now, limit)).await
    }

    async fn job_erasable(&self, limit: u32, except: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| expiry::erasable(db, limit, &except))
            .await
    }

    async fn job_cancellable(
        &self,
        limit: u32,
        except: &[JobId],
    ) -> Result<Vec<Cancellable>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| expiry::cancellable(db, limit, &except))
            .await
    }

    async fn job_cancelled(&self, id: JobId, now: UnixMs) -> Result<(), StoreError> {
        self.write(move |db| expiry::cancelled(db, id, now)).await
    }

    async fn job_is_live(&self, id: JobId, now: UnixMs) -> Result<bool, StoreError> {
        if let Some(expires_at) = self.threads()?.job_cache.expiry(id) {
            return Ok(expires_at > now);
        }
        self.read(move |db| expiry::is_live(db, id, now)).await
    }

    async fn upload_is_live(&self, id: UploadId, now: UnixMs) -> Result<bool, StoreError> {
        self.read(move |db| uploads::is_live(db, id, now)).await
    }

    async fn job_erased(&self, id: JobId, now: UnixMs) -> Result<(), StoreError> {
        self.forget(None, move |db| expiry::erased(db, id, now))
            .await
    }

    async fn job_forget(&self, before: UnixMs, limit: u32) -> Result<u64, StoreError> {
        self.forget(None, move |db| expiry::forget(db, before, limit))
            .await
    }

    async fn job_with_bytes(&self, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |db| expiry::with_bytes(db, &ids)).await
    }

    async fn job_phase(&self, id: JobId) -> Result<Option<Phase>, StoreError> {
        self.read(move |db| expiry::phase(db, id)).await
    }

    async fn job_counts(&self) -> Result<WaitCounts, StoreError> {
        self.read(queue::counts).await
    }

    async fn upload_create(&self, upload: NewUpload) -> Result<(), StoreError> {
        let caps = self.storage_caps();
        let created = self.write(move |db| uploads::create(db, &upload, caps));
        Ok(created.await??)
    }

    async fn upload_get(
        &self,
        owner: &OwnerId,
        id: UploadId,
        now: UnixMs,
    ) -> Result<Option<UploadRecord>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| uploads::get(db, &owner, id, now)).await
    }

    async fn upload_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| uploads::expired(db, now, limit, &except))
            .await
    }

    async fn upload_forget(&self, id: UploadId) -> Result<(), StoreError> {
        self.forget(None, move |db| uploads::forget(db, id)).await
    }

    async fn incoming_create(&self, upload: Incoming) -> Result<(), StoreError> {
        let caps = self.storage_caps();
        let created = self.write(move |db| incoming::create(db, &upload, caps));
        Ok(created.await??)
    }

    async fn incoming_get(
        &self,
        id: UploadId,
        now: UnixMs,
    ) -> Result<Option<Incoming>, StoreError> {
        self.read(move |db| incoming::get(db, id, now)).await
    }

    async fn incoming_declare(&self, id: UploadId, bytes: u64) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let declared = self.write(move |db| incoming::declare(db, id, bytes, caps));
        Ok(declared.await??)
    }

    async fn incoming_check(&self, upload: NewUpload) -> Result<bool, StoreError> {
        let caps = self.storage_caps();
        let checked = self.forget(None, move |db| incoming::check(db, &upload, caps));
        Ok(checked.await??)
    }

    async fn incoming_expired(
        &self,
        now: UnixMs,
        limit: u32,
        except: &[UploadId],
    ) -> Result<Vec<UploadId>, StoreError> {
        let except = except.to_vec();
        self.read(move |db| incoming::expired(db, now, limit, &except))
            .await
    }

    async fn incoming_forget(&self, id: UploadId) -> Result<(), StoreError> {
        self.forget(None, move |db| incoming::forget(db, id).map(|_| ()))
            .await
    }

    async fn upload_existing(&self, ids: &[UploadId]) -> Result<Vec<UploadId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |db| uploads::existing(db, &ids)).await
    }

    async fn queue_stats(&self, now: UnixMs) -> Result<QueueStats, StoreError> {
        self.read(move |db| stats::queue(db, now)).await
    }

    async fn ledger(&self, now: UnixMs) -> Result<Ledger, StoreError> {
        self.read(move |db| stats::ledger(db, now)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let threads = self.threads()?;
        threads.damage.none()?;
        if !threads.lock.is_in_place() {
            return Err(StoreError::Damaged(
                "the file was moved, removed or replaced under the running service".into(),
            ));
        }
        // An empty write takes the file's write lock and its place in the queue, and syncs nothing.
        let read = self.read(|db| {
            db.prepare_cached("select exists (select 1 from jobs)")?
                .query_row([], |row| row.get::<_, bool>(0))
        });
        let (read, written) = tokio::join!(read, self.write(|_| Ok(())));
        read.and(written)
    }

    fn signal(&self) -> &Signal {
        &self.signal
    }

    async fn close(&self) {
        // What stays is overwritten by the next process; a stop is held up by nothing.
        let _ = self.journal_empty().await;
        if let Some(writer) = self.let_go() {
            // One that panicked has told so.
            let _ = tokio::task::spawn_blocking(move || writer.join()).await;
        }
    }
}
