//! What a connection's requests are answered with.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

/// Answers some requests without a body at once, exactly as the routes would; `None` for all others.
pub(in crate::http) type AtOnce =
    Arc<dyn Fn(&Method, &Uri, &HeaderMap) -> Option<Response> + Send + Sync>;

/// All routes, and what is answered before them.
#[derive(Clone)]
pub struct Edge {
    pub(in crate::http) router: Router,
    pub(in crate::http) at_once: Option<AtOnce>,
}

impl From<Router> for Edge {
    fn from(router: Router) -> Self {
        Self {
            router,
            at_once: None,
        }
    }
}
