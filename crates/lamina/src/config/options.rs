//! Every option: its name, its default and what it is for. `docs/configuration.md` and
//! `deploy/.env.example` are held to this list by tests.

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// The environment variable, and the name in the TOML file.
    pub name: &'static str,
    /// The default as it would be written; empty for "not set".
    pub default: &'static str,
    /// Whether it is never shown, and can also be given as `NAME_FILE`.
    pub secret: bool,
    /// What it is for, in a sentence.
    pub about: &'static str,
}

const fn option(name: &'static str, default: &'static str, about: &'static str) -> OptionDoc {
    OptionDoc {
        name,
        default,
        secret: false,
        about,
    }
}

const fn secret(name: &'static str, about: &'static str) -> OptionDoc {
    OptionDoc {
        name,
        default: "",
        secret: true,
        about,
    }
}

/// Every option, in the order of the documentation.
pub const OPTIONS: &[OptionDoc] = &[
    option(
        "HOST",
        "127.0.0.1",
        "Address to listen on. Anything but loopback needs keys or ALLOW_ANONYMOUS.",
    ),
    option("PORT", "8080", "Port to listen on; 0 takes a free one."),
    option(
        "DATABASE_PATH",
        "./data/lamina.db",
        "The SQLite file. One process owns it.",
    ),
    option(
        "STORAGE_URL",
        "",
        "Where pictures are kept: file:FOLDER or s3://BUCKET/PREFIX. Default: the folder blobs beside the database.",
    ),
    option(
        "STORAGE_LINKS",
        "auto",
        "Where links to pictures lead: auto (a bucket answers itself, a folder through lamina), direct or lamina.",
    ),
    option(
        "S3_ENDPOINT",
        "",
        "The API of the bucket, without its name. Default: AWS in S3_REGION.",
    ),
    option(
        "S3_PUBLIC_ENDPOINT",
        "",
        "The same as clients reach it, where that differs; links carry it.",
    ),
    option(
        "S3_REGION",
        "us-east-1",
        "The bucket's region; auto for R2.",
    ),
    option(
        "S3_STYLE",
        "auto",
        "How addresses name the bucket: path (endpoint/bucket), host (bucket.endpoint) or auto (host for AWS, else path).",
    ),
    secret("S3_ACCESS_KEY_ID", "The id of the bucket's key."),
    secret("S3_SECRET_ACCESS_KEY", "The bucket's key."),
    option(
        "PUBLIC_URL",
        "",
        "The address under which clients and fal reach this service. Links start with it.",
    ),
    secret(
        "SIGNING_SECRET",
        "Signs links; at least 32 characters. Several, separated by commas: the first signs, all verify. Made and kept beside the database if not set.",
    ),
    secret(
        "API_KEYS",
        "Who may use /api, as name:key,name:key, beside the keys of the database. A key has at least 16 characters.",
    ),
    secret(
        "ADMIN_KEY",
        "Opens /api/admin, and nothing else; at least 16 characters. The command line sends it with --url.",
    ),
    option(
        "ALLOW_ANONYMOUS",
        "false",
        "Serve a public address without keys.",
    ),
    option(
        "TRUST_PROXY",
        "false",
        "Believe X-Forwarded-Proto, for links when PUBLIC_URL is not set.",
    ),
    option(
        "PAGE",
        "true",
        "Pages for people: / takes a picture apart in the browser, /docs describes the API.",
    ),
    option(
        "ADMIN_PAGE",
        "true",
        "The operator's page at /admin, which opens for ADMIN_KEY or a key made with --admin.",
    ),
    option(
        "CORS_ORIGINS",
        "",
        "Web pages that may call /api: * or origins separated by commas.",
    ),
    option(
        "ALLOWED_HOSTS",
        "",
        "Names under which a service without keys may be asked, besides addresses, localhost and the host of PUBLIC_URL: * or names separated by commas.",
    ),
    option(
        "RATE_LIMIT",
        "auto",
        "Requests to /api for each owner of keys: a rate such as 20/s or 600/m burst 100, off, or auto (50/s burst 100 for callers with a key).",
    ),
    option(
        "MAX_JOBS_PER_KEY",
        "auto",
        "Jobs of each owner that are neither completed nor failed: a number, off, or auto (100 for callers with a key).",
    ),
    option(
        "SPEND_LIMIT_USD_PER_DAY",
        "",
        "Most that engines may cost in a UTC day, in US dollars.",
    ),
    option(
        "SPEND_LIMIT_USD_PER_DAY_PER_KEY",
        "",
        "The same for each owner of keys.",
    ),
    option(
        "MAX_STORED_BYTES",
        "auto",
        "Most bytes of uploads, sources and layers that are kept at once, all owners together: a number, off, or auto (what is kept at the start and nine tenths of what the disk has left; off for a bucket).",
    ),
    option(
        "MAX_STORED_BYTES_PER_KEY",
        "4294967296",
        "The same for each owner of keys; callers without a key are one owner.",
    ),
    option(
        "MAX_INCOMING_BYTES_PER_KEY",
        "536870912",
        "Of those, most bytes of tickets and resumable uploads that no job has used yet, arrived or promised: a number or off.",
    ),
    option(
        "ENGINE",
        "auto",
        "The engine of jobs that do not ask for one: auto (fal when a key is set), fal or local.",
    ),
    option(
        "LOCAL_CONCURRENCY",
        "1",
        "Pictures that the embedded engine splits at once.",
    ),
    option(
        "LOCAL_THREADS",
        "0",
        "Threads of the embedded engine for one picture; 0 takes every core.",
    ),
    option(
        "LOCAL_TEXT",
        "blocks",
        "How the embedded engine gives text: blocks, where lines of one style that stand together are one layer, or lines.",
    ),
    option(
        "LOCAL_LAYERS",
        "12",
        "Most layers of the embedded engine, background included, for a job that names no num_layers; 1 to 64.",
    ),
    option(
        "LOCAL_ONNXRUNTIME",
        "",
        "A shared library of ONNX Runtime for the embedded engine; only a build with the feature onnxruntime takes it.",
    ),
    option(
        "LOCAL_SUBJECT_MODEL",
        "",
        "An ONNX file that marks subjects in photos in place of the built-in network; its contract is in docs/engine.md.",
    ),
    option(
        "LOCAL_FILL_MODEL",
        "",
        "An ONNX file that completes photos under what was cut; its contract is in docs/engine.md.",
    ),
    secret("FAL_API_KEY", "The fal key, as key_id:key_secret."),
    secret(
        "FAL_KEY",
        "The same under fal's own name; FAL_API_KEY wins.",
    ),
    secret(
        "FAL_ADMIN_KEY",
        "A fal key of ADMIN scope, to delete fal's copies as soon as the layers are here. Without it they go by their lifetime.",
    ),
    option(
        "FAL_MODEL",
        "fal-ai/qwen-image-layered",
        "The model at fal.",
    ),
    option(
        "FAL_IMAGE",
        "auto",
        "How a picture reaches fal: auto (bucket where its links are direct, else link when PUBLIC_URL is set, else upload), link, bucket, upload or data.",
    ),
    option(
        "FAL_WEBHOOKS",
        "auto",
        "Whether fal calls back: auto (when PUBLIC_URL is set), true or false.",
    ),
    option(
        "FAL_PRICE_USD",
        "0.05",
        "What one request costs, for the ledger of spending.",
    ),
    option(
        "FAL_QUEUE_URL",
        "https://queue.fal.run",
        "fal's queue; the emulator's in development.",
    ),
    option(
        "FAL_REST_URL",
        "https://rest.fal.ai",
        "fal's storage; the emulator's in development.",
    ),
    option(
        "FAL_JWKS_URL",
        "https://rest.fal.ai/.well-known/jwks.json",
        "The keys of fal's webhooks; the emulator's in development.",
    ),
    option(
        "FAL_PLATFORM_URL",
        "https://api.fal.ai/v1",
        "fal's platform API, which lists requests and deletes; the emulator's in development.",
    ),
    option(
        "SUBMIT_UNKNOWN",
        "fail",
        "When it is not known whether fal took a picture: fail (never pay twice) or retry.",
    ),
    option(
        "SUBMIT_UNKNOWN_GRACE",
        "2m",
        "How long to wait for the webhook that would tell, before fal's list of requests is asked.",
    ),
    option(
        "ENGINE_TIMEOUT",
        "30m",
        "How long an engine may take from accepting a picture to its layers.",
    ),
    option(
        "QUALITY_RETRY",
        "off",
        "A picture is run a second time with another seed, once and for its full price, where the first layers give it back with less than so many decibels (25 is poor, 40 good). The better layers are kept.",
    ),
    option(
        "EMPTY_LAYERS",
        "keep",
        "Layers with nothing on them: keep, as the engine made them, or drop.",
    ),
    option(
        "LAYER_CHECK",
        "full",
        "What is looked at of layers that were fetched: full, or checksums, which decodes nothing and leaves the job without quality, boxes and likenesses.",
    ),
    option(
        "JOB_TTL",
        "24h",
        "How long a job and its pictures are kept, from create; uploads too. At most 168h.",
    ),
    option(
        "CLOCK_STEP_HOLD",
        "1h",
        "How long a clock that leapt ahead must run on before anything expires because of the leap.",
    ),
    option(
        "STOP_GRACE",
        "20s",
        "How long running steps may finish after SIGTERM.",
    ),
    option("FETCH_ALLOW_HTTP", "false", "Open http:// image URLs too."),
    option(
        "FETCH_ALLOW_NETS",
        "",
        "Networks let through the address check, such as 127.0.0.0/8, separated by commas. For development.",
    ),
    option(
        "FETCH_ALLOW_PREFIXES",
        "",
        "Only open image URLs that start with one of these, separated by commas.",
    ),
    option(
        "MAX_IMAGE_BYTES",
        "20971520",
        "The largest image, in bytes.",
    ),
    option(
        "MAX_IMAGE_PIXELS",
        "50000000",
        "The largest image, in pixels.",
    ),
    option(
        "MIN_FREE_DISK_BYTES",
        "auto",
        "Bytes of each disk that stay free: with less left, no picture is taken. auto is a tenth of the disk and at most 512 MiB; off takes pictures until nothing is left.",
    ),
    option(
        "MAX_CONNECTIONS",
        "4096",
        "Connections served at once. One more takes the place of an idle one, or is told to come back; fewer where the system gives too few descriptors.",
    ),
    option(
        "MAX_EVENT_STREAMS",
        "2048",
        "Event streams and waiting reads open at once, all owners together. Over HTTP/1 each takes one of MAX_CONNECTIONS.",
    ),
    option(
        "MAX_EVENT_STREAMS_PER_KEY",
        "512",
        "The same for each owner of keys: a number or off; callers without a key are one owner.",
    ),
    option(
        "METRICS_LISTEN",
        "",
        "Address and port on which /metrics is served for Prometheus; not served if not set.",
    ),
    option(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "An OpenTelemetry collector that takes traces over OTLP/HTTP; none are made if not set.",
    ),
    secret(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "Headers for the collector, as name=value,name=value.",
    ),
    option(
        "OTEL_SERVICE_NAME",
        "lamina",
        "What the service is called in traces.",
    ),
    option(
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "More about the service in traces, as name=value,name=value.",
    ),
    option(
        "OTEL_TRACES_SAMPLER_ARG",
        "1",
        "The part of traces that is kept, 0 to 1; a caller that keeps its trace is followed.",
    ),
    option(
        "LOG",
        "info",
        "What is logged, as a tracing filter such as info,lamina=debug.",
    ),
    option(
        "LOG_FORMAT",
        "auto",
        "json, text, or auto (text on a terminal).",
    ),
];
