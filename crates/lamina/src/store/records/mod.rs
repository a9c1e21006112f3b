//! What the store holds, as its callers see it. Row layouts stay in the implementations; API
//! types stay in `http/`.

mod jobs;
mod kept;
mod leases;
mod stats;
mod submissions;
mod uploads;

pub use jobs::{
    Cancellable, Created, Deletion, Ended, Gone, IdempotencyKey, JobRecord, JobVersion, Lookup,
    NewJob, SourceInfo, StoredSource,
};
pub use kept::{KeptKind, LAYERS_BYTES, QuotaExceeded, StorageBound, StorageUsage};
pub use leases::{Claimed, ClockSeen, FencedWrite, FirstStack, KeptInput, Lease, StepOutput, Want};
pub use stats::{Ledger, LedgerLine, PhaseStats, QueueStats, WaitCounts};
pub use submissions::{Abandoned, Call, Opening, PastRun, Submission, SubmissionState};
pub use uploads::{Arrival, Incoming, NewUpload, UploadRecord};
