//! Room on the disk for a request's body, asked for before a byte of it is taken. Below the floor
//! (`disk.rs`) no picture is let in, by whichever way it comes.

use axum::body::{Body, HttpBody as _};

use crate::disk::{Need, Room};
use crate::http::answer::error::ApiError;
use crate::http::state::ApiState;

/// Room for a body: as large as it says it is, or as it may be where it does not say.
pub(in crate::http) fn for_body(
    state: &ApiState,
    body: &Body,
    most: u64,
) -> Result<Room, ApiError> {
    let bytes = body.size_hint().upper().unwrap_or(most).min(most);
    Ok(state.space.room(bytes, Need::New)?)
}
