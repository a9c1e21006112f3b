//! Holds the documents to the code: every link leads somewhere, every code, status, time to try again and option is told as
//! it is, and nothing is told that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use image_intake::ImageError;
use lamina::config::OPTIONS;
use lamina::http::ApiError;
use lamina::jobs::FailureCode;
use lamina::pool::PictureError;
use safe_fetch::{FetchClass, FetchError, Refusal, ShownUrl};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn read(document: &str) -> String {
    let path = root().join(document);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The repository's own Markdown, from its root; what tools fetched or built is not.
fn markdown() -> Vec<PathBuf> {
    const OTHERS: [&str; 5] = ["target", "node_modules", ".git", ".venv", ".dart_tool"];
    let root = root();
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !OTHERS.iter().any(|other| name == *other) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A document's lines outside of its blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect()
}

/// The places of a document that a link can name, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).into_iter().filter_map(|line| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len()).then(|| heading.strip_prefix(' '))?
    });
    headings
        .map(|heading| {
            let kept = heading.trim().to_lowercase();
            let kept = kept
                .chars()
                .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            let name: String = kept.collect::<String>().replace(' ', "-");
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            match *count {
                1 => name,
                more => format!("{name}-{}", more - 1),
            }
        })
        .collect()
}

/// Where the links of a document lead, as they are written.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text).join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        Some(target.split_whitespace().next()?.to_owned())
    });
    targets.collect()
}

/// Paths of this repository that are told as code, such as `docs/api.md`.
fn told_paths(text: &str) -> Vec<String> {
    const FOLDERS: [&str; 7] = [
        "crates/",
        "docs/",
        "deploy/",
        "testdata/",
        "clients/",
        ".ci/",
        ".cargo/",
    ];
    let prose = prose(text).join("\n");
    let spans = prose.split('`').skip(1).step_by(2).filter(|span| {
        let is_path = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
        FOLDERS.iter().any(|folder| span.starts_with(folder)) && span.chars().all(is_path)
    });
    spans.map(str::to_owned).collect()
}

