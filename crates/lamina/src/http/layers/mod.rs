//! What every request passes on its way to a route, and every answer on its way back.

pub(in crate::http) mod auth;
pub(in crate::http) mod browser_origin;
pub(in crate::http) mod content_encoding;
pub(in crate::http) mod cors;
pub(in crate::http) mod extra_slashes;
pub(in crate::http) mod observe;
pub(in crate::http) mod rate_limit;
pub(in crate::http) mod repeated_headers;
