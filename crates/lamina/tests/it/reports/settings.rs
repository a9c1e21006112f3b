//! Settings as files and shells hand them over, and the command that needs none of them.

use std::collections::BTreeSet;

use image::{Rgba, RgbaImage};
use lamina::config::OPTIONS;

use crate::support::{Process, files, picture, png_bytes};

async fn refused(options: &[(&str, &str)]) -> String {
    let (status, said) = Process::run(&["serve"], options).await;
    assert_eq!(status.code(), Some(2), "{options:?} {said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotes_that_an_env_file_kept_end_the_start_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let secret = "0123456789abcdef0123456789abcdef";
    for (name, value) in [
        ("DATABASE_PATH", format!("\"{database}\"")),
        ("DATABASE_PATH", format!("'{database}'")),
        ("PORT", "\"0\"".to_owned()),
        ("API_KEYS", format!("\"app:{secret}\"")),
        ("API_KEYS", format!("app:\"{secret}\"")),
        ("SIGNING_SECRET", format!("{secret}, \"{secret}\"")),
        ("SIGNING_SECRET", format!("'{secret}'")),
        ("ENGINE", "\"\"".to_owned()),
    ] {
        let said = refused(&[(name, &value)]).await;
        assert!(said.contains(name) && said.contains("quotes"), "{said}");
        assert!(!said.contains(secret), "{said}");
    }
    let said = refused(&[("PORT", "0 # any"), ("DATABASE_PATH", &database)]).await;
    assert!(said.contains("comment"), "{said}");
    let said = refused(&[("export PORT", "0"), ("DATABASE_PATH", &database)]).await;
    assert!(said.contains("PORT") && said.contains("export"), "{said}");
    assert!(files(folder.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spaces_and_line_ends_around_a_value_are_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let options = [
        ("DATABASE_PATH", &*format!("{database}\r")),
        ("PORT", " 0 "),
        ("ENGINE", "local\r\n"),
        ("PUBLIC_URL", "  "),
    ];
    let served = Process::start(&options).await;
    served.kill().await;
    let names: BTreeSet<_> = files(folder.path())
        .into_iter()
        .filter_map(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .collect();
    assert!(names.contains("lamina.db"), "{names:?}");
}

/// What a server may have set of every option: nothing of it is a split's business.
fn of_a_server() -> Vec<(&'static str, &'static str)> {
    let engine = ["FAL_", "LOCAL_", "LOG_FORMAT"];
    let others = OPTIONS.iter().map(|option| option.name);
    let others = others.filter(|name| !engine.iter().any(|begins| name.starts_with(begins)));
    let mut options: Vec<_> = others.map(|name| (name, "nothing that is right")).collect();
    for right in [
        ("STORAGE_URL", "s3://pictures"),
        ("STORAGE_LINKS", "direct"),
        ("S3_ACCESS_KEY_ID", "a"),
        ("S3_SECRET_ACCESS_KEY", "b"),
        ("MAX_IMAGE_BYTES", "10"),
        ("MAX_IMAGE_PIXELS", "10"),
        ("MAX_CONNECTIONS", "1"),
        ("JOB_TTL", "1ms"),
        ("ENGINE_TIMEOUT", "1ms"),
        ("RATE_LIMIT", "1/h"),
        ("SPEND_LIMIT_USD_PER_DAY", "0"),
        ("SIGNING_SECRET_FILE", "/nowhere"),
        ("API_KEYS_FILE", "/nowhere"),
        ("LOCAL_CONCURRENCY", "0"),
        ("FAL_IMAGE", "link"),
        ("FAL_WEBHOOKS", "true"),
    ] {
        options.retain(|(name, _)| *name != right.0);
        options.push(right);
    }
    options
}

async fn split(image: &str, out: &str, options: &[(&str, &str)]) -> (Option<i32>, String) {
    let (status, said) = Process::run(&["split", image, "-o", out], options).await;
    (status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn split_asks_nothing_of_what_a_server_has_set() {
    let folder = tempfile::tempdir().unwrap();
    let (image, out) = (folder.path().join("in.png"), folder.path().join("out"));
    std::fs::write(&image, png_bytes(&picture(64, 48))).unwrap();
    let (image, out) = (image.to_str().unwrap(), out.to_str().unwrap());
    let (code, said) = split(image, out, &of_a_server()).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_reads_how_the_embedded_engine_lists_layers() {
    let folder = tempfile::tempdir().unwrap();
    let image = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/images/design_card.png"
    );
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    for (layers, wanted) in [("1", "1 layers in"), ("3", "3 layers in")] {
        let options = [("LOCAL_LAYERS", layers), ("LOCAL_TEXT", "lines")];
        let (code, said) = split(image, &out, &options).await;
        assert!(code == Some(0) && said.contains(wanted), "{code:?} {said}");
    }
    for (name, value) in [("LOCAL_LAYERS", "65"), ("LOCAL_TEXT", "words")] {
        let (code, said) = split(image, &out, &[(name, value)]).await;
        assert!(code == Some(2) && said.contains(name), "{code:?} {said}");
    }
}

/// Nobody gave it to the split: the file is where a server's start put it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_file_that_cannot_be_read_does_not_stop_a_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("in.png"), png_bytes(&picture(64, 48))).unwrap();
    std::fs::write(path("broken.toml"), "PORT = [").unwrap();
    for file in ["nowhere.toml", "broken.toml"].map(path) {
        let (code, said) = split(&path("in.png"), &path("out"), &[("LAMINA_CONFIG", &file)]).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(&file), "it is told: {said}");
        let given = [
            "--config",
            &file,
            "split",
            &path("in.png"),
            "-o",
            &path("out"),
        ];
        let (status, said) = Process::run(&given, &[]).await;
        assert_eq!(status.code(), Some(2), "one that was given counts: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn split_leaves_no_layer_of_an_earlier_picture_beside_those_of_a_later_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let flat = RgbaImage::from_pixel(64, 48, Rgba([240, 240, 230, 255]));
    std::fs::write(path("several.png"), png_bytes(&picture(240, 180))).unwrap();
    std::fs::write(path("flat.png"), png_bytes(&flat)).unwrap();
    let mut counts = Vec::new();
    for name in ["several.png", "flat.png"] {
        let (code, said) = split(&path(name), &path("out"), &[]).await;
        assert_eq!(code, Some(0), "{said}");
        let manifest = std::fs::read(folder.path().join("out/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["source"], name);
        let layers = manifest["layers"].as_array().unwrap();
        let mut named: BTreeSet<_> = layers
            .iter()
            .map(|layer| layer["file"].as_str().unwrap().to_owned())
            .collect();
        counts.push(named.len());
        named.insert("manifest.json".to_owned());
        let there: BTreeSet<_> = files(&folder.path().join("out"))
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(there, named, "{name}");
    }
    assert!(
        counts[0] > counts[1],
        "{counts:?}: the second picture has fewer layers"
    );
    // What no manifest names is somebody's.
    std::fs::write(folder.path().join("out/layer_77.png"), "somebody's").unwrap();
    let (code, said) = split(&path("flat.png"), &path("out"), &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("layer_77.png"), "{said}");
}
