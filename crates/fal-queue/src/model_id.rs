//! The name of a model on fal, and the two paths made from it.
//!
//! An id is `owner/alias[/path…]`, or `workflows/owner/alias[/path…]` and `comfy/…` alike; the
//! old form `123-name` stands for `123/name`. A submit goes to the full id; status, result and
//! cancel live under `[namespace/]owner/alias`, with the rest dropped. Every segment is checked,
//! so that an id can never lead out of its place in a URL.

use std::fmt;
use std::str::FromStr;

/// First segments that are a namespace and not an owner.
const NAMESPACES: [&str; 2] = ["workflows", "comfy"];

/// A model id, checked and split into its segments.
///
/// ```
/// let model: fal_queue::ModelId = "fal-ai/qwen-image-layered/lora".parse()?;
/// assert_eq!(model.submit_path(), "fal-ai/qwen-image-layered/lora");
/// assert_eq!(model.queue_path(), "fal-ai/qwen-image-layered");
/// # Ok::<(), fal_queue::ModelIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// Segments joined by `/`, in the modern form.
    full: String,
    /// How many bytes of `full` are `[namespace/]owner/alias`.
    queue_length: usize,
}

/// Why a text is no model id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelIdError {
    /// Fewer segments than `owner/alias` (or `namespace/owner/alias`).
    #[error("a model id reads owner/alias, got {0:?}")]
    TooShort(String),
    /// A segment is empty, `.` or `..`, or holds something else than letters, digits, `-._~`.
    #[error("a model id is made of letters, digits and -._~ between slashes, got {0:?}")]
    Segment(String),
}

impl ModelId {
    /// The path of a submit, without a leading slash: the full id.
    #[must_use]
    pub fn submit_path(&self) -> &str {
        &self.full
    }

    /// The path before `/requests/{id}`, without a leading slash: the sub-path is dropped.
    #[must_use]
    pub fn queue_path(&self) -> &str {
        &self.full[..self.queue_length]
    }
}

impl FromStr for ModelId {
    type Err = ModelIdError;

    fn from_str(text: &str) -> Result<Self, ModelIdError> {
        let full = modern_form(text);
        let segments: Vec<&str> = full.split('/').collect();
        if !segments.iter().all(|segment| is_segment(segment)) {
            return Err(ModelIdError::Segment(text.to_owned()));
        }
        let needed = if NAMESPACES.contains(&segments[0]) {
            3
        } else {
            2
        };
        if segments.len() < needed {
            return Err(ModelIdError::TooShort(text.to_owned()));
        }
        let queue_length = segments[..needed].join("/").len();
        Ok(Self { full, queue_length })
    }
}

/// Rewrites `123-name` to `123/name` and leaves everything else alone.
fn modern_form(text: &str) -> String {
    if !text.contains('/')
        && let Some((digits, name)) = text.split_once('-')
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
    {
        return format!("{digits}/{name}");
    }
    text.to_owned()
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({})", self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> (String, String) {
        let id: ModelId = text.parse().unwrap();
        (id.submit_path().to_owned(), id.queue_path().to_owned())
    }

    #[test]
    fn the_sub_path_belongs_to_the_submit_only() {
        for (id, submit, queue) in [
            ("fal-ai/flux", "fal-ai/flux", "fal-ai/flux"),
            ("fal-ai/flux/dev/x", "fal-ai/flux/dev/x", "fal-ai/flux"),
            (
                "workflows/me/flow",
                "workflows/me/flow",
                "workflows/me/flow",
            ),
            ("comfy/me/flow/a", "comfy/me/flow/a", "comfy/me/flow"),
            ("123-my-app", "123/my-app", "123/my-app"),
        ] {
            assert_eq!(paths(id), (submit.to_owned(), queue.to_owned()), "{id}");
        }
    }

    #[test]
    fn an_id_that_could_lead_elsewhere_is_refused() {
        for id in [
            "", "/", "a//b", "a/../b", "a/b?x=1", "a/b#c", "a/b c", "a/./b", "/a/b", "a/%2e%2e",
        ] {
            assert!(
                matches!(id.parse::<ModelId>(), Err(ModelIdError::Segment(_))),
                "{id}"
            );
        }
        for id in ["flux", "workflows/me", "comfy/x", "123", "123-"] {
            assert!(
                matches!(id.parse::<ModelId>(), Err(ModelIdError::TooShort(_))),
                "{id}"
            );
        }
    }
}
