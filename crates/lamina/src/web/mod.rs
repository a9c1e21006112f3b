//! The pages for people at `/`, `/docs` and `/admin`: the files of `crates/lamina/page`, inside the program, plain
//! modules and style sheets as browsers take them, nothing built and nothing from elsewhere. It knows no HTTP;
//! `http/routes/page` serves it.

use std::io::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The page at `/`.
pub const INDEX: &str = "index.html";
/// The page at `/docs`.
pub const DOCS: &str = "docs.html";
/// The operator's page at `/admin`.
pub const ADMIN: &str = "admin/admin.html";
/// The pages themselves, which are served under their own addresses alone.
pub const PAGES: [&str; 3] = [INDEX, DOCS, ADMIN];

macro_rules! files {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../../page/", $name)).as_slice())),*] };
}

/// Every file by its path below `crates/lamina/page`; a test compares the list with the folder.
const FILES: &[(&str, &[u8])] = &files![
    "admin/actions.js" "admin/admin.css" "admin/admin.html" "admin/admin.js" "admin/curves.js" "admin/jobs.js" "admin/keys.js"
    "admin/now.js" "admin/story.js" "admin/table.js" "api.js" "app.js" "base.css" "bench.css" "code.js" "compare.js" "docs.css" "docs.html" "docs.js" "dom.js" "examples.js"
    "gestures.js" "hero-0.webp" "hero-1.webp" "hero-2.webp" "hero-3.webp" "history.js" "icon.svg" "index.html"
    "intake.js" "notice.js" "options.js" "panel.js" "pixels.js" "png.js" "progress.js" "proof.js" "prove.js"
    "recent.js" "run.js" "samples/card.webp" "samples/coffee.webp" "samples/poster.webp" "stack.js" "stage.js"
    "start.css" "takes.js" "tilted.js" "watch.js" "words.js" "zip.js"
];

/// One file as it is served.
#[derive(Debug)]
pub struct Asset {
    /// Its path below `/page/`.
    pub name: &'static str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The bytes.
    pub plain: &'static [u8],
    /// The same compressed by gzip, for text alone: pictures are compressed already.
    pub gzip: Option<Vec<u8>>,
    /// The hash of the bytes, for an `ETag`.
    pub hash: String,
}

/// The file of this path.
#[must_use]
pub fn asset(name: &str) -> Option<&'static Asset> {
    assets().iter().find(|asset| asset.name == name)
}

/// Every file, compressed at the first call.
pub fn assets() -> &'static [Asset] {
    static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
        let made = |&(name, plain): &(&'static str, &'static [u8])| Asset::new(name, plain);
        FILES.iter().map(made).collect()
    });
    &ASSETS
}

impl Asset {
    fn new(name: &'static str, plain: &'static [u8]) -> Self {
        let content_type = content_type(name);
        let hash = digest::digest(&digest::SHA256, plain);
        let is_picture = content_type == "image/webp";
        Self {
            name,
            content_type,
            plain,
            gzip: (!is_picture).then(|| gzip(plain)).flatten(),
            hash: URL_SAFE_NO_PAD.encode(&hash.as_ref()[..18]),
        }
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    }
}

/// `None` if compressing fails, which memory alone could cause; the plain bytes do as well.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Most bytes of all files that the page at `/` loads, compressed and without samples.
    const MOST_PAGE_BYTES: usize = 150_000;

    fn in_folder(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                in_folder(&entry.path(), &format!("{name}/"), found);
            } else if !name.ends_with(".md") {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let mut found = BTreeSet::new();
        in_folder(&folder, "", &mut found);
        let served: BTreeSet<String> = assets().iter().map(|a| a.name.to_owned()).collect();
        assert_eq!(served, found);
        assert!(
            assets()
                .iter()
                .all(|a| a.content_type != "application/octet-stream")
        );
    }

    #[test]
    fn the_page_stays_small() {
        let sent = |asset: &Asset| asset.gzip.as_ref().map_or(asset.plain.len(), Vec::len);
        let page = assets().iter().filter(|asset| {
            !["samples/", "admin/"]
                .iter()
                .any(|below| asset.name.starts_with(below))
        });
        let bytes: usize = page.map(sent).sum();
        assert!(bytes <= MOST_PAGE_BYTES, "{bytes}");
    }

    #[test]
    fn the_pages_hold_nothing_that_their_policy_forbids_and_nothing_from_elsewhere() {
        for name in PAGES {
            let page = std::str::from_utf8(asset(name).unwrap().plain).unwrap();
            for forbidden in [
                "<style",
                " style=",
                "<iframe",
                " onclick",
                "javascript:",
                "//",
                "<script>",
            ] {
                assert!(!page.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }
}
