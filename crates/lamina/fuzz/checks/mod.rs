//! What the fuzz targets check of the service, and `cargo test` over their seeds. The files beside this one are each a
//! module of the service's module of that name, whose private parts they take; only tests and fuzzing
//! compile them, no other build has a line of them. Each check takes any bytes, and panics where
//! something does not hold that must hold of all.

pub use crate::http::fuzzing::{create, link, upload};

/// Runs a check over the inputs that are kept for its target.
#[cfg(test)]
pub(crate) fn seeds(target: &str, check: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/");
    let files = std::fs::read_dir(format!("{folder}{target}")).expect("the target has seeds");
    let mut count = 0;
    for file in files {
        let path = file.expect("the folder can be listed").path();
        println!("{}", path.display());
        check(&std::fs::read(path).expect("a seed can be read"));
        count += 1;
    }
    assert!(count > 2, "{target} has {count} seeds");
}