/// `..` taken away by name, as a browser does.
fn resolved(path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    whole
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in markdown() {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        let folder = document.parent().unwrap();
        for link in links(&text) {
            let is_address = link.contains("://") || link.starts_with("mailto:");
            if is_address {
                continue;
            }
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => document.clone(),
                path => resolved(&folder.join(path)),
            };
            let target = root().join(target);
            if !target.exists() {
                wrong.push(format!("{}: {link} leads nowhere", document.display()));
            } else if !anchor.is_empty()
                && !anchors(&std::fs::read_to_string(&target).unwrap()).contains(anchor)
            {
                wrong.push(format!("{}: no heading makes {link}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 80, "{count} links were found");
}

#[test]
fn every_path_that_a_document_tells_is_there() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for document in markdown() {
        let text = std::fs::read_to_string(root().join(&document)).unwrap();
        let folder = document.parent().unwrap();
        for path in told_paths(&text) {
            count += 1;
            // From the root, or from where the document lies; made by a command that it tells, where it is ignored.
            let is_made = path.ends_with(".venv") || path.ends_with("node_modules");
            let places = [root().join(&path), root().join(folder).join(&path)];
            if !is_made && !places.iter().any(|place| place.exists()) {
                wrong.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
    assert!(count > 40, "{count} paths were found");
}

#[test]
fn headings_and_links_are_read_as_github_reads_them() {
    let text = "# A *b* `c.d` (e)\n## Same\n```sh\n# no heading\n[no](link)\n```\n## Same\n[x](y.md#z \"title\") [q](#same-1)\n";
    let expected = ["a-b-cd-e", "same", "same-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    assert_eq!(links(text), ["y.md#z", "#same-1"]);
}

/// The first and the second cell of each row of the table below a heading of the second level.
fn table(document: &str, heading: &str) -> BTreeMap<String, String> {
    let text = read(document);
    let section = text.split("\n## ").find(|section| {
        let first = section.lines().next();
        first.is_some_and(|line| line.trim() == heading)
    });
    let section = section.unwrap_or_else(|| panic!("{document} has no section {heading}"));
    let mut rows = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let code = cells.next().unwrap().trim_matches('`').to_owned();
        let second = cells.next().unwrap().to_owned();
        let before = rows.insert(code.clone(), second);
        assert!(before.is_none(), "{document} has two rows for {code}");
    }
    rows
}

fn owned<const N: usize>(rows: [(&str, &str); N]) -> BTreeMap<String, String> {
    BTreeMap::from(rows.map(|(code, cell)| (code.to_owned(), cell.to_owned())))
}

#[test]
fn errors_md_tells_every_code_of_requests_with_its_status_and_no_other() {
    let mut found = table("docs/errors.md", "Requests");
    let pictures = table("docs/errors.md", "Pictures");
    found.extend(pictures);
    let mut expected: BTreeMap<String, String> = ApiError::codes()
        .into_iter()
        .map(|(code, status)| (code.to_owned(), status.to_string()))
        .collect();
    // Those of jobs alone.
    expected.extend(owned([(PictureError::BUSY, "–"), ("image_internal", "–")]));
    assert_eq!(found, expected);
}

#[test]
fn errors_md_tells_every_code_of_pictures_and_jobs_and_no_other() {
    let names =
        |document, heading| -> BTreeSet<String> { table(document, heading).into_keys().collect() };
    let known = |codes: &[&str]| -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    };
    let mut pictures = known(&ImageError::CODES);
    pictures.insert(PictureError::BUSY.to_owned());
    assert_eq!(names("docs/errors.md", "Pictures"), pictures);
    let failures = FailureCode::ALL.map(FailureCode::as_str);
    assert_eq!(names("docs/errors.md", "Jobs"), known(&failures));
}

/// One of each way in which a fetch fails.
fn failed_fetches() -> Vec<FetchError> {
    let url = || ShownUrl::from(&"https://images.example/a.png".parse().unwrap());
    let refusals = [
        Refusal::Scheme {
            url: url(),
            allow_http: false,
        },
        Refusal::Credentials { url: url() },
        Refusal::NoHost { url: url() },
        Refusal::Port { url: url() },
        Refusal::Address {
            url: url(),
            range: "loopback",
        },
        Refusal::Source { url: url() },
    ];
    let mut all: Vec<FetchError> = refusals.into_iter().map(FetchError::from).collect();
    all.extend([
        FetchError::Status {
            url: url(),
            status: 404,
        },
        FetchError::TooManyBytes {
            url: url(),
            max_bytes: 1,
        },
        FetchError::TooManyRedirects { url: url(), max: 3 },
        FetchError::RedirectLoop { url: url() },
        FetchError::BadRedirect { url: url() },
        FetchError::Encoded {
            url: url(),
            coding: "gzip",
        },
        FetchError::Tls {
            url: url(),
            reason: "its certificate has expired",
        },
        FetchError::Dns { url: url() },
        FetchError::Connect { url: url() },
        FetchError::Timeout {
            url: url(),
            phase: "connecting",
            limit: Duration::from_secs(5),
        },
        FetchError::Interrupted { url: url() },
        FetchError::NoHttp { url: url() },
        FetchError::Unavailable {
            url: url(),
            status: 503,
            retry_after: None,
        },
    ]);
    all
}

#[test]
fn errors_md_tells_of_every_code_of_a_url_whether_lamina_asks_again() {
    let expected: BTreeMap<String, String> = failed_fetches()
        .iter()
        .map(|error| {
            let again = match error.class() {
                FetchClass::Retryable => "yes",
                FetchClass::Refused | FetchClass::Permanent => "no",
            };
            (error.code().to_owned(), again.to_owned())
        })
        .collect();
    let seen: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(seen, BTreeSet::from(FetchError::CODES));
    assert_eq!(table("docs/errors.md", "Source URLs"), expected);
}

#[test]
fn errors_md_tells_which_errors_have_a_retry_after() {
    let text = read("docs/errors.md").replace('\n', " ");
    let told = text.split("`Retry-After` comes with ").nth(1).unwrap();
    let told = told.split('.').next().unwrap();
    let words: BTreeSet<&str> = told.split([' ', ',', '`']).collect();
    for (code, status) in ApiError::codes() {
        let is_told = words.contains(code) || words.contains(&*status.to_string());
        let has = ApiError::codes_with_retry_after().contains(code);
        assert_eq!(has, is_told, "{code} ({status}): {told}");
    }
}

#[test]
fn every_option_is_documented_and_in_the_example_file() {
    let text = read("docs/configuration.md");
    let documented: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let example = read("deploy/.env.example");
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
