//! The shape of a fal key: `key_id:key_secret`.
//!
//! This looks at the shape only; whether fal knows the key is found out by using it. No error
//! here repeats any part of the key.

/// Why a text cannot be a fal key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyShapeError {
    /// Nothing was given.
    #[error("the fal key is empty; it should read key_id:key_secret")]
    Empty,
    /// It holds a space, a line break, a control character or a character outside ASCII.
    #[error(
        "the fal key holds a character that no key has (a space, a line break, a quote); \
         give key_id:key_secret alone, without \"Key \" before it"
    )]
    Character,
    /// There is no colon, or more than one.
    #[error("the fal key should read key_id:key_secret, with exactly one colon")]
    Colon,
    /// One side of the colon is empty.
    #[error("the fal key should read key_id:key_secret, and one of the two is empty")]
    HalfMissing,
}

/// Checks that `key` reads `key_id:key_secret`.
///
/// # Errors
/// Says which part of the shape is wrong, without repeating the key.
pub fn check_key_shape(key: &str) -> Result<(), KeyShapeError> {
    if key.is_empty() {
        return Err(KeyShapeError::Empty);
    }
    if !key
        .chars()
        .all(|c| c.is_ascii_graphic() && c != '"' && c != '\'')
    {
        return Err(KeyShapeError::Character);
    }
    let mut halves = key.split(':');
    match (halves.next(), halves.next(), halves.next()) {
        (Some(id), Some(secret), None) if !id.is_empty() && !secret.is_empty() => Ok(()),
        (Some(_), Some(_), None) => Err(KeyShapeError::HalfMissing),
        _ => Err(KeyShapeError::Colon),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_an_id_and_a_secret_with_one_colon() {
        assert_eq!(check_key_shape("1f0c-aa:9d3b"), Ok(()));
        assert_eq!(check_key_shape(""), Err(KeyShapeError::Empty));
        assert_eq!(check_key_shape("abc"), Err(KeyShapeError::Colon));
        assert_eq!(check_key_shape("a:b:c"), Err(KeyShapeError::Colon));
        assert_eq!(check_key_shape(":b"), Err(KeyShapeError::HalfMissing));
        assert_eq!(check_key_shape("a:"), Err(KeyShapeError::HalfMissing));
        assert_eq!(check_key_shape("Key a:b"), Err(KeyShapeError::Character));
        assert_eq!(check_key_shape("a:b\n"), Err(KeyShapeError::Character));
        assert_eq!(check_key_shape("\"a:b\""), Err(KeyShapeError::Character));
    }
}
