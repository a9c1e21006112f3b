//! Base64 text to bytes, as apps really send it.
//!
//! Accepts the standard and the URL-safe alphabet, padded or not, with line breaks and spaces in
//! between, raw or as a `data:` URI (RFC 2397, whose media type is ignored: the bytes decide).
//! The decoded size is known from the count of letters, so it is checked before anything is
//! allocated; a text that is short enough whatever it holds is not counted.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::ImageError;

const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of `text`, at most `max_bytes` of them.
///
/// # Errors
/// [`ImageError::Empty`], [`ImageError::TooManyBytes`] and [`ImageError::Base64Invalid`].
pub fn decode_base64(text: &str, max_bytes: u64) -> Result<Vec<u8>, ImageError> {
    let payload = payload(text.trim())?;
    // Four letters make three bytes. Nearly every text is so short that its letters need no counting;
    // of one that may be too long, white space and padding are left out before it is judged. A `%XX`
    // escape counts for three letters instead of one, so such text is judged after it has been
    // unescaped; its own length bounds that work.
    let may_be_long = payload.len() as u64 * 3 / 4 > max_bytes;
    if may_be_long && !payload.contains('%') && letter_count(payload.as_bytes()) * 3 / 4 > max_bytes
    {
        return Err(ImageError::TooManyBytes { max_bytes });
    }
    // Nearly every text is spelled strictly, and that is read many letters at once. What it refuses is looked at with care.
    let strictly = base64_simd::STANDARD.decode_to_vec(payload).ok();
    let bytes = match strictly.map_or_else(|| STANDARD.decode(payload), Ok) {
        Ok(bytes) => bytes,
        Err(_) if letter_count(payload.as_bytes()) == 0 => return Err(ImageError::Empty),
        // Line breaks, the other alphabet or escapes: worth one cleaned copy.
        Err(_) => STANDARD
            .decode(cleaned(payload, max_bytes)?)
            .map_err(|error| ImageError::Base64Invalid {
                reason: reason(payload, &error),
            })?,
    };
    if bytes.is_empty() && letter_count(payload.as_bytes()) == 0 {
        return Err(ImageError::Empty);
    }
    if bytes.len() as u64 > max_bytes {
        return Err(ImageError::TooManyBytes { max_bytes });
    }
    Ok(bytes)
}

/// How many letters there are besides white space and padding.
fn letter_count(text: &[u8]) -> u64 {
    let counts = |letter: &&u8| !letter.is_ascii_whitespace() && **letter != b'=';
    text.iter().filter(counts).count() as u64
}

/// The base64 part: all of it, or what follows the comma of a `data:` URI.
fn payload(text: &str) -> Result<&str, ImageError> {
    let is_data = text
        .get(..5)
        .is_some_and(|head| head.eq_ignore_ascii_case("data:"));
    if !is_data {
        return Ok(text);
    }
    let Some((head, payload)) = text.split_once(',') else {
        return Err(ImageError::Base64Invalid {
            reason: "the data: URI has no comma",
        });
    };
    let flagged = head
        .rsplit(';')
        .next()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    if !flagged {
        return Err(ImageError::Base64Invalid {
            reason: "the data: URI does not say `;base64` before its comma",
        });
    }
    Ok(payload)
}

/// A copy in the standard alphabet, without white space and escapes.
fn cleaned(payload: &str, max_bytes: u64) -> Result<Vec<u8>, ImageError> {
    let mut clean = Vec::with_capacity(payload.len());
    let mut letters = payload.bytes();
    while let Some(letter) = letters.next() {
        match letter {
            b'-' => clean.push(b'+'),
            b'_' => clean.push(b'/'),
            b'%' => {
                let pair = [letters.next(), letters.next()]
                    .map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
                let [Some(high), Some(low)] = pair else {
                    return Err(ImageError::Base64Invalid {
                        reason: "a % is not followed by two hexadecimal digits",
                    });
                };
                let byte = (high * 16 + low) as u8;
                if !byte.is_ascii_whitespace() {
                    clean.push(byte);
                }
            }
            space if space.is_ascii_whitespace() => {}
            other => clean.push(other),
        }
    }
    if letter_count(&clean) * 3 / 4 > max_bytes {
        return Err(ImageError::TooManyBytes { max_bytes });
    }
    Ok(clean)
}

fn reason(payload: &str, error: &base64::DecodeError) -> &'static str {
    match error {
        base64::DecodeError::InvalidByte(..) if is_address(payload) => {
            "it is the address of a picture; give one that everyone can open as image_url, else send \
             the bytes that it leads to"
        }
        base64::DecodeError::InvalidByte(_, letter) if *letter != b'=' => {
            "it holds a letter of neither alphabet"
        }
        _ if has_lost_its_plus_signs(payload) => {
            "it has spaces and no plus signs, as if these had been lost in a form or a URL"
        }
        base64::DecodeError::InvalidLength(_) => "its length is impossible, as if it was cut",
        base64::DecodeError::InvalidLastSymbol(..) => "its last letter is impossible",
        base64::DecodeError::InvalidByte(..) | base64::DecodeError::InvalidPadding => {
            "its padding is misplaced"
        }
    }
}

/// Whether spaces stand where plus signs would: none is left, and nothing else breaks the text.
fn has_lost_its_plus_signs(payload: &str) -> bool {
    let payload = payload.trim();
    payload.contains(' ') && !payload.contains(['+', '\n'])
}

/// Whether a text begins as a URL or as an app's name for something on the device.
fn is_address(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        (1..=16).contains(&scheme.len()) && scheme.bytes().all(|letter| letter.is_ascii_lowercase())
    };
    scheme.is_some_and(is_scheme) && text.len() < 4096
}
