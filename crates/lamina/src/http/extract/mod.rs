//! What handlers are given of a request, parsed: path, query, range, the address that links begin with.

pub(in crate::http) mod accept;
pub(in crate::http) mod caller;
pub(in crate::http) mod path;
pub(in crate::http) mod public_base;
pub(in crate::http) mod query;
pub(in crate::http) mod range;
pub(in crate::http) mod tus_headers;
pub(in crate::http) mod wait;
