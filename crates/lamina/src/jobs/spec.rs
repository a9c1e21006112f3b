//! A job's validated parameters. The only way to hold a [`JobSpec`] is [`JobSpec::parse`]; what
//! it holds is within its limits and no inner layer checks again. It does not decode the image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::UploadId;

/// The longest `prompt` or `negative_prompt`, in characters.
const MAX_PROMPT_CHARS: usize = 4_000;
/// The longest `image_url`, in bytes.
const MAX_URL_BYTES: usize = 8_192;

/// Where the picture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceInput {
    /// To be fetched.
    Url(Url),
    /// Base64 text, raw or a `data:` URI, not decoded yet.
    Base64(String),
    /// Bytes that were uploaded before.
    Upload(UploadId),
}

/// How many layers are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumLayers {
    /// As many as the engine finds; an engine that must be told a number takes 4.
    Auto,
    /// 1 to 10.
    Count(u8),
}

/// Parameters of the split; `None` means the engine's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Params {
    /// 1 to 10 or auto.
    pub num_layers: Option<NumLayers>,
    /// Describes the whole picture; at most 4,000 characters.
    pub prompt: Option<String>,
    /// At most 4,000 characters.
    pub negative_prompt: Option<String>,
    /// Any u64.
    pub seed: Option<u64>,
    /// 1 to 50.
    pub num_inference_steps: Option<u8>,
    /// 1.0 to 20.0.
    pub guidance_scale: Option<f32>,
}

/// An engine that a job can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// The embedded engine.
    Local,
    /// fal.ai.
    Fal,
}

impl EngineKind {
    /// Every engine.
    pub const ALL: [Self; 2] = [Self::Local, Self::Fal];

    /// The word in the API and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Fal => "fal",
        }
    }

    /// The engine of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Which engine a create asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The service's default.
    #[default]
    Auto,
    /// This one.
    Only(EngineKind),
}

/// The validated body of a create.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// The picture.
    pub source: SourceInput,
    /// The parameters.
    pub params: Params,
    /// The engine.
    pub engine: EngineChoice,
}

/// One thing wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the whole body.
    pub pointer: String,
    /// What is wrong, what is wanted.
    pub detail: String,
}

impl FieldError {
    fn new(field: &str, detail: impl Into<String>) -> Self {
        let pointer = if field.is_empty() {
            String::new()
        } else {
            format!("/{}", escape_pointer(field))
        };
        Self {
            pointer,
            detail: detail.into(),
        }
    }
}

fn escape_pointer(field: &str) -> String {
    field
        .chars()
        .take(64)
        .collect::<String>()
        .replace('~', "~0")
        .replace('/', "~1")
}

type Fields<'a> = BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue>;

/// What parsing a body can come to, beside a spec.
#[derive(Debug)]
pub enum ParseError {
    /// Not JSON at all; the text says where it breaks.
    Syntax(String),
    /// JSON, with these fields wrong.
    Fields(Vec<FieldError>),
}

impl JobSpec {
    /// Parses the body of `POST /api/jobs`. Reports every wrong field, not only the first;
    /// unknown fields are refused; `null` counts as absent.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let whole: &RawValue =
            serde_json::from_slice(body).map_err(|error| ParseError::Syntax(error.to_string()))?;
        let fields: Fields<'_> = serde_json::from_str(whole.get()).map_err(|_| {
            ParseError::Fields(vec![FieldError::new("", "The body must be a JSON object.")])
        })?;
        let mut reader = Reader {
            fields,
            errors: Vec::new(),
        };
        let source = reader.source();
        let params = reader.params();
        let engine = reader.engine();
        reader.refuse_the_rest();
        match source {
            Some(source) if reader.errors.is_empty() => Ok(Self {
                source,
                params,
                engine,
            }),
            _ => Err(ParseError::Fields(reader.errors)),
        }
    }
}

