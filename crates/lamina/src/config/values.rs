//! Raw settings: a TOML file below the environment, every value as text, and where it came from.
//! Text, because a library that guesses types turns a secret of digits into a number.

use std::collections::BTreeMap;
use std::path::Path;

use super::options::{OPTIONS, OptionDoc};
use super::written;

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {text}")]
pub struct ConfigError {
    /// The option.
    pub name: String,
    /// What it got, what it wants.
    pub text: String,
}

impl ConfigError {
    pub(super) fn new(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            text: text.into(),
        }
    }
}

/// Options that were given, by name.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// Reads the file, then the environment over it. Of `only` some options, whatever the others say is
    /// not looked at, names in the file that are none included. An empty variable counts as not given.
    pub(super) fn load(
        file: Option<&Path>,
        only: Option<&[&str]>,
    ) -> Result<Self, Vec<ConfigError>> {
        let wants = |option: &OptionDoc| only.is_none_or(|names| names.contains(&option.name));
        let mut values = match file {
            Some(path) => Self::from_file(path, only)?,
            None => Self::default(),
        };
        let mut errors = misnamed(wants);
        for option in OPTIONS.iter().filter(|option| wants(option)) {
            if let Some(value) = read_env(option.name, &mut errors) {
                values.0.insert(option.name.to_owned(), value);
            }
            let by_file = format!("{}_FILE", option.name);
            if let Some(path) = option
                .secret
                .then(|| read_env(&by_file, &mut errors))
                .flatten()
            {
                if let Some(fault) = written::fault(&PATH_OF_SECRET, &path) {
                    errors.push(ConfigError::new(&by_file, fault));
                    continue;
                }
                match std::fs::read_to_string(&path) {
                    Ok(text) => {
                        values
                            .0
                            .insert(option.name.to_owned(), plain(&text).to_owned());
                    }
                    Err(error) => errors.push(ConfigError::new(
                        &by_file,
                        format!("cannot read {path}: {error}"),
                    )),
                }
            }
        }
        for option in OPTIONS {
            if let Some(value) = values.0.get(option.name)
                && let Some(fault) = written::fault(option, value)
            {
                errors.push(ConfigError::new(option.name, fault));
            }
        }
        if errors.is_empty() {
            Ok(values)
        } else {
            Err(errors)
        }
    }

    /// Settings given directly, as tests and `lamina split` do.
    pub(super) fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    pub(super) fn overlay<'a>(&mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.0.extend(Self::from_pairs(pairs).0);
    }

    fn from_file(path: &Path, only: Option<&[&str]>) -> Result<Self, Vec<ConfigError>> {
        let shown = path.display();
        let (mut values, mut errors) = (Self::default(), Vec::new());
        for (name, value) in table(path).map_err(|error| vec![error])? {
            let upper = name.to_uppercase();
            let option = OPTIONS.iter().find(|option| option.name == upper);
            if only.is_some_and(|names| !names.contains(&&*upper)) {
                continue;
            }
            match (option.is_some(), as_text(&value)) {
                (false, _) => errors.push(ConfigError::new(
                    &name,
                    format!("is no option of lamina (in {shown})"),
                )),
                (true, None) => errors.push(ConfigError::new(
                    &name,
                    format!("must be a string, a number or true or false (in {shown})"),
                )),
                (true, Some(text)) => {
                    values.0.insert(upper, plain(&text).to_owned());
                }
            }
        }
        if errors.is_empty() {
            Ok(values)
        } else {
            Err(errors)
        }
    }

    /// The text of an option, if it was given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(
            OPTIONS.iter().any(|option| option.name == name),
            "{name} is not in OPTIONS"
        );
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }
}

/// What stands in a file of options.
pub(super) fn table(path: &Path) -> Result<toml::Table, ConfigError> {
    let wrong = |text: String| ConfigError::new(&path.display().to_string(), text);
    let text =
        std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    // The parser's message may repeat the line, and the line may hold a secret.
    text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(0, |span| text[..span.start].lines().count().max(1));
        wrong(format!("is not TOML: {} (line {line})", error.message()))
    })
}

/// The path in a `NAME_FILE` is written like an option that is no secret.
const PATH_OF_SECRET: OptionDoc = OptionDoc {
    name: "NAME_FILE",
    default: "",
    secret: false,
    about: "",
};

/// A value without what stands around it: no option begins or ends with a space, files from Windows
/// end every line with a carriage return, and some of its programs begin them with a byte order mark.
fn plain(value: &str) -> &str {
    value.trim_matches([' ', '\t', '\r', '\n', '\u{feff}'])
}

/// Variables that were meant to be options and are none by their names.
fn misnamed(wants: impl Fn(&OptionDoc) -> bool) -> Vec<ConfigError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut errors = Vec::new();
    for name in names {
        let Some(meant) = written::meant(&name) else {
            continue;
        };
        let is_option = |option: &&OptionDoc| {
            let by_file = meant.strip_suffix("_FILE").filter(|_| option.secret);
            wants(option) && (option.name == meant || by_file == Some(option.name))
        };
        if OPTIONS.iter().any(|option| is_option(&option)) {
            errors.push(ConfigError::new(
                meant,
                format!(
                    "the environment has it under the name {name:?}: docker run --env-file and others take a line as it is; write {meant}=value, without export and spaces, in a file without a byte order mark"
                ),
            ));
        }
    }
    errors
}

fn read_env(name: &str, errors: &mut Vec<ConfigError>) -> Option<String> {
    match std::env::var(name) {
        Ok(value) if !plain(&value).is_empty() => Some(plain(&value).to_owned()),
        Ok(_) | Err(std::env::VarError::NotPresent) => None,
        Err(std::env::VarError::NotUnicode(_)) => {
            errors.push(ConfigError::new(name, "is not valid UTF-8"));
            None
        }
    }
}

fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}
