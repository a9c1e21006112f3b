//! Holds the house rules that a compiler cannot: who may use whom, how long files are, that every
//! option and every error code is documented.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lamina::config::OPTIONS;
use lamina::fetch::FetchError;
use lamina::http::ApiError;
use lamina::images::ImageError;
use lamina::jobs::FailureCode;

/// Each module and the modules of this crate that it may use; nothing else. The same table stands
/// in ARCHITECTURE.md.
const MAY_USE: &[(&str, &[&str])] = &[
    ("jobs", &[]),
    ("access", &["jobs"]),
    ("clock", &["jobs"]),
    ("disk", &[]),
    ("metrics", &["jobs"]),
    ("trace", &["jobs", "tls"]),
    ("fair", &[]),
    ("compute_log", &["jobs"]),
    ("images", &["fair", "jobs"]),
    ("store", &["jobs", "access", "clock", "disk", "metrics"]),
    ("blobs", &["jobs", "clock", "disk", "metrics", "trace"]),
    ("tls", &[]),
    ("fetch", &["tls"]),
    (
        "engines",
        &[
            "jobs",
            "clock",
            "blobs",
            "compute_log",
            "fair",
            "images",
            "metrics",
            "trace",
        ],
    ),
    ("backup", &["access", "jobs", "store", "blobs", "secret"]),
    (
        "worker",
        &[
            "jobs",
            "access",
            "clock",
            "compute_log",
            "disk",
            "store",
            "blobs",
            "images",
            "fetch",
            "engines",
            "metrics",
            "trace",
        ],
    ),
    (
        "http",
        &[
            "jobs", "access", "clock", "disk", "fair", "store", "blobs", "images", "metrics",
            "trace", "web",
        ],
    ),
    ("web", &[]),
    ("runtime", &[]),
    ("secret", &[]),
    ("telemetry", &["config", "metrics"]),
    // Names the types that its values become.
    (
        "config",
        &[
            "jobs", "access", "blobs", "disk", "engines", "fetch", "http", "trace", "worker",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "app",
            "backup",
            "blobs",
            "clock",
            "config",
            "engines",
            "fetch",
            "jobs",
            "runtime",
            "store",
            "telemetry",
            "tls",
            "worker",
        ],
    ),
];