/// Takes known fields out of a body one by one and keeps what is wrong with them.
struct Reader<'a> {
    fields: Fields<'a>,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    fn take<T: Deserialize<'a>>(&mut self, field: &str, wanted: &str) -> Option<T> {
        let raw = self.fields.remove(field)?;
        if raw.get() == "null" {
            return None;
        }
        let value = serde_json::from_str(raw.get()).ok();
        if value.is_none() {
            self.wrong(
                field,
                format!("Expected {wanted}, got {}.", shorten(raw.get())),
            );
        }
        value
    }

    fn take_in<T: Deserialize<'a> + PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        field: &str,
        least: T,
        most: T,
    ) -> Option<T> {
        let wanted = format!("a number from {least} to {most}");
        let value = self.take::<T>(field, &wanted)?;
        if value < least || value > most {
            self.wrong(field, format!("Expected {wanted}, got {value}."));
            return None;
        }
        Some(value)
    }

    fn wrong(&mut self, field: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(field, detail));
    }

    fn source(&mut self) -> Option<SourceInput> {
        let known = self.errors.len();
        let url = self.take::<String>("image_url", "a URL in a string");
        let base64 = self.take::<String>("image_base64", "base64 or a data: URI in a string");
        let upload = self.take::<String>("upload_id", "an upload's id in a string");
        let given = usize::from(url.is_some())
            + usize::from(base64.is_some())
            + usize::from(upload.is_some());
        if given != 1 {
            if given > 1 || self.errors.len() == known {
                self.wrong(
                    "",
                    format!(
                        "Give exactly one of image_url, image_base64 and upload_id; got {given}."
                    ),
                );
            }
            return None;
        }
        if let Some(url) = url {
            return self.url(&url);
        }
        if let Some(upload) = upload {
            let id = upload.parse().ok();
            if id.is_none() {
                self.wrong(
                    "upload_id",
                    "Expected the upload_id that POST /api/upload gave, a UUID.",
                );
            }
            return id.map(SourceInput::Upload);
        }
        base64.map(SourceInput::Base64)
    }

    fn url(&mut self, text: &str) -> Option<SourceInput> {
        if text.len() > MAX_URL_BYTES {
            self.wrong(
                "image_url",
                format!(
                    "Expected a URL of at most {MAX_URL_BYTES} bytes, got {}.",
                    text.len()
                ),
            );
            return None;
        }
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Some(SourceInput::Url(url))
            }
            Ok(url) if url.scheme() == "data" => {
                self.wrong(
                    "image_url",
                    "Expected an http or https URL; give a data: URI as image_base64.",
                );
                None
            }
            Ok(_) | Err(_) => {
                self.wrong("image_url", "Expected an absolute http or https URL, such as https://example.com/photo.jpg.");
                None
            }
        }
    }

    fn params(&mut self) -> Params {
        Params {
            num_layers: self.num_layers(),
            prompt: self.text("prompt"),
            negative_prompt: self.text("negative_prompt"),
            seed: self.take("seed", "a whole number from 0 to 18446744073709551615"),
            num_inference_steps: self.take_in("num_inference_steps", 1, 50),
            guidance_scale: self.take_in("guidance_scale", 1.0, 20.0),
        }
    }

    fn num_layers(&mut self) -> Option<NumLayers> {
        let raw = *self.fields.get("num_layers")?;
        if raw.get() == "\"auto\"" {
            self.fields.remove("num_layers");
            return Some(NumLayers::Auto);
        }
        self.take_in("num_layers", 1, 10).map(NumLayers::Count)
    }

    fn text(&mut self, field: &str) -> Option<String> {
        let text = self.take::<String>(field, "a string")?;
        let chars = text.chars().count();
        if chars > MAX_PROMPT_CHARS {
            self.wrong(
                field,
                format!("Expected at most {MAX_PROMPT_CHARS} characters, got {chars}."),
            );
            return None;
        }
        Some(text)
    }

    fn engine(&mut self) -> EngineChoice {
        let Some(word) = self.take::<String>("engine", "\"auto\", \"local\" or \"fal\"") else {
            return EngineChoice::Auto;
        };
        if word == "auto" {
            return EngineChoice::Auto;
        }
        EngineKind::parse(&word).map_or_else(
            || {
                self.wrong(
                    "engine",
                    format!(
                        "Expected \"auto\", \"local\" or \"fal\", got {}.",
                        shorten(&word)
                    ),
                );
                EngineChoice::Auto
            },
            EngineChoice::Only,
        )
    }

    fn refuse_the_rest(&mut self) {
        let known = "image_url, image_base64, upload_id, num_layers, prompt, negative_prompt, seed, num_inference_steps, guidance_scale and engine";
        for field in std::mem::take(&mut self.fields).into_keys().take(16) {
            self.wrong(&field, format!("Unknown field; known are {known}."));
        }
    }
}

