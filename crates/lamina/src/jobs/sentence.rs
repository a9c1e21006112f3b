//! An error's text as a sentence of its own. Errors begin small and end without a full stop, because
//! logs quote them; an answer begins and ends like a sentence.

/// `text` with a capital and a full stop. An address at its beginning stays as it is: nobody could
/// open `Https://`, and another host may be behind `Example.com/a`.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let is_word = first_word
        .bytes()
        .all(|letter| letter.is_ascii_alphabetic() || b"-',;()".contains(&letter));
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if is_word => {
            let first = first.to_uppercase();
            format!("{first}{}.", letters.as_str())
        }
        _ => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_with_a_capital_unless_it_begins_with_an_address() {
        for (text, wanted) in [
            ("the image is empty", "The image is empty."),
            ("The image is empty.", "The image is empty."),
            ("this JPEG, as it is", "This JPEG, as it is."),
            (
                "https://example.com/a was refused",
                "https://example.com/a was refused.",
            ),
            ("example.com/a was refused", "example.com/a was refused."),
            ("ftp://x", "ftp://x."),
            ("image_url is no link", "image_url is no link."),
            ("", "."),
        ] {
            assert_eq!(sentence(text), wanted);
        }
    }
}
