//! The error of a body whose compressed data is damaged. It travels inside of axum's error for a body,
//! from the layer that inflates to the reader that answers.

/// A body that is not the compressed data it begins as.
#[derive(Debug, thiserror::Error)]
#[error("the compressed body is damaged: {0}")]
pub(in crate::http) struct Damaged(pub(in crate::http) String);

/// Whether the error of a body is about the compressed data in it.
pub(in crate::http) fn is_damage(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<Damaged>() {
            return true;
        }
        next = error.source();
    }
    false
}
