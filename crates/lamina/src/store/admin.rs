//! The store's side of an operator's view: every owner's jobs, what they cost, what is kept. A part
//! of [`super::Store`]; nothing here is for an owner's eyes, and nothing shows a prompt, a source's
//! URL or a nonce.

use std::time::Duration;

use async_trait::async_trait;

use super::{Deletion, Gone, StoreError, SubmissionState};
use crate::access::UtcDay;
use crate::jobs::{EngineKind, JobId, OwnerId, Phase, RequestId, UnixMs};

/// Which jobs are meant; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In one of these phases; empty means any.
    pub phases: Vec<Phase>,
    pub owner: Option<OwnerId>,
    pub engine: Option<EngineKind>,
    /// Failed with this code.
    pub error_code: Option<String>,
}

/// One job, as a list shows it to an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOverview {
    pub id: JobId,
    /// Who owns it.
    pub owner: OwnerId,
    pub phase: Phase,
    /// The engine it runs on.
    pub engine: EngineKind,
    /// Why it failed.
    pub error_code: Option<String>,
    pub created_at: UnixMs,
    /// When it completed or failed.
    pub finished_at: Option<UnixMs>,
    /// When it and its bytes go.
    pub expires_at: UnixMs,
}

/// All that an operator can know of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDetail {
    /// As in a list.
    pub overview: JobOverview,
    /// Why it failed, as a sentence.
    pub error: Option<String>,
    /// When its next step is due.
    pub run_at: UnixMs,
    /// Until when a worker holds it.
    pub lease_until: Option<UnixMs>,
    /// Failed attempts of its phase.
    pub attempt: u32,
    /// How often its process died.
    pub rescues: u32,
    /// When the engine took it.
    pub accepted_at: Option<UnixMs>,
    /// How long the engine worked.
    pub engine_time: Option<Duration>,
    /// When it was deleted or expired.
    pub gone_at: Option<UnixMs>,
    /// Bytes of its stored source.
    pub source_bytes: Option<u64>,
    /// How many layers it has.
    pub layers: u32,
    /// Their bytes.
    pub layer_bytes: u64,
    /// Calls to its engine, oldest first.
    pub submissions: Vec<SubmissionDetail>,
    /// Its steps that did their work or failed, oldest first.
    pub steps: Vec<StepDetail>,
    /// What was told of it by webhooks, oldest first.
    pub deliveries: Vec<DeliveryDetail>,
}

/// A step that did its work or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDetail {
    pub phase: Phase,
    pub ended_at: UnixMs,
    /// How long it ran; of a wait, the last question alone.
    pub took: Duration,
    /// Why it failed.
    pub code: Option<String>,
}

/// One event told to a receiver; neither its address nor its body, which are the owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryDetail {
    pub event: String,
    pub state: String,
    pub attempts: u32,
    pub created_at: UnixMs,
    /// When it was tried last.
    pub tried_at: Option<UnixMs>,
    /// What was answered then.
    pub status: Option<u16>,
    /// Why nothing was, as a stable word.
    pub error: Option<String>,
}

/// One call to an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionDetail {
    /// What became of it.
    pub state: SubmissionState,
    /// The engine's name for it.
    pub request: Option<RequestId>,
    /// Its price, in millionths of a US dollar, as the settings said.
    pub price_microusd: u64,
    /// Whether it could simply be made again, since such a call costs nothing.
    pub repeatable: bool,
    /// When the intent was written.
    pub opened_at: UnixMs,
    /// When its fate was.
    pub closed_at: Option<UnixMs>,
}

/// What a retry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrial {
    /// The job begins anew.
    Done,
    /// It has not failed.
    NotFailed(Phase),
    /// A submission of unknown fate may have been paid, and paying again was not allowed.
    PaymentUnknown,
    /// It was there.
    Gone(Gone),
    /// No job has this id.
    Missing,
}

/// Spending of one owner at one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendingLine {
    pub owner: OwnerId,
    pub engine: EngineKind,
    /// On the day, in millionths of a US dollar.
    pub today_microusd: u64,
    /// In all days that were asked for.
    pub all_microusd: u64,
}

/// What the service has and has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageStats {
    /// Jobs by phase, those that are not forgotten; phases without one are left out.
    pub jobs: Vec<(Phase, u64)>,
    /// Spending, by owner and engine.
    pub spending: Vec<SpendingLine>,
    pub source_bytes: u64,
    pub layer_bytes: u64,
    pub upload_bytes: u64,
}

/// An operator's view.
#[async_trait]
pub trait AdminStore: std::fmt::Debug + Send + Sync {
    /// Jobs of every owner, deleted and expired ones included, newest first, after `cursor`.
    async fn job_list_all(
        &self,
        filter: JobFilter,
        cursor: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobOverview>, StoreError>;
    /// One job of any owner.
    async fn job_detail(&self, id: JobId) -> Result<Option<JobDetail>, StoreError>;
    /// Lets a failed job begin anew and wakes the worker. What the engine has taken is asked for
    /// again and not paid anew; with `pay_again` the job is handed over anew, whatever was paid.
    async fn job_retry(
        &self,
        id: JobId,
        pay_again: bool,
        now: UnixMs,
    ) -> Result<Retrial, StoreError>;
    /// Deletes a job of any owner, as its owner would.
    async fn job_cancel(&self, id: JobId, now: UnixMs) -> Result<Deletion, StoreError>;
    /// Counts and sums; reads every job, so it is for people and not for a poll. Spending is of
    /// `today` and of all days from `since` to it.
    async fn usage_stats(&self, since: UtcDay, today: UtcDay) -> Result<UsageStats, StoreError>;
}
