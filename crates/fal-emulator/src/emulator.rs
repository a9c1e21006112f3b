//! The handle on a running emulator: its addresses, its script, what it saw, and its end.
//!
//! Nothing here waits by time; what waits, waits for a change. Invariant: when the handle is
//! dropped, the port closes and every task of the emulator ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::fault::Fault;
use crate::handle;
use crate::http;
use crate::inspect::Submission;
use crate::outgoing::Outgoing;
use crate::queue::{Counters, WebhookDelivery};
use crate::shared::Shared;
use crate::uploads::Upload;

/// A fal queue of one's own.
pub struct Emulator {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Emulator {
    /// Binds the address of `config` and serves from then on.
    ///
    /// # Errors
    /// The address cannot be bound, or the outgoing client cannot be set up.
    pub async fn start(config: Config) -> io::Result<Self> {
        let outgoing = Outgoing::new().map_err(io::Error::other)?;
        let listener = TcpListener::bind(config.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config, outgoing));
        let router = http::router(&shared);
        shared.spawn(http::serve(Arc::clone(&shared), listener, router));
        Ok(Self { shared, address })
    }

    /// Ends it: no task, connection or port is left when this returns.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, or `public_url`; no trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        let bound = || format!("http://{}", self.address);
        self.shared.config.public_url.clone().unwrap_or_else(bound)
    }

    /// In place of `https://queue.fal.run`.
    #[must_use]
    pub fn queue_url(&self) -> String {
        self.url()
    }

    /// In place of `https://fal.run`.
    #[must_use]
    pub fn run_url(&self) -> String {
        format!("{}/run", self.url())
    }

    /// In place of `https://rest.fal.ai`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        self.url()
    }

    /// In place of `https://api.fal.ai/v1`.
    #[must_use]
    pub fn platform_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// A key of ADMIN scope that is accepted: the first one configured.
    #[must_use]
    pub fn admin_key(&self) -> String {
        let first = self.shared.config.admin_keys.first();
        first.map_or("any:key", String::as_str).to_owned()
    }

    /// In place of `https://v3.fal.media`.
    #[must_use]
    pub fn cdn_url(&self) -> String {
        self.url()
    }

    /// In place of `https://rest.fal.ai/.well-known/jwks.json`.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.url())
    }

    /// A key that is accepted: the first one configured.
    #[must_use]
    pub fn key(&self) -> String {
        let first = self.shared.config.keys.first();
        first.map_or("any:key", String::as_str).to_owned()
    }

    /// The next submission meets `fault`; called again, the one after it.
    pub fn script(&self, fault: Fault) {
        self.shared.board().script.push(vec![fault]);
    }

    /// The next submissions meet one fault each, in this order.
    pub fn script_many(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut board = self.shared.board();
        for fault in faults {
            board.script.push(vec![fault]);
        }
    }

    /// The next submission meets all of these.
    pub fn script_together(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared
            .board()
            .script
            .push(faults.into_iter().collect());
    }

    /// Every submission whose prompt contains `marker` meets `fault`, until a reset.
    pub fn script_for_prompt(&self, marker: impl Into<String>, fault: Fault) {
        self.shared
            .board()
            .script
            .push_rule(marker.into(), vec![fault], false);
    }

    /// The next submission whose prompt contains `marker` meets `fault`, and no later one does.
    pub fn script_once_for_prompt(&self, marker: impl Into<String>, fault: Fault) {
        self.shared
            .board()
            .script
            .push_rule(marker.into(), vec![fault], true);
    }

    /// Locks or unlocks the account: locked, submissions and uploads are 403 and reads go on.
    pub fn set_locked(&self, locked: bool) {
        self.shared.board().locked = locked;
    }

    /// Whether later requests are held; those that are here keep what they have.
    pub fn set_hold(&self, hold: bool) {
        self.shared.board().hold = hold;
    }

    /// Lets a held request begin its run, at whose end it is held again. False for an unknown id.
    pub fn begin(&self, request_id: &str) -> bool {
        handle::begin(&self.shared, request_id)
    }

    /// Removes every hold from a request and from the answer to its submission. False for an
    /// unknown id.
    pub fn release(&self, request_id: &str) -> bool {
        handle::release(&self.shared, request_id)
    }

    /// Releases a request and waits until it is `COMPLETED`. Never returns for an unknown id.
    pub async fn complete(&self, request_id: &str) {
        handle::release(&self.shared, request_id);
        let done = |board: &crate::queue::Board| board.any_job(request_id)?.is_done().then_some(());
        self.shared.wait_for(done).await;
    }

    /// Adds a line to the log of a request, such as `step 3/28`. False for an unknown id.
    pub fn report(&self, request_id: &str, line: impl Into<String>) -> bool {
        let now_ms = self.shared.config.clock.now_ms();
        let known = {
            let mut board = self.shared.board();
            board.log(request_id, now_ms, line.into());
            board.any_job(request_id).is_some()
        };
        self.shared.changed();
        known
    }

    /// Signs webhooks with a new key from now on.
    pub fn rotate_key(&self) {
        self.shared.signing.rotate();
    }

    /// Lets time pass for results and files; stamps and latencies do not move.
    pub fn skip(&self, time: Duration) {
        self.shared.config.clock.skip(time);
    }

    /// Forgets requests, files, uploads, script, lock and counters, and stops what is at work; the
    /// keys and the hold stay.
    pub fn reset(&self) {
        handle::reset(&self.shared);
    }

    /// Accepted submissions, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Submission> {
        self.shared.board().jobs().map(Submission::of).collect()
    }

    /// One accepted submission.
    #[must_use]
    pub fn request(&self, request_id: &str) -> Option<Submission> {
        self.shared.board().any_job(request_id).map(Submission::of)
    }

    /// Everything that is counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.board().counters
    }

    /// Submissions that were enqueued; refused ones do not count.
    #[must_use]
    pub fn submissions_count(&self) -> u64 {
        self.counters().submissions
    }

    /// Units billed so far.
    #[must_use]
    pub fn billable_units(&self) -> u64 {
        self.counters().billed_units
    }

    /// Dollars billed so far.
    #[must_use]
    pub fn billed_usd(&self) -> f64 {
        handle::usd(&self.shared, self.billable_units())
    }

    /// Ids of requests that a cancellation reached, oldest first.
    #[must_use]
    pub fn cancelled(&self) -> Vec<String> {
        let board = self.shared.board();
        let cancelled = board.jobs().filter(|job| job.cancelled);
        cancelled.map(|job| job.ticket.id.clone()).collect()
    }

    /// Webhook deliveries that ended, oldest first.
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookDelivery> {
        self.shared.board().webhooks.clone()
    }

    /// Finished uploads, oldest first.
    #[must_use]
    pub fn uploads(&self) -> Vec<Upload> {
        self.shared.uploads.finished()
    }

    /// Waits until `n` submissions were accepted since the last reset, and returns them all.
    pub async fn wait_for_submissions(&self, n: u64) -> Vec<Submission> {
        self.wait_until(|counters| counters.submissions >= n).await;
        self.requests()
    }

    /// Waits until so many requests came to an end since the last reset.
    pub async fn wait_for_completed(&self, n: u64) {
        self.wait_until(|counters| counters.completed >= n).await;
    }

    /// Waits until so many webhook deliveries ended since the last reset, and returns them all.
    pub async fn wait_for_webhooks(&self, n: u64) -> Vec<WebhookDelivery> {
        self.wait_until(|counters| counters.webhooks >= n).await;
        self.webhooks()
    }

    /// Waits until the counters satisfy `enough`.
    pub async fn wait_until(&self, enough: impl Fn(&Counters) -> bool) {
        let look = |board: &crate::queue::Board| enough(&board.counters).then_some(());
        self.shared.wait_for(look).await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
