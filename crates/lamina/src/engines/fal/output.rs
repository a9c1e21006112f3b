//! What a run came to: its output as layers, and its log as progress.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal_queue::models::qwen_image_layered::{Image, Output};
use url::Url;

use crate::engines::{Declared, EngineError, LayerContent, LayerSource};
use crate::jobs::{FailureCode, LayerLabels};

/// The checker blanks what it flags: a stack of nothing but black frames is no result. One flag
/// among others may be a mistake, and the rest of the stack is paid for.
pub(super) fn blanked(output: &Output) -> bool {
    let flags = output.has_nsfw_concepts.as_deref().unwrap_or_default();
    !flags.is_empty() && flags.iter().all(|flagged| *flagged)
}

pub(super) fn layers(output: &Output) -> Result<Vec<LayerSource>, EngineError> {
    let bad = |text: String| EngineError::permanent(FailureCode::EngineBadLayer, text);
    let content = |text: &str, declared: Declared| {
        if let Some(data) = text.strip_prefix("data:") {
            let base64 = data.split_once(";base64,").map(|(_, base64)| base64);
            let bytes = base64.and_then(|base64| STANDARD.decode(base64).ok());
            return bytes
                .map(|bytes| LayerContent::Bytes(bytes.into()))
                .ok_or_else(|| bad("a broken data URI".into()));
        }
        Url::parse(text)
            .map(|url| LayerContent::Url(url, declared))
            .map_err(|error| bad(format!("a layer's address: {error}")))
    };
    output
        .images
        .iter()
        .map(|image| {
            Ok(LayerSource {
                labels: LayerLabels::default(),
                content: content(&image.url, declared(image))?,
            })
        })
        .collect()
}

fn declared(image: &Image) -> Declared {
    let sides = image.width.zip(image.height);
    Declared {
        bytes: image.file_size,
        pixels: sides.map(|(width, height)| u64::from(width) * u64::from(height)),
    }
}

/// "step 7/28" or a progress bar's "7/28" in a log line, as a fraction.
pub(super) fn step_fraction(line: &str) -> Option<f32> {
    let (before, after) = line.split_once('/')?;
    let done: String = before
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    let done: f32 = done.chars().rev().collect::<String>().parse().ok()?;
    let all: f32 = after
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .ok()?;
    (all > 0.0 && done <= all).then_some(done / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_count_in_a_log_line_is_a_fraction() {
        assert_eq!(step_fraction("step 7/28"), Some(0.25));
        assert_eq!(
            step_fraction(" 50%|█████     | 14/28 [00:07<00:07]"),
            Some(0.5)
        );
        assert_eq!(step_fraction("https://example.com"), None);
        assert_eq!(step_fraction("9/0"), None);
        assert_eq!(step_fraction("29/28"), None);
    }
}
