//! Text of a stranger made fit for an error message: short, one line, nothing secret.
//!
//! Whatever fal (or a proxy before it) answers may echo the input, which can be a whole image in
//! base64, a signed link, or the key itself. Every text that enters an error passes through here.

/// The longest text that is kept, in characters.
const LONGEST: usize = 300;

/// A run of this many characters of the base64 alphabets is taken for data, not for words. It is
/// above the 36 of a UUID, so request ids stay readable.
const DATA_RUN: usize = 40;

/// The text on one line, with data runs replaced by `[…]`, at most 300 characters long.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short = String::new();
    let mut length = 0;
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if length >= LONGEST {
            short.push('…');
            break;
        }
        let run = rest.bytes().take_while(|b| is_data(*b)).count();
        let (piece, after) = rest.split_at(if run > 0 { run } else { first.len_utf8() });
        let piece = match first {
            _ if run >= DATA_RUN => "[…]",
            // A line break or control character could forge a line of a log.
            _ if first.is_control() => " ",
            _ => piece,
        };
        rest = after;
        length += piece.chars().count();
        short.push_str(piece);
    }
    short.truncate(short.trim_end().len());
    short
}

/// Replaces every occurrence of the given secrets.
pub(crate) fn without_secrets(text: &str, secrets: &[&str]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret, "[key]")
        })
}

fn is_data(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_ids_and_other_alphabets_stay() {
        let text = "Größe: request 0190e7b1-0000-7000-8000-0123456789ab is unknown";
        assert_eq!(excerpt(text), text);
    }

    #[test]
    fn base64_and_signatures_go() {
        let text = format!(
            "bad image data:image/png;base64,{}== at body",
            "iVBORw0KGgo/+".repeat(900)
        );
        assert_eq!(
            excerpt(&text),
            "bad image data:image/png;base64,[…] at body"
        );
        let text = format!("see https://x.test/a?sig={}", "0f".repeat(32));
        assert_eq!(excerpt(&text), "see https://x.test/a?[…]");
    }

    #[test]
    fn it_is_short_and_on_one_line() {
        assert_eq!(excerpt("a\r\nb\tc\u{1b}[0m\n"), "a  b c [0m");
        let long = excerpt(&"word ".repeat(1000));
        assert!(long.chars().count() <= LONGEST + 5, "{}", long.len());
        assert!(long.ends_with('…'));
    }

    #[test]
    fn secrets_are_replaced_and_an_empty_one_is_no_secret() {
        assert_eq!(
            without_secrets("Key a:b is bad, b!", &["a:b", "b", ""]),
            "Key [key] is [key]ad, [key]!"
        );
    }
}
