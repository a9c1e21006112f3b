//! A job's validated parameters. The only way to hold a [`JobSpec`] is [`JobSpec::parse`]; what
//! it holds is within its limits and no inner layer checks again. It does not decode the image.

use serde::{Deserialize, Serialize};
use url::Url;

use super::fields::{Fields, ParseError, shorten};
use super::{EngineChoice, EngineKind, HookAddress, UploadId};

/// The longest `prompt` or `negative_prompt`, in characters.
const MAX_PROMPT_CHARS: usize = 4_000;
/// The longest `image_url`, in bytes.
const MAX_URL_BYTES: usize = 8_192;

/// Every field, for whoever sends another.
const KNOWN: &str = "image_url, image_base64, upload_id, num_layers, prompt, negative_prompt, seed, num_inference_steps, guidance_scale, engine, resolution and webhook_url";

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

/// How large the layers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// As the engine gives them.
    #[default]
    Engine,
    /// As large as the source: smaller ones are raised, and show it.
    Source,
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
    /// The engine's where it is not given.
    #[serde(default)]
    pub resolution: Resolution,
}

/// The validated body of a create.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// The picture.
    pub source: SourceInput,
    /// The parameters.
    pub params: Params,
    pub engine: EngineChoice,
    /// Where its end is told, if not where the owner's other jobs are.
    pub webhook_url: Option<HookAddress>,
}

impl JobSpec {
    /// Parses the body of `POST /api/jobs`. Reports every wrong field, not only the first;
    /// unknown fields are refused; `null` counts as absent.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut fields = Fields::of(body)?;
        let source = fields.source();
        let params = fields.params();
        let engine = fields.engine();
        let webhook_url = fields.hook_address("webhook_url");
        fields.refuse_the_rest(KNOWN);
        match source {
            Some(source) if fields.errors.is_empty() => Ok(Self {
                source,
                params,
                engine,
                webhook_url,
            }),
            _ => Err(ParseError::Fields(fields.errors)),
        }
    }
}

/// The fields of a create.
impl Fields<'_> {
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
            seed: self.take_whole(
                "seed",
                "a whole number from 0 to 18446744073709551615 in all its digits",
            ),
            num_inference_steps: self.take_whole_in("num_inference_steps", 1, 50),
            guidance_scale: self.take_in("guidance_scale", 1.0, 20.0),
            resolution: self.resolution(),
        }
    }

    fn resolution(&mut self) -> Resolution {
        let expected = r#""engine" or "source""#;
        match self.take::<String>("resolution", expected).as_deref() {
            None | Some("engine") => Resolution::Engine,
            Some("source") => Resolution::Source,
            Some(other) => {
                self.wrong(
                    "resolution",
                    format!("Expected {expected}, got {}.", shorten(other)),
                );
                Resolution::Engine
            }
        }
    }

    fn num_layers(&mut self) -> Option<NumLayers> {
        if self.raw("num_layers") == Some("\"auto\"") {
            self.leave_out("num_layers");
            return Some(NumLayers::Auto);
        }
        self.take_whole_in("num_layers", 1, 10)
            .map(NumLayers::Count)
    }

    fn text(&mut self, field: &str) -> Option<String> {
        let text = self.take::<String>(field, "a string")?;
        if text.contains('\0') {
            self.wrong(field, "Expected text, got a NUL character (U+0000) in it.");
            return None;
        }
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
        let expected = engine_words();
        let Some(word) = self.take::<String>("engine", &expected) else {
            return EngineChoice::Auto;
        };
        if word == "auto" {
            return EngineChoice::Auto;
        }
        EngineKind::parse(&word).map_or_else(
            || {
                self.wrong(
                    "engine",
                    format!("Expected {expected}, got {}.", shorten(&word)),
                );
                EngineChoice::Auto
            },
            EngineChoice::Only,
        )
    }
}

/// `"auto", "local" or "fal"`: what a create may ask for.
fn engine_words() -> String {
    let mut words = vec!["auto"];
    words.extend(EngineKind::ALL.map(EngineKind::as_str));
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let (last, rest) = quoted.split_last().expect("auto is one");
    format!("{} or {last}", rest.join(", "))
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
                "seed":18446744073709551615,"num_inference_steps":50,"guidance_scale":1,"engine":"fal","resolution":"source"}"#,
        )
        .unwrap();
        assert_eq!(spec.params.seed, Some(u64::MAX));
        assert_eq!(spec.params.num_layers, Some(NumLayers::Auto));
        assert_eq!(spec.engine, EngineChoice::Only(EngineKind::Fal));
        assert_eq!(spec.params.resolution, Resolution::Source);
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_fraction() {
        let spec = JobSpec::parse(
            br#"{"image_base64":"AA==","num_layers":4.0,"num_inference_steps":28.0,"seed":7e0}"#,
        )
        .unwrap();
        assert_eq!(spec.params.num_layers, Some(NumLayers::Count(4)));
        assert_eq!(spec.params.num_inference_steps, Some(28));
        assert_eq!(spec.params.seed, Some(7));
        let found = errors(
            r#"{"image_base64":"AA==","num_layers":4.5,"num_inference_steps":0.0,"seed":1.8446744073709552e19}"#,
        );
        insta::assert_snapshot!(found.join("\n"), @r"
        /num_layers Expected a whole number from 1 to 10, got 4.5.
        /seed Expected a whole number from 0 to 18446744073709551615 in all its digits, got 1.8446744073709552e19.
        /num_inference_steps Expected a whole number from 1 to 50, got 0.0.
        ");
    }

    #[test]
    fn every_field_that_may_be_left_out_may_be_null() {
        let spec = JobSpec::parse(
            br#"{"image_url":null,"upload_id":null,"image_base64":"AA==","num_layers":null,"prompt":null,
                "negative_prompt":null,"seed":null,"num_inference_steps":null,"guidance_scale":null,"engine":null,"resolution":null}"#,
        )
        .unwrap();
        assert_eq!(
            (spec.params, spec.engine),
            (Params::default(), EngineChoice::Auto)
        );
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
            r#"{"image_url":"ftp://x/y","num_layers":11,"seed":-1,"num_inference_steps":"9","guidance_scale":0.5,"engine":"gpu","resolution":"4k","a/b":1}"#,
        );
        insta::assert_snapshot!(found.join("\n"), @r#"
        /image_url Expected an absolute http or https URL, such as https://example.com/photo.jpg.
        /num_layers Expected a whole number from 1 to 10, got 11.
        /seed Expected a whole number from 0 to 18446744073709551615 in all its digits, got -1.
        /num_inference_steps Expected a whole number from 1 to 50, got "9".
        /guidance_scale Expected a number from 1 to 20, got 0.5.
        /resolution Expected "engine" or "source", got 4k.
        /engine Expected "auto", "local" or "fal", got gpu.
        /a~1b Unknown field; known are image_url, image_base64, upload_id, num_layers, prompt, negative_prompt, seed, num_inference_steps, guidance_scale, engine, resolution and webhook_url.
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
        let Err(ParseError::Syntax(empty)) = JobSpec::parse(b"") else {
            panic!("nothing is no JSON");
        };
        assert!(empty.contains("send a JSON object"), "{empty}");
    }

    #[test]
    fn a_prompt_holds_no_nul() {
        for field in ["prompt", "negative_prompt"] {
            let found = errors(&format!(
                r#"{{"image_base64":"AA==","{field}":"a\u0000b"}}"#
            ));
            assert_eq!(
                found,
                [format!(
                    "/{field} Expected text, got a NUL character (U+0000) in it."
                )]
            );
        }
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
