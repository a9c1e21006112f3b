//! From text to checked values, one method for each kind of option. Collects what is wrong; a
//! secret's value is never repeated. What belongs together has a file of its own: `access`, `fal`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::options::OPTIONS;
use super::values::{ConfigError, Values};
use super::{FetchConfig, LocalConfig, LogConfig};
use crate::disk::Floor;
use crate::engines::{NetworkFiles, TextLayers};
use crate::jobs::{EngineKind, LayerCheck, MOST_PLACED, StackRules};
use crate::worker::UnknownPolicy;

pub(super) struct Reader<'a> {
    values: &'a Values,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(values: &'a Values) -> Self {
        Self {
            values,
            errors: Vec::new(),
        }
    }

    pub(super) fn finish<T>(self, read: T) -> Result<T, Vec<ConfigError>> {
        if self.errors.is_empty() {
            Ok(read)
        } else {
            Err(self.errors)
        }
    }

    pub(super) fn wrong(&mut self, name: &str, text: impl Into<String>) {
        self.errors.push(ConfigError::new(name, text));
    }

    /// The option's text, or its default; empty for "not set".
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.values.get(name).unwrap_or(default_of(name))
    }

    /// A value that the type itself can parse. After an error the default stands in, so that the
    /// other options are checked too.
    pub(super) fn parse<T: FromStr>(&mut self, name: &str, wanted: &str) -> T {
        let text = self.text(name);
        text.parse()
            .or_else(|_| {
                self.wrong(name, format!("expected {wanted}, got {text:?}"));
                default_of(name).parse()
            })
            .unwrap_or_else(|_| unreachable!("the default of {name} is tested to parse"))
    }

    pub(super) fn listen(&mut self) -> SocketAddr {
        let host: IpAddr = self.parse("HOST", "an IP address such as 127.0.0.1 or 0.0.0.0");
        let port: u16 = self.parse("PORT", "a number from 0 to 65535");
        SocketAddr::new(host, port)
    }

    /// A number of which nothing is too little.
    pub(super) fn count<T: FromStr + PartialEq + From<u8>>(
        &mut self,
        name: &str,
        wanted: &str,
    ) -> T {
        let parsed: T = self.parse(name, wanted);
        if parsed == T::from(0) {
            self.wrong(name, format!("expected {wanted}, at least 1, got 0"));
        }
        parsed
    }

    pub(super) fn min_free_disk(&mut self) -> Floor {
        let name = "MIN_FREE_DISK_BYTES";
        let text = self.text(name);
        match text {
            "auto" => Floor::Auto,
            "off" => Floor::Bytes(0),
            number => number.parse().map(Floor::Bytes).unwrap_or_else(|_| {
                self.wrong(
                    name,
                    format!("expected auto, off or a number of bytes, got {text:?}"),
                );
                Floor::Auto
            }),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.word(
            name,
            &[
                ("true", true),
                ("false", false),
                ("1", true),
                ("0", false),
                ("yes", true),
                ("no", false),
            ],
        )
    }

    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> T {
        let text = self.text(name);
        if let Some((_, value)) = words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text))
        {
            return *value;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.wrong(
            name,
            format!("expected one of {}, got {text:?}", known.join(", ")),
        );
        words[0].1
    }

    /// A duration in jiff's friendly format, longer than nothing.
    pub(super) fn duration(&mut self, name: &str) -> Duration {
        let text = self.text(name);
        let parsed = text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok());
        parsed
            .filter(|duration| !duration.is_zero())
            .unwrap_or_else(|| {
                self.wrong(
                    name,
                    format!("expected a duration such as 24h, 15m or 30s, got {text:?}"),
                );
                Duration::from_secs(60)
            })
    }

    pub(super) fn job_ttl(&mut self) -> Duration {
        let ttl = self.duration("JOB_TTL");
        if ttl > Duration::from_secs(168 * 3600) {
            self.wrong(
                "JOB_TTL",
                "expected at most 168h: pictures are not kept longer than a week",
            );
        }
        ttl
    }

    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text(name)
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
    }

    pub(super) fn parsed_list<T: FromStr>(&mut self, name: &str, wanted: &str) -> Vec<T> {
        let mut parsed = Vec::new();
        for part in self.list(name) {
            match part.parse() {
                Ok(value) => parsed.push(value),
                Err(_) => self.wrong(name, format!("expected {wanted}, got {part:?}")),
            }
        }
        parsed
    }

    /// An http or https address, without user, query and fragment.
    pub(super) fn base_url(&mut self, name: &str) -> Option<Url> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            let example = match default_of(name) {
                "" => "https://layers.example.com",
                default => default,
            };
            // The text may carry a password.
            self.wrong(
                name,
                format!("expected an address such as {example}, without user, ? and #"),
            );
        }
        url
    }

    pub(super) fn engine(&mut self, has_fal: bool) -> EngineKind {
        let auto = if has_fal {
            EngineKind::Fal
        } else {
            EngineKind::Local
        };
        let mut words = vec![("auto", auto)];
        words.extend(EngineKind::ALL.map(|kind| (kind.as_str(), kind)));
        let kind = self.word("ENGINE", &words);
        if kind == EngineKind::Fal && !has_fal {
            self.wrong(
                "ENGINE",
                "is fal, and that needs FAL_API_KEY; set it, or use ENGINE=local",
            );
        }
        kind
    }

    pub(super) fn local(&mut self) -> LocalConfig {
        let concurrency: usize = self.count("LOCAL_CONCURRENCY", "a number of pictures");
        let threads: usize = self.parse("LOCAL_THREADS", "a number");
        let library = self.text("LOCAL_ONNXRUNTIME");
        if !library.is_empty() && !cfg!(feature = "onnxruntime") {
            self.wrong(
                "LOCAL_ONNXRUNTIME",
                "this lamina was built without the feature onnxruntime; leave the option out, or build with --features onnxruntime",
            );
        }
        LocalConfig {
            concurrency,
            threads: (threads > 0).then_some(threads),
            text: self.word(
                "LOCAL_TEXT",
                &[("blocks", TextLayers::Blocks), ("lines", TextLayers::Lines)],
            ),
            layers: self.local_layers(),
            networks: NetworkFiles {
                onnxruntime: (!library.is_empty()).then(|| PathBuf::from(library)),
                subject_model: self.file("LOCAL_SUBJECT_MODEL"),
                fill_model: self.file("LOCAL_FILL_MODEL"),
            },
        }
    }

    fn local_layers(&mut self) -> u8 {
        let name = "LOCAL_LAYERS";
        let wanted = format!("a number from 1 to {MOST_PLACED}");
        let layers: u8 = self.parse(name, &wanted);
        if !(1..=MOST_PLACED).contains(&usize::from(layers)) {
            self.wrong(name, format!("expected {wanted}, got {layers}"));
        }
        layers
    }

    fn file(&mut self, name: &'static str) -> Option<PathBuf> {
        let path = self.text(name);
        (!path.is_empty()).then(|| PathBuf::from(path))
    }

    pub(super) fn unknown_policy(&mut self) -> UnknownPolicy {
        self.word(
            "SUBMIT_UNKNOWN",
            &[
                ("fail", UnknownPolicy::Fail),
                ("retry", UnknownPolicy::Retry),
            ],
        )
    }

    pub(super) fn stacks(&mut self) -> StackRules {
        let rules = StackRules {
            retry_below_db: self.decibels_or_off("QUALITY_RETRY"),
            drop_empty: self.word("EMPTY_LAYERS", &[("keep", false), ("drop", true)]),
            layer_check: self.word(
                "LAYER_CHECK",
                &[
                    ("full", LayerCheck::Full),
                    ("checksums", LayerCheck::Checksums),
                ],
            ),
        };
        if rules.layer_check == LayerCheck::Checksums
            && (rules.retry_below_db.is_some() || rules.drop_empty)
        {
            self.wrong(
                "LAYER_CHECK",
                "checksums tell neither how good layers are nor whether one is empty; leave QUALITY_RETRY and EMPTY_LAYERS out, or check in full",
            );
        }
        rules
    }

    fn decibels_or_off(&mut self, name: &'static str) -> Option<f32> {
        let text = self.text(name);
        if text == "off" {
            return None;
        }
        let found = text.parse().ok().filter(|db| (1.0..=100.0).contains(db));
        if found.is_none() {
            self.wrong(
                name,
                format!("expected off or a number of decibels from 1 to 100, got {text:?}"),
            );
        }
        found
    }

    pub(super) fn fetch(&mut self) -> FetchConfig {
        FetchConfig {
            allow_http: self.flag("FETCH_ALLOW_HTTP"),
            allow_nets: self.parsed_list(
                "FETCH_ALLOW_NETS",
                "networks such as 127.0.0.0/8, or 127.0.0.1/32 for one address",
            ),
            allow_prefixes: self.parsed_list(
                "FETCH_ALLOW_PREFIXES",
                "URLs such as https://images.example.com/",
            ),
        }
    }

    pub(super) fn metrics_listen(&mut self) -> Option<SocketAddr> {
        let text = self.text("METRICS_LISTEN");
        if text.is_empty() {
            return None;
        }
        let parsed = text.parse();
        if parsed.is_err() {
            self.wrong(
                "METRICS_LISTEN",
                format!("expected an address and a port such as 127.0.0.1:9464 or [::]:9464, got {text:?}"),
            );
        }
        parsed.ok()
    }

    pub(super) fn log(&mut self) -> LogConfig {
        let filter = self.text("LOG").to_owned();
        if filter
            .parse::<tracing_subscriber::filter::Targets>()
            .is_err()
            || is_silent(&filter)
        {
            self.wrong(
                "LOG",
                format!("expected a filter such as info or info,lamina=debug, got {filter:?}"),
            );
        }
        let json = self.word(
            "LOG_FORMAT",
            &[("auto", None), ("json", Some(true)), ("text", Some(false))],
        );
        LogConfig { filter, json }
    }
}

/// The default as text; empty for "not set".
fn default_of(name: &str) -> &'static str {
    let option = OPTIONS.iter().find(|option| option.name == name);
    option.map_or("", |option| option.default)
}

/// Whether a filter is one word that is no level: to the parser the name of a part of some program, so that nothing else is
/// logged.
fn is_silent(filter: &str) -> bool {
    let is_word = filter.bytes().all(|letter| letter.is_ascii_alphabetic());
    is_word
        && filter != "lamina"
        && filter
            .parse::<tracing::level_filters::LevelFilter>()
            .is_err()
}
