//! The page at `/`: one file, no script, nothing from elsewhere. It knows no HTTP; `http/routes/page`
//! serves it.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The page.
pub const PAGE: &str = include_str!("index.html");

/// Its Content-Security-Policy: its own style, named by hash, and nothing else.
#[must_use]
pub fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = digest::digest(&digest::SHA256, style().as_bytes());
        format!(
            "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            STANDARD.encode(hash)
        )
    });
    &POLICY
}

/// What stands between the page's style tags, to the letter: that is what a browser hashes.
fn style() -> &'static str {
    let (_, rest) = PAGE.split_once("<style>").unwrap_or_default();
    rest.split_once("</style>").unwrap_or_default().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_style_and_needs_nothing_that_its_policy_forbids() {
        assert!(!style().is_empty());
        assert_eq!(PAGE.matches("<style").count(), 1);
        for forbidden in [
            "<script", " style=", "<img", "<link", "<iframe", "<form", "onclick",
        ] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }
}
