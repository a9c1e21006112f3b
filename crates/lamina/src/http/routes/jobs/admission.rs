//! Whether one more job is let in: as many as the owner may have at work, and as much as the day's
//! caps leave for the engine it asks for. Asked before a picture is taken in, to save the work; what
//! decides is the store, which counts jobs when it writes one and money when one is submitted.
//!
//! Asks nothing where nothing is bounded, and nothing of money for an engine that costs none.

use std::sync::Arc;

use crate::access::UtcDay;
use crate::http::answer::error::ApiError;
use crate::http::state::ApiState;
use crate::http::state::api_keys::Account;
use crate::jobs::EngineKind;
use crate::store::LAYERS_BYTES;

/// Refuses a job that is one too many, or one that could not be paid for today.
pub(in crate::http) async fn admit(
    state: &ApiState,
    account: &Arc<Account>,
    engine: EngineKind,
) -> Result<(), ApiError> {
    state
        .store
        .storage_room(&account.owner, LAYERS_BYTES)
        .await?;
    let price = state.engines.prices.get(&engine).copied().unwrap_or(0);
    let capped = price > 0 && (state.daily_microusd.is_some() || account.daily_microusd.is_some());
    if account.max_jobs.is_none() && !capped {
        return Ok(());
    }
    let now = state.clock.wall();
    let usage = state
        .store
        .owner_usage(&account.owner, UtcDay::of(now))
        .await?;
    if let Some(limit) = account.max_jobs.filter(|limit| usage.active_jobs >= *limit) {
        return Err(ApiError::TooManyJobs { limit });
    }
    let over =
        |spent: u64, cap: Option<u64>| cap.is_some_and(|cap| spent.saturating_add(price) > cap);
    let whole = over(usage.total_microusd, state.daily_microusd);
    if capped && (whole || over(usage.owner_microusd, account.daily_microusd)) {
        let left = UtcDay::until_next(now).as_secs() + 1;
        return Err(ApiError::SpendLimitReached {
            whole,
            retry_after: u32::try_from(left).unwrap_or(u32::MAX),
        });
    }
    Ok(())
}
