//! Defaults, refusals and the list of options.

use super::*;
use crate::blobs::{BucketSettings, BucketStyle};
use crate::engines::{TextLayers, USUAL_LAYERS};

fn errors(pairs: &[(&str, &str)]) -> String {
    let errors = Config::from_pairs(pairs.iter().copied()).expect_err("these options are wrong");
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn without_any_option_it_listens_on_loopback_with_the_embedded_engine() {
    let config = Config::from_pairs([]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.engine, EngineKind::Local);
    assert!(
        matches!(&config.storage, StorageConfig::Folder(folder) if folder.as_path() == Path::new("./data/blobs"))
    );
    assert_eq!(config.job_ttl, Duration::from_secs(24 * 3600));
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let written = OPTIONS
        .iter()
        .filter(|option| !option.default.is_empty())
        .map(|option| (option.name, option.default));
    let written = Config::from_pairs(written).unwrap();
    assert_eq!(
        format!("{written:?}"),
        format!("{:?}", Config::from_pairs([]).unwrap())
    );
}

#[test]
fn one_key_has_one_name_and_opens_one_thing() {
    let key = "0123456789abcdef";
    let named = |names: &[&str]| -> String {
        let pairs: Vec<String> = names.iter().map(|name| format!("{name}:{key}")).collect();
        pairs.join(", ")
    };
    let said = errors(&[("API_KEYS", &named(&["app", "web"]))]);
    assert!(said.contains("app and web have the same key"), "{said}");
    let said = errors(&[("API_KEYS", &named(&["app"])), ("ADMIN_KEY", key)]);
    assert!(said.contains("is the key of app in API_KEYS too"), "{said}");
    assert!(!said.contains(key), "{said}");
    // The same pair twice says the same twice.
    Config::from_pairs([("API_KEYS", named(&["app", "app"]).as_str())]).unwrap();
}

#[test]
fn bytes_that_may_be_kept_are_a_number_or_off() {
    let rules = |owner: &str| {
        let options = [
            ("MAX_STORED_BYTES_PER_KEY", owner),
            ("MAX_STORED_BYTES", "off"),
        ];
        Config::from_pairs(options).map(|config| config.storage_rules)
    };
    assert_eq!(rules("7").unwrap().owner_bytes, Some(7));
    assert_eq!(rules("off").unwrap().owner_bytes, None);
    assert_eq!(rules("off").unwrap().caps(1, Some(9)).total_bytes, None);
    for wrong in ["0", "-1", "4GB", "auto"] {
        assert!(rules(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_fal_key_makes_fal_the_engine() {
    let config = Config::from_pairs([("FAL_KEY", "id-1234:0123456789abcdef")]).unwrap();
    assert_eq!(config.engine, EngineKind::Fal);
    let fal = config.fal.unwrap();
    assert_eq!(
        (fal.way, fal.webhooks, fal.price_microusd),
        (ImageWay::Upload, false, 50_000)
    );
    let config = Config::from_pairs([
        ("FAL_API_KEY", "id-1234:0123456789abcdef"),
        ("PUBLIC_URL", "https://a.example"),
    ])
    .unwrap();
    let fal = config.fal.unwrap();
    assert_eq!((fal.way, fal.webhooks), (ImageWay::Link, true));
}

#[test]
fn a_price_is_read_digit_by_digit() {
    let price = |text| {
        Config::from_pairs([
            ("FAL_KEY", "id-1234:0123456789abcdef"),
            ("FAL_PRICE_USD", text),
        ])
    };
    for (text, microusd) in [
        ("0", 0),
        ("0.05", 50_000),
        ("0.000001", 1),
        ("0.29", 290_000),
        ("1.005", 1_005_000),
        ("999.999999", 999_999_999),
    ] {
        assert_eq!(
            price(text).unwrap().fal.unwrap().price_microusd,
            microusd,
            "{text}"
        );
    }
    for text in [
        "-0.05",
        "NaN",
        "inf",
        "1e-2",
        "5e2",
        "1000",
        "0.0000001",
        "0,05",
        "$0.05",
        "0.05 ",
        ".5",
        "5.",
        "+1",
    ] {
        let said = errors(&[("FAL_PRICE_USD", text)]);
        assert!(
            said.starts_with("FAL_PRICE_USD: expected US dollars"),
            "{text}: {said}"
        );
    }
}

#[test]
fn every_wrong_option_is_named_with_what_it_wants() {
    insta::assert_snapshot!(errors(&[
        ("HOST", "localhost"),
        ("PORT", "99999"),
        ("PUBLIC_URL", "ftp://x"),
        ("STORAGE_URL", "gs://bucket"),
        ("SIGNING_SECRET", "short"),
        ("API_KEYS", "nokey"),
        ("ADMIN_KEY", "short"),
        ("RATE_LIMIT", "fast"),
        ("MAX_JOBS_PER_KEY", "0"),
        ("SPEND_LIMIT_USD_PER_DAY", "-1"),
        ("ALLOWED_HOSTS", "https://a.example"),
        ("ENGINE", "fal"),
        ("JOB_TTL", "200h"),
        ("STOP_GRACE", "soon"),
        ("FETCH_ALLOW_NETS", "10.0.0.0/99"),
        ("FAL_IMAGE", "pigeon"),
        ("FAL_MODEL", "nothing"),
        ("LOG_FORMAT", "xml"),
        ("ALLOW_ANONYMOUS", "perhaps"),
    ]), @r#"
    HOST: expected an IP address such as 127.0.0.1 or 0.0.0.0, got "localhost"
    PORT: expected a number from 0 to 65535, got "99999"
    PUBLIC_URL: expected an address such as https://layers.example.com, without user, ? and #
    STORAGE_URL: expected file:FOLDER or s3://BUCKET/PREFIX, got "gs"
    FAL_IMAGE: expected one of auto, link, bucket, upload, data, got "pigeon"
    FAL_MODEL: expected a model such as fal-ai/qwen-image-layered, got "nothing"
    SIGNING_SECRET: expected at least 32 characters; openssl rand -hex 32 makes one
    API_KEYS: expected name:key,name:key with keys of at least 16 characters; number 1 is not so
    ADMIN_KEY: expected at least 16 characters; openssl rand -hex 32 makes one
    ALLOW_ANONYMOUS: expected one of true, false, 1, 0, yes, no, got "perhaps"
    RATE_LIMIT: expected auto, off or a rate such as 20/s, 600/m or 20/s burst 40, got "fast"
    MAX_JOBS_PER_KEY: expected auto, off or a number of jobs from 1 up, got "0"
    SPEND_LIMIT_USD_PER_DAY: expected US dollars such as 25 or 0.50, from 0 to 1000000, got "-1"
    ALLOWED_HOSTS: expected * or names such as layers.example.com, without scheme, port and path, got "https://a.example"
    ENGINE: is fal, and that needs FAL_API_KEY; set it, or use ENGINE=local
    JOB_TTL: expected at most 168h: pictures are not kept longer than a week
    STOP_GRACE: expected a duration such as 24h, 15m or 30s, got "soon"
    FETCH_ALLOW_NETS: expected networks such as 127.0.0.0/8, or 127.0.0.1/32 for one address, got "10.0.0.0/99"
    LOG_FORMAT: expected one of auto, json, text, got "xml"
    "#);
}

#[test]
fn what_would_be_taken_and_mean_nothing_is_refused() {
    for (name, value) in [
        ("LOG", "verbose"),
        ("LOG", "warning"),
        ("CORS_ORIGINS", "localhost:3000"),
        ("CORS_ORIGINS", "https://a.example;https://b.example"),
        ("CORS_ORIGINS", "https://a.example https://b.example"),
        ("CORS_ORIGINS", "file:///index.html"),
        ("CORS_ORIGINS", "null"),
    ] {
        let said = errors(&[(name, value)]);
        assert!(
            said.starts_with(&format!("{name}: expected")),
            "{value}: {said}"
        );
    }
    for (name, value) in [
        ("LOG", "WARN"),
        ("LOG", "off"),
        ("LOG", "lamina"),
        ("LOG", "info,lamina=debug"),
        (
            "CORS_ORIGINS",
            "http://localhost:3000/, capacitor://localhost,https://[::1]:8443",
        ),
        // As Python, YAML and people write them.
        ("ALLOW_ANONYMOUS", "True"),
        ("ALLOW_ANONYMOUS", "NO"),
        ("LOG_FORMAT", "JSON"),
        ("ENGINE", "Local"),
    ] {
        let read = Config::from_pairs([(name, value)]);
        assert!(read.is_ok(), "{name}={value}: {:?}", read.err());
    }
}

#[test]
fn nothing_is_too_little_of_what_must_be_there() {
    for name in [
        "MAX_IMAGE_BYTES",
        "MAX_IMAGE_PIXELS",
        "MAX_CONNECTIONS",
        "MAX_EVENT_STREAMS",
        "MAX_EVENT_STREAMS_PER_KEY",
        "LOCAL_CONCURRENCY",
    ] {
        let text = errors(&[(name, "0")]);
        assert!(
            text.starts_with(name) && text.contains("at least 1"),
            "{text}"
        );
    }
}

#[test]
fn the_embedded_engine_lists_blocks_and_as_many_layers_as_its_crate_does_unless_told() {
    let local = |pairs: &[(&'static str, &'static str)]| {
        let local = Config::from_pairs(pairs.iter().copied()).unwrap().local;
        (local.text, local.layers)
    };
    assert_eq!(local(&[]), (TextLayers::default(), USUAL_LAYERS));
    let all = [("LOCAL_TEXT", "Lines"), ("LOCAL_LAYERS", "64")];
    assert_eq!(local(&all), (TextLayers::Lines, 64));
    assert_eq!(local(&[("LOCAL_LAYERS", "1")]), (TextLayers::Blocks, 1));
    for number in ["0", "65", "256", "-1", "auto"] {
        let text = errors(&[("LOCAL_LAYERS", number)]);
        let names = text.starts_with("LOCAL_LAYERS") && text.contains("from 1 to 64");
        assert!(names && text.contains(number), "{text}");
    }
    let text = errors(&[("LOCAL_TEXT", "words")]);
    assert!(text.contains("blocks, lines"), "{text}");
}

#[test]
fn onnx_runtime_is_taken_only_by_a_build_that_can_open_it() {
    let library = [("LOCAL_ONNXRUNTIME", "/opt/libonnxruntime.so")];
    if cfg!(feature = "onnxruntime") {
        let config = Config::from_pairs(library).unwrap();
        let wanted = Some(PathBuf::from("/opt/libonnxruntime.so"));
        assert_eq!(config.local.networks.onnxruntime, wanted);
    } else {
        assert!(errors(&library).contains("--features onnxruntime"));
    }
    let none = Config::from_pairs([]).unwrap().local.networks;
    assert_eq!(none, NetworkFiles::default());
}

#[test]
fn no_error_repeats_a_secret() {
    let text = errors(&[
        ("FAL_API_KEY", "hunter2"),
        ("API_KEYS", "app:hunter2"),
        ("SIGNING_SECRET", "hunter2"),
        ("PUBLIC_URL", "https://me:hunter2@example.com"),
    ]);
    assert!(!text.contains("hunter2"), "{text}");
    let config = Config::from_pairs([
        ("FAL_KEY", "id-1234:hunter2hunter2"),
        ("API_KEYS", "app:hunter2hunter2hunter2"),
    ])
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_file_of_the_same_names_is_read_and_unknown_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lamina.toml");
    std::fs::write(&file, "job_ttl = \"2h\"\nMAX_CONNECTIONS = 7\n").unwrap();
    let config = Config::load(Some(&file)).unwrap();
    assert_eq!(
        (config.job_ttl, config.max_connections),
        (Duration::from_secs(7200), 7)
    );
    std::fs::write(&file, "job_tll = \"2h\"\n").unwrap();
    assert!(
        Config::load(Some(&file)).unwrap_err()[0]
            .to_string()
            .contains("job_tll")
    );
    std::fs::write(&file, "API_KEYS = \"app:hunter2hunter2\nPORT = 1\n").unwrap();
    let error = Config::load(Some(&file)).unwrap_err()[0].to_string();
    assert!(
        error.contains("line") && !error.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn names_of_hosts_are_kept_as_browsers_write_them() {
    let names = |text: &str| {
        let config = Config::from_pairs([("ALLOWED_HOSTS", text)]).unwrap();
        config.host_names
    };
    assert_eq!(
        names("Lamina.Local, bücher.example,10.0.0.7,a.example."),
        HostNames::List(vec![
            "lamina.local".into(),
            "xn--bcher-kva.example".into(),
            "a.example".into()
        ])
    );
    assert_eq!(names("*"), HostNames::Any);
    for wrong in ["*.example.com", "a.example:80", "http://a.example", "a/b"] {
        assert!(
            errors(&[("ALLOWED_HOSTS", wrong)]).contains("ALLOWED_HOSTS"),
            "{wrong}"
        );
    }
}

const BUCKET: [(&str, &str); 4] = [
    ("STORAGE_URL", "s3://pictures/lamina"),
    ("S3_ENDPOINT", "https://abc.r2.cloudflarestorage.com"),
    ("S3_ACCESS_KEY_ID", "hunter2id"),
    ("S3_SECRET_ACCESS_KEY", "hunter2hunter2"),
];

fn bucket(more: &[(&'static str, &'static str)]) -> (BucketSettings, bool) {
    let pairs = BUCKET.into_iter().chain(more.iter().copied());
    match Config::from_pairs(pairs).unwrap().storage {
        StorageConfig::Bucket { settings, direct } => (*settings, direct),
        StorageConfig::Folder(folder) => panic!("a folder: {}", folder.display()),
    }
}

#[test]
fn a_bucket_is_named_by_path_at_its_endpoint_and_by_host_at_aws() {
    let (settings, direct) = bucket(&[]);
    assert_eq!(
        (settings.name.as_str(), settings.prefix.as_str(), direct),
        ("pictures", "lamina", true)
    );
    assert_eq!(
        (settings.style, settings.region.as_str()),
        (BucketStyle::Path, "us-east-1")
    );
    let (settings, direct) = bucket(&[
        ("S3_ENDPOINT", ""),
        ("S3_REGION", "eu-central-1"),
        ("STORAGE_LINKS", "lamina"),
    ]);
    assert_eq!((settings.style, direct), (BucketStyle::Host, false));
    assert_eq!(
        settings.endpoint.as_str(),
        "https://s3.eu-central-1.amazonaws.com/"
    );
}

#[test]
fn pictures_reach_fal_from_the_bucket_unless_strangers_cannot_reach_it() {
    let way = |more: &[(&'static str, &'static str)]| {
        let key = ("FAL_KEY", "id-1234:0123456789abcdef");
        let pairs = BUCKET.into_iter().chain([key]).chain(more.iter().copied());
        Config::from_pairs(pairs).unwrap().fal.unwrap().way
    };
    let public = ("PUBLIC_URL", "https://a.example");
    assert_eq!(way(&[]), ImageWay::Bucket);
    assert_eq!(way(&[public]), ImageWay::Bucket);
    assert_eq!(way(&[("STORAGE_LINKS", "lamina")]), ImageWay::Upload);
    assert_eq!(way(&[("STORAGE_LINKS", "lamina"), public]), ImageWay::Link);
    assert_eq!(way(&[("FAL_IMAGE", "data")]), ImageWay::DataUri);
}

#[test]
fn a_bucket_that_is_not_complete_or_not_well_formed_is_refused() {
    insta::assert_snapshot!(errors(&[
        ("STORAGE_URL", "s3://id:hunter2@bucket/../x"),
        ("S3_ENDPOINT", "https://id:hunter2@example.com"),
        ("S3_STYLE", "round"),
        ("S3_REGION", "eu central"),
        ("STORAGE_LINKS", "perhaps"),
    ]), @r#"
    S3_ENDPOINT: expected an address such as https://layers.example.com, without user, ? and #
    S3_STYLE: expected one of auto, path, host, got "round"
    STORAGE_LINKS: expected one of auto, direct, lamina, got "perhaps"
    STORAGE_URL: expected s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, dots, hyphens (and _ in the prefix); the key goes into S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY
    S3_REGION: expected a region such as eu-central-1
    S3_ACCESS_KEY_ID: is not set, and a bucket needs it; S3_ACCESS_KEY_ID_FILE names a file that holds it
    S3_SECRET_ACCESS_KEY: is not set, and a bucket needs it; S3_SECRET_ACCESS_KEY_FILE names a file that holds it
    "#);
    assert!(errors(&[("STORAGE_LINKS", "direct")]).contains("STORAGE_URL=s3://BUCKET"));
    let fal = [
        ("FAL_KEY", "id-1234:0123456789abcdef"),
        ("FAL_IMAGE", "bucket"),
    ];
    assert!(errors(&fal).contains("STORAGE_URL=s3://BUCKET"));
}

#[test]
fn source_prefixes_are_read_and_those_that_are_none_are_named() {
    let prefixes = "https://a.example/x/, https://b.example";
    let config = Config::from_pairs([("FETCH_ALLOW_PREFIXES", prefixes)]).unwrap();
    assert_eq!(config.fetch.allow_prefixes.len(), 2);
    for wrong in [
        "a.example",
        "ftp://a.example/",
        "https://a.example/?x=1",
        "https://u@a.example/",
    ] {
        assert!(errors(&[("FETCH_ALLOW_PREFIXES", wrong)]).contains("FETCH_ALLOW_PREFIXES"));
    }
}
