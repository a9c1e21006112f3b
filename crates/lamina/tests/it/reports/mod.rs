//! What people send, run into and report of services like this one, tried on the real service with its
//! default settings. `testdata/reports/REPORTS.md` lists the reports; what only the edge or the fetcher decides is
//! tested beside them.

mod links;
mod servers;
mod settings;
mod words;

use std::path::Path;

use crate::support::files;

/// The table names a test in each row; a name that is none would promise what nobody holds.
#[test]
fn every_test_that_the_table_of_reports_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("../../testdata/reports/REPORTS.md")).unwrap();
    let folders = ["src", "tests", "../image-intake/src", "../safe-fetch/src"];
    let sources: String = folders
        .iter()
        .flat_map(|folder| files(&root.join(folder)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.contains("https://")) {
        rows += 1;
        let tests = row.trim_end_matches([' ', '|']).rsplit_once('|').unwrap().1;
        let mut names = 0;
        for name in tests.split('`').skip(1).step_by(2) {
            names += 1;
            assert!(
                sources.contains(&format!("fn {name}(")),
                "{name} is no test"
            );
        }
        assert!(names > 0, "no test is named: {row}");
    }
    assert!(rows >= 18, "{rows}");
}
