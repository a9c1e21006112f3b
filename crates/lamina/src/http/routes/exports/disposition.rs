//! `Content-Disposition` of a file that is saved (RFC 6266): the name twice where it is not ASCII, plain first and then by RFC 8187, since
//! programs that know the second take it wherever it stands.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but `attr-char` of RFC 8187; some of those are escaped too, which it allows.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// For a stem of letters, digits, dashes and underscores, of any script.
pub(super) fn attachment(stem: &str, extension: &str) -> String {
    let plain: String = stem
        .chars()
        .map(|letter| if letter.is_ascii() { letter } else { '_' })
        .collect();
    let simple = format!("attachment; filename=\"{plain}.{extension}\"");
    if stem.is_ascii() {
        return simple;
    }
    let name = format!("{stem}.{extension}");
    let escaped = utf8_percent_encode(&name, ESCAPED);
    format!("{simple}; filename*=UTF-8''{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_given_plainly_and_where_they_must_in_utf_8() {
        assert_eq!(
            attachment("My-card_2", "psd"),
            "attachment; filename=\"My-card_2.psd\""
        );
        assert_eq!(
            attachment("Über-家", "ora"),
            "attachment; filename=\"_ber-_.ora\"; filename*=UTF-8''%C3%9Cber-%E5%AE%B6.ora"
        );
    }
}