/// A wrong value as it may stand in an error: short, and on one line.
fn shorten(raw: &str) -> String {
    let mut short: String = raw
        .chars()
        .take(40)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if short.len() < raw.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(body: &str) -> Vec<String> {
        match JobSpec::parse(body.as_bytes()) {
            Err(ParseError::Fields(errors)) => errors
                .into_iter()
                .map(|error| format!("{} {}", error.pointer, error.detail))
                .collect(),
            other => panic!("expected field errors, got {other:?}"),
        }
    }

    #[test]
    fn a_body_with_every_field_is_taken() {
        let spec = JobSpec::parse(
            br#"{"image_url":"https://example.com/a.png","num_layers":"auto","prompt":"a","negative_prompt":"b",
                "seed":18446744073709551615,"num_inference_steps":50,"guidance_scale":1,"engine":"fal"}"#,
        )
        .unwrap();
        assert_eq!(spec.params.seed, Some(u64::MAX));
        assert_eq!(spec.params.num_layers, Some(NumLayers::Auto));
        assert_eq!(spec.engine, EngineChoice::Only(EngineKind::Fal));
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let spec = JobSpec::parse(br#"{"image_url":null,"image_base64":"iVBO\/w==","seed":null}"#)
            .unwrap();
        assert_eq!(spec.source, SourceInput::Base64("iVBO/w==".into()));
    }

    #[test]
    fn every_wrong_field_is_named_with_its_pointer() {
        let found = errors(
            r#"{"image_url":"ftp://x/y","num_layers":11,"seed":-1,"num_inference_steps":"9","guidance_scale":0.5,"engine":"gpu","a/b":1}"#,
        );
        insta::assert_snapshot!(found.join("\n"), @r#"
        /image_url Expected an absolute http or https URL, such as https://example.com/photo.jpg.
        /num_layers Expected a number from 1 to 10, got 11.
        /seed Expected a whole number from 0 to 18446744073709551615, got -1.
        /num_inference_steps Expected a number from 1 to 50, got "9".
        /guidance_scale Expected a number from 1 to 20, got 0.5.
        /engine Expected "auto", "local" or "fal", got gpu.
        /a~1b Unknown field; known are image_url, image_base64, upload_id, num_layers, prompt, negative_prompt, seed, num_inference_steps, guidance_scale and engine.
        "#);
    }

    #[test]
    fn exactly_one_source_is_wanted() {
        assert_eq!(errors("{}").len(), 1);
        assert_eq!(
            errors(r#"{"image_url":"https://a.b/c","image_base64":"AA=="}"#).len(),
            1
        );
        assert!(errors("[]")[0].contains("object"));
        assert!(errors(r#"{"upload_id":"7"}"#)[0].starts_with("/upload_id"));
        assert!(errors(r#"{"image_url":7}"#)[0].starts_with("/image_url"));
    }

    #[test]
    fn broken_json_is_told_from_wrong_fields() {
        assert!(matches!(
            JobSpec::parse(b"{\"image_url\":"),
            Err(ParseError::Syntax(_))
        ));
        assert!(matches!(
            JobSpec::parse(b"\xff"),
            Err(ParseError::Syntax(_))
        ));
        assert!(matches!(JobSpec::parse(b""), Err(ParseError::Syntax(_))));
    }

    #[test]
    fn a_prompt_has_a_limit() {
        let body = format!(
            r#"{{"image_base64":"AA==","prompt":"{}"}}"#,
            "x".repeat(MAX_PROMPT_CHARS + 1)
        );
        assert!(errors(&body)[0].starts_with("/prompt"));
    }
}
