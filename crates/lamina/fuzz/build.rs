//! Compiles the counters that C code needs where `cover-cc` gives it coverage; cargo-fuzz has no need of them.

fn main() {
    println!("cargo::rerun-if-changed=coverage.c");
    println!("cargo::rerun-if-env-changed=LAMINA_COVER_C");
    if std::env::var_os("LAMINA_COVER_C").is_some() {
        cc::Build::new()
            .file("coverage.c")
            .cargo_metadata(false)
            .compile("coverage");
        let folder = std::env::var("OUT_DIR").expect("cargo names the folder");
        println!("cargo::rustc-link-search=native={folder}");
        // Whole, since what calls it comes later in the linker's line.
        println!("cargo::rustc-link-lib=static:+whole-archive=coverage");
    }
}
