//! Raw settings: a TOML file below the environment, every value as text, and where it came from.
//! Text, because a library that guesses types turns a secret of digits into a number.

use std::collections::BTreeMap;
use std::path::Path;

use super::options::OPTIONS;

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
    /// Reads the file, then the environment over it. An empty variable counts as not given.
    pub(super) fn load(file: Option<&Path>) -> Result<Self, Vec<ConfigError>> {
        let mut values = match file {
            Some(path) => Self::from_file(path)?,
            None => Self::default(),
        };
        let mut errors = Vec::new();
        for option in OPTIONS {
            if let Some(value) = read_env(option.name, &mut errors) {
                values.0.insert(option.name.to_owned(), value);
            }
            let by_file = format!("{}_FILE", option.name);
            if let Some(path) = option
                .secret
                .then(|| read_env(&by_file, &mut errors))
                .flatten()
            {
                match std::fs::read_to_string(&path) {
                    Ok(text) => {
                        values.0.insert(
                            option.name.to_owned(),
                            text.trim_end_matches(['\r', '\n']).to_owned(),
                        );
                    }
                    Err(error) => errors.push(ConfigError::new(
                        &by_file,
                        format!("cannot read {path}: {error}"),
                    )),
                }
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

    fn from_file(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let shown = path.display().to_string();
        let wrong = |text: String| vec![ConfigError::new(&shown, text)];
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("cannot be read: {error}")))?;
        // The parser's message may repeat the line, and the line may hold a secret.
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(0, |span| text[..span.start].lines().count().max(1));
            wrong(format!("is not TOML: {} (line {line})", error.message()))
        })?;
        let (mut values, mut errors) = (Self::default(), Vec::new());
        for (name, value) in table {
            let upper = name.to_uppercase();
            match (
                OPTIONS.iter().any(|option| option.name == upper),
                as_text(&value),
            ) {
                (false, _) => errors.push(ConfigError::new(
                    &name,
                    format!("is no option of lamina (in {shown})"),
                )),
                (true, None) => errors.push(ConfigError::new(
                    &name,
                    format!("must be a string, a number or true or false (in {shown})"),
                )),
                (true, Some(text)) => {
                    values.0.insert(upper, text);
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

fn read_env(name: &str, errors: &mut Vec<ConfigError>) -> Option<String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Some(value),
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
