//! Paths of the queue: which operation on which application a path means.
//!
//! An id is `owner/alias[/path…]`, or `namespace/owner/alias[/path…]` for the namespaces
//! `workflows` and `comfy`. Submissions keep the path; everything about a request drops it.
//! Invariant: a request's URL with the path left in is [`Place::Nowhere`], so that a client which
//! builds it so is found out here and not in production.

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `POST`: a submission.
    Model { app: String, path: String },
    /// `…/requests/{id}`.
    Result { app: String, id: String },
    /// `…/requests/{id}/status`.
    Status { app: String, id: String },
    /// `…/requests/{id}/status/stream`.
    Stream { app: String, id: String },
    /// `…/requests/{id}/cancel`.
    Cancel { app: String, id: String },
    /// Not a path of the queue.
    Nowhere,
}

/// Reads a path; a trailing slash makes no difference.
pub(super) fn place(path: &str) -> Place {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let namespaced = matches!(parts[0], "workflows" | "comfy");
    let length = if namespaced { 3 } else { 2 };
    if parts.len() < length || parts.iter().any(|part| part.is_empty()) {
        return Place::Nowhere;
    }
    let app = parts[..length].join("/");
    let rest = &parts[length..];
    let owned = |id: &&str| (*id).to_owned();
    match rest {
        // The documents' example has the model's whole path and `/response` behind it.
        ["requests", id] | [.., "requests", id, "response"] => Place::Result { id: owned(id), app },
        ["requests", id, "status"] => Place::Status { id: owned(id), app },
        ["requests", id, "status", "stream"] => Place::Stream { id: owned(id), app },
        ["requests", id, "cancel"] => Place::Cancel { id: owned(id), app },
        rest if rest.contains(&"requests") => Place::Nowhere,
        rest => Place::Model {
            app,
            path: rest.join("/"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_submissions_keep_the_path_of_a_model() {
        let app = || "fal-ai/qwen-image-layered".to_owned();
        assert_eq!(
            place("/fal-ai/qwen-image-layered/lora"),
            Place::Model {
                app: app(),
                path: "lora".into()
            }
        );
        assert_eq!(
            place("/fal-ai/qwen-image-layered/requests/r1/status/"),
            Place::Status {
                app: app(),
                id: "r1".into()
            }
        );
        assert_eq!(
            place("/fal-ai/qwen-image-layered/requests/r1/status/stream"),
            Place::Stream {
                app: app(),
                id: "r1".into()
            }
        );
        assert_eq!(
            place("/fal-ai/qwen-image-layered/lora/requests/r1/status"),
            Place::Nowhere
        );
        for path in [
            "requests/r1",
            "requests/r1/response",
            "lora/requests/r1/response",
        ] {
            assert_eq!(
                place(&format!("/fal-ai/qwen-image-layered/{path}")),
                Place::Result {
                    app: app(),
                    id: "r1".into()
                }
            );
        }
        assert_eq!(place("/lonely"), Place::Nowhere);
        assert_eq!(
            place("/workflows/me/flow/requests/r1"),
            Place::Result {
                app: "workflows/me/flow".into(),
                id: "r1".into()
            }
        );
    }
}
