//! Paths with a slash too many: a base address that ends in one (`//api/jobs`), or an address that
//! does (`/api/jobs/`). They mean what they mean without. Only what no route has is looked at again,
//! so everybody else pays nothing.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tower::{ServiceExt as _, service_fn};

/// The same routes, which find a path with doubled or trailing slashes too.
pub(in crate::http) fn forgiven(routes: Router) -> Router {
    let again = routes.clone();
    routes.fallback_service(service_fn(move |mut request: Request| {
        let again = again.clone();
        async move {
            if let Some(uri) = without(request.uri()) {
                *request.uri_mut() = uri;
            }
            let Ok(response) = again.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    }))
}

/// The address without the slashes that are too many; `None` where there are none.
fn without(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut plain = format!("/{}", parts.join("/"));
    if plain == path {
        return None;
    }
    if let Some(query) = uri.query() {
        plain.push('?');
        plain.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(plain).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slashes_that_are_too_many_go() {
        let plain = |uri: &str| without(&uri.parse().unwrap()).map(|uri| uri.to_string());
        for (uri, wanted) in [
            ("//api/jobs", "/api/jobs"),
            ("///api//jobs///", "/api/jobs"),
            ("/api/jobs/?limit=1", "/api/jobs?limit=1"),
            ("/api/jobs/?next=a//b/", "/api/jobs?next=a//b/"),
            ("/files//jobs/a%2F%2Fb", "/files/jobs/a%2F%2Fb"),
            ("//", "/"),
            ("http://a.example//api/", "http://a.example/api"),
        ] {
            assert_eq!(plain(uri).as_deref(), Some(wanted), "{uri}");
        }
        for uri in ["/", "/api/jobs", "/api/jobs?a=//", "/%2F%2Fapi"] {
            assert_eq!(plain(uri), None, "{uri}");
        }
    }
}