/// The same for the folders of `http`, from the innermost out. What lies beside them (`http/mod.rs`, which
/// puts the routes together, and what only tests use) may use all.
const HTTP_MAY_USE: &[(&str, &[&str])] = &[
    ("answer", &[]),
    ("state", &["answer"]),
    ("extract", &["answer", "state"]),
    ("receive", &["answer", "state"]),
    ("layers", &["answer", "state", "extract", "receive"]),
    ("server", &["answer", "state", "receive"]),
    (
        "routes",
        &["answer", "state", "extract", "receive", "layers"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Code without its tests and comments.
fn product_lines(text: &str) -> Vec<&str> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect()
}

fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/tests/") || text.ends_with("/tests.rs") || text.contains("/conformance")
}

/// The modules named by `crate::…` in a line, `use crate::{a, b}` included.
fn used(line: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for part in line.split("crate::").skip(1) {
        let word = |text: &str| {
            text.trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        match part.strip_prefix('{') {
            Some(list) => modules.extend(list.split(',').map(word)),
            None => modules.push(word(part)),
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let source = root().join("crates/lamina/src");
    let mut wrong = Vec::new();
    for file in rust_files(&source)
        .into_iter()
        .filter(|file| !is_test(file))
    {
        let inside = file.strip_prefix(&source).unwrap();
        let module = inside
            .iter()
            .next()
            .unwrap()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if ["app", "lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let allowed = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} is not in the table"));
        let text = std::fs::read_to_string(&file).unwrap();
        for line in product_lines(&text) {
            for other in used(line) {
                if other != module && !allowed.1.contains(&other.as_str()) {
                    wrong.push(format!("{}: {line}", inside.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed:\n{}", wrong.join("\n"));
}

/// The folders of `http` that a line of a file names, `depth` modules below `http`.
fn used_of_http(line: &str, depth: usize) -> Vec<String> {
    let up = "super::".repeat(depth);
    let own = line
        .split(&up)
        .skip(1)
        .filter(|rest| !rest.starts_with("super::"));
    let listed = line.split("crate::http::").skip(1);
    let names = own
        .chain(listed)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(',').collect(),
            None => vec![rest],
        });
    names
        .map(|name| {
            let letters = name
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_');
            letters.collect()
        })
        .collect()
}

#[test]
fn folders_of_http_use_only_what_the_table_allows() {
    let http = root().join("crates/lamina/src/http");
    let known: Vec<&str> = HTTP_MAY_USE.iter().map(|(folder, _)| *folder).collect();
    let mut wrong = Vec::new();
    for file in rust_files(&http).into_iter().filter(|file| !is_test(file)) {
        let inside = file.strip_prefix(&http).unwrap();
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let [folder, .., name] = &parts[..] else {
            continue;
        };
        let allowed = HTTP_MAY_USE.iter().find(|(known, _)| known == folder);
        let allowed = allowed.unwrap_or_else(|| panic!("http/{folder} is not in the table"));
        let depth = parts.len() - usize::from(name == "mod.rs");
        let text = std::fs::read_to_string(&file).unwrap();
        for line in product_lines(&text) {
            for other in used_of_http(line, depth) {
                let is_folder = known.contains(&other.as_str());
                if is_folder && other != *folder && !allowed.1.contains(&other.as_str()) {
                    wrong.push(format!("http/{}: {line}", inside.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed:\n{}", wrong.join("\n"));
}

/// The rows of a table of ARCHITECTURE.md that has a column "may use", which is the last, by what their first
/// cell names below `above`.
fn documented_uses(above: &str) -> Vec<(String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("may use |\n").skip(1).map(|rest| {
        let end = rest.find("\n\n").unwrap_or(rest.len());
        &rest[..end]
    });
    let rows = table.flat_map(str::lines).filter_map(|row| {
        let (first, rest) = row.strip_prefix("| `")?.split_once("` |")?;
        let name = first.strip_prefix(above)?;
        let last = rest.trim_end_matches('|').rsplit('|').next()?;
        let uses = last.split('`').skip(1).step_by(2).map(str::to_owned);
        (!name.contains('/')).then(|| (name.to_owned(), uses.collect()))
    });
    rows.collect()
}

#[test]
fn the_tables_of_architecture_md_are_the_tested_ones() {
    for (above, table) in [("", MAY_USE), ("http/", HTTP_MAY_USE)] {
        let uses = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut expected: Vec<(String, BTreeSet<String>)> = table
            .iter()
            .map(|(name, words)| ((*name).to_owned(), uses(words)))
            .collect();
        let mut found = documented_uses(above);
        // All may be used by the wiring, which the test leaves out.
        found.retain(|(name, _)| name != "app");
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_belongs_to_one_place_stays_there() {
    let source = root().join("crates/lamina/src");
    let rules: &[(&str, &[&str])] = &[
        ("std::env::var", &["config/"]),
        ("Timestamp::now", &["clock.rs"]),
        ("SystemTime::now", &[]),
        (
            "axum::",
            &["http/", "app/mod.rs", "app/metrics_listener.rs"],
        ),
        ("rusqlite", &["store/"]),
        ("tokio::signal", &["app/run.rs"]),
    ];
    let mut wrong = Vec::new();
    for file in rust_files(&source)
        .into_iter()
        .filter(|file| !is_test(file))
    {
        let inside = file
            .strip_prefix(&source)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        for (words, places) in rules {
            if places.iter().any(|place| inside.starts_with(place)) {
                continue;
            }
            wrong.extend(
                product_lines(&text)
                    .iter()
                    .filter(|line| line.contains(words))
                    .map(|line| format!("{inside}: {line}")),
            );
        }
    }
    assert!(wrong.is_empty(), "out of place:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_one_noun_each_and_open_with_what_they_are() {
    let mut sizes = Vec::new();
    for krate in ["lamina", "layerize", "fal-queue", "fal-emulator"] {
        for file in rust_files(&root().join("crates").join(krate).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("//!"),
                "{} does not say what it is",
                file.display()
            );
            if !is_test(&file) {
                let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
                sizes.push((text[..end].lines().count(), file));
            }
        }
    }
    sizes.sort();
    let share = |part: f64| sizes[((sizes.len() - 1) as f64 * part) as usize].0;
    let (longest, file) = sizes.last().unwrap();
    assert!(*longest <= 500, "{} has {longest} lines", file.display());
    assert!(
        share(0.9) <= 350,
        "nine in ten files are to stay under 350 lines, found {}",
        share(0.9)
    );
    assert!(
        share(0.5) <= 160,
        "the median file is to stay near 100 lines, found {}",
        share(0.5)
    );
}

/// The first cells of the tables in a document.
fn documented(document: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(str::to_owned).collect()
}

#[test]
fn every_error_code_is_documented() {
    let documented = documented("docs/errors.md");
    let failures = FailureCode::ALL.map(FailureCode::as_str);
    let problems = ApiError::codes().into_keys();
    let codes = failures
        .into_iter()
        .chain(ImageError::CODES)
        .chain(FetchError::CODES)
        .chain(problems);
    let missing: Vec<&str> = codes.filter(|code| !documented.contains(*code)).collect();
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:?}");
}

#[test]
fn every_option_is_documented_and_in_the_example_file() {
    let documented = documented("docs/configuration.md");
    let example = std::fs::read_to_string(root().join("deploy/.env.example")).unwrap();
    for option in OPTIONS {
        assert!(
            documented.contains(option.name),
            "docs/configuration.md lacks {}",
            option.name
        );
        let line = format!("# {}={}", option.name, option.default);
        assert!(
            example.lines().any(|found| found == line),
            "deploy/.env.example lacks the line {line:?}"
        );
    }
}
