//! Holds the house rules that a compiler cannot: who may use whom, what stays in one place, how long files are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
    ("forecast", &["jobs", "clock", "metrics"]),
    ("compute_log", &["jobs"]),
    ("pool", &["fair", "jobs"]),
    ("exports", &["jobs"]),
    ("store", &["jobs", "access", "clock", "disk", "metrics"]),
    ("blobs", &["jobs", "clock", "disk", "metrics", "trace"]),
    ("tls", &[]),
    (
        "engines",
        &[
            "jobs",
            "clock",
            "blobs",
            "compute_log",
            "fair",
            "forecast",
            "metrics",
            "pool",
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
            "engines",
            "forecast",
            "metrics",
            "pool",
            "trace",
        ],
    ),
    (
        "http",
        &[
            "jobs", "access", "clock", "disk", "exports", "fair", "forecast", "store", "blobs",
            "metrics", "pool", "trace", "web",
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
            "jobs", "access", "blobs", "disk", "engines", "http", "trace", "worker",
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
            "exports",
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

/// The other crates of the workspace and the modules of this one that may name them, besides `app`. The same table
/// stands in ARCHITECTURE.md.
const CRATES: &[(&str, &[&str])] = &[
    (
        "image-intake",
        &["jobs", "pool", "exports", "http", "engines", "worker"],
    ),
    ("safe-fetch", &["worker", "config", "cli"]),
    ("fal-queue", &["engines", "http", "config", "cli"]),
    ("layerize", &["engines"]),
    ("layer-formats", &["exports"]),
    ("layer-upsample", &["worker"]),
];

/// Where only these names of a crate may stand: files that begin so, the crate, and the names. The first that fits
/// counts.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("jobs/", "image-intake", &["BoundingBox", "MediaType"]),
    ("pool.rs", "image-intake", &["ImageError"]),
    (
        "http/receive/picture.rs",
        "image-intake",
        &[
            "Header",
            "Limits",
            "Normalised",
            "decode_base64",
            "header",
            "normalise",
            "normalised_already",
        ],
    ),
    (
        "exports/",
        "image-intake",
        &[
            "LayerRows",
            "LayerVariant",
            "Limits",
            "RgbaImage",
            "encode_png",
            "encode_webp",
            "scale_to",
            "scale_to_fit",
        ],
    ),
    ("http/", "image-intake", &["ImageError", "Limits"]),
    ("config/", "safe-fetch", &["SourcePrefix"]),
    ("cli/", "safe-fetch", &["FetchPolicy"]),
    ("http/", "fal-queue", &["webhook"]),
];

/// Those that use no other crate of the workspace.
const LEAVES: [&str; 6] = [
    "image-intake",
    "safe-fetch",
    "fal-queue",
    "layerize",
    "layer-formats",
    "layer-upsample",
];

/// What decodes pictures or changes their pixels; no crate but `image-intake` may bring one into the program.
const DECODERS: [&str; 6] = ["image", "png", "mozjpeg", "moxcms", "gif", "image-webp"];

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

/// The names that a crate is asked for in a file, tests and comments apart, whether in a `use` or at their place.
fn names_of(krate: &str, text: &str) -> Vec<String> {
    let code = product_lines(text).join("\n");
    let path = format!("{}::", krate.replace('-', "_"));
    let word = |text: &str| {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = Vec::new();
    for part in code.split(&path).skip(1) {
        match part.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => names.extend(list.split(',').map(word)),
            None => names.push(word(part)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn other_crates_are_named_only_where_the_table_allows() {
    let source = root().join("crates/lamina/src");
    let mut wrong = Vec::new();
    let mut users: BTreeSet<(&str, &str)> = BTreeSet::new();
    for file in rust_files(&source)
        .into_iter()
        .filter(|file| !is_test(file))
    {
        let inside = file.strip_prefix(&source).unwrap().to_string_lossy();
        if inside.starts_with("app/") || inside == "lib.rs" || inside == "main.rs" {
            continue;
        }
        let module = inside.split(['/', '.']).next().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        for (krate, modules) in CRATES {
            let names = names_of(krate, &text);
            if names.is_empty() {
                continue;
            }
            if let Some(name) = modules.iter().find(|name| **name == module) {
                users.insert((krate, name));
            } else {
                wrong.push(format!("{inside} uses {krate}"));
            }
            let only = ONLY
                .iter()
                .find(|(place, of, _)| of == krate && inside.starts_with(place));
            let others = names
                .iter()
                .filter(|name| only.is_some_and(|(_, _, known)| !known.contains(&name.as_str())));
            wrong.extend(others.map(|name| format!("{inside} uses {name} of {krate}")));
        }
    }
    assert!(wrong.is_empty(), "not allowed:\n{}", wrong.join("\n"));
    for (krate, modules) in CRATES {
        for module in *modules {
            assert!(
                users.contains(&(*krate, *module)),
                "{module} may use {krate} and does not"
            );
        }
    }
}

/// The crates that a manifest of the workspace names under a heading.
fn dependencies(krate: &str, heading: &str) -> Vec<String> {
    let path = root().join("crates").join(krate).join("Cargo.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let listed = text.lines().skip_while(|line| *line != heading).skip(1);
    listed
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(['.', ' ', '='])?.0.to_owned()))
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

#[test]
fn leaf_crates_use_no_other_crate_of_the_workspace() {
    let members: Vec<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|member| member.unwrap().file_name().into_string().unwrap())
        .collect();
    for leaf in LEAVES {
        let used = dependencies(leaf, "[dependencies]");
        assert!(!used.is_empty(), "{leaf} has a manifest of another form");
        for other in used {
            assert!(!members.contains(&other), "{leaf} uses {other}");
        }
    }
}

#[test]
fn strangers_pictures_are_decoded_by_one_crate_alone() {
    for krate in ["lamina", "safe-fetch", "fal-queue", "layerize"] {
        for other in dependencies(krate, "[dependencies]") {
            assert!(!DECODERS.contains(&&*other), "{krate} uses {other}");
        }
    }
    let used = dependencies("image-intake", "[dependencies]");
    assert!(used.contains(&"mozjpeg".to_owned()), "{used:?}");
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
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("| crate | used by |\n").nth(1).unwrap();
    let rows = table.split("\n\n").next().unwrap().lines().skip(1);
    let found: Vec<(String, BTreeSet<String>)> = rows
        .map(|row| {
            // What stands in brackets says for what.
            let outside: String = row
                .split('(')
                .map(|part| part.rsplit(')').next().unwrap())
                .collect();
            let mut words = outside.split('`').skip(1).step_by(2).map(str::to_owned);
            (words.next().unwrap(), words.collect())
        })
        .collect();
    let expected: Vec<(String, BTreeSet<String>)> = CRATES
        .iter()
        .map(|(krate, modules)| {
            let modules = modules.iter().map(|word| (*word).to_owned());
            ((*krate).to_owned(), modules.collect())
        })
        .collect();
    assert_eq!(found, expected);
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
        // What is not a stranger's: the operator's own addresses, and the collector of traces.
        (
            "reqwest",
            &["cli/", "config/traces.rs", "trace/otlp/send.rs"],
        ),
        ("hyper::client", &["cli/health.rs"]),
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
    for krate in LEAVES.into_iter().chain(["lamina", "fal-emulator"]) {
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
    assert!(*longest <= 400, "{} has {longest} lines", file.display());
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

/// Whether a function begins in this line.
fn begins_function(line: &str) -> bool {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(rest, |(_, rest)| rest),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let words = ["const ", "async ", "fn "];
    let mut line = line;
    for word in words {
        line = match line.strip_prefix(word) {
            Some(_) if word == "fn " => return true,
            Some(rest) => rest,
            None => line,
        };
    }
    false
}

#[test]
fn functions_fit_a_screen() {
    let (mut seen, mut long) = (0, Vec::new());
    for krate in LEAVES.into_iter().chain(["lamina", "fal-emulator"]) {
        for file in rust_files(&root().join("crates").join(krate).join("src")) {
            if is_test(&file) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
            let lines: Vec<&str> = text[..end].lines().collect();
            for (at, line) in lines.iter().enumerate() {
                // A declaration without a body, or a body in one line, is short.
                let opens = lines[at..]
                    .iter()
                    .find(|line| line.ends_with(['{', ';', '}']));
                if !begins_function(line) || !opens.is_some_and(|line| line.ends_with('{')) {
                    continue;
                }
                let indent = &line[..line.len() - line.trim_start().len()];
                let close = |line: &&str| line.strip_prefix(indent) == Some("}");
                let length = 1 + lines[at..].iter().position(close).expect("its end");
                seen += 1;
                if length > 80 {
                    long.push(format!("{}:{} has {length} lines", file.display(), at + 1));
                }
            }
        }
    }
    assert!(seen > 2_000, "only {seen} functions seen");
    assert!(long.is_empty(), "{}", long.join("\n"));
}
