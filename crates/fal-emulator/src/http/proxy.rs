//! `/api/fal/proxy`: the stock clients' proxy convention. The real URL comes in `x-fal-target-url`;
//! only fal's own hosts are understood, and all of them are this emulator.
//!
//! It fetches nothing. Invariant: a target that is not fal's is 400, never a request elsewhere.

use axum::http::Uri;
use url::Url;

/// The route that the official proxies use by default.
pub(super) const ROUTE: &str = "/api/fal/proxy";

/// The path and query under this emulator that mean what `target` means on fal.
pub(super) fn local(target: &str) -> Option<Uri> {
    let target = Url::parse(target)
        .ok()
        .filter(|url| url.scheme() == "https")?;
    let prefix = match target.host_str()? {
        "queue.fal.run" | "rest.fal.ai" | "rest.alpha.fal.ai" => "",
        "fal.run" => "/run",
        _ => return None,
    };
    let query = target
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    format!("{prefix}{}{query}", target.path()).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_fals_hosts_are_targets() {
        let found = |target| local(target).map(|uri| uri.to_string());
        assert_eq!(
            found("https://queue.fal.run/a/b?fal_webhook=x").as_deref(),
            Some("/a/b?fal_webhook=x")
        );
        assert_eq!(found("https://fal.run/a/b").as_deref(), Some("/run/a/b"));
        assert_eq!(found("https://rest.alpha.fal.ai/x").as_deref(), Some("/x"));
        assert_eq!(found("https://example.com/a/b"), None);
        assert_eq!(found("http://queue.fal.run/a/b"), None);
        assert_eq!(found("https://queue.fal.run.example.com/a/b"), None);
    }
}
