//! What a direct-upload ticket is asked to be for. The only way to hold a [`TicketSpec`] is
//! [`TicketSpec::parse`]. It promises nothing of the bytes: those are looked at when they are used.

use super::MediaType;
use super::fields::{Fields, ParseError, shorten};

/// Every field, for whoever sends another.
const KNOWN: &str = "content_type and bytes";

/// The validated body of `POST /api/uploads`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketSpec {
    /// The type that the client will send.
    pub content_type: Option<MediaType>,
    /// The exact size that it will send, at least 1.
    pub bytes: Option<u64>,
}

impl TicketSpec {
    /// Parses the body. Reports every wrong field; unknown fields are refused; `null` counts as
    /// absent.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let mut fields = Fields::of(body)?;
        let content_type = content_type(&mut fields);
        let bytes = fields.take_whole("bytes", "a whole number of bytes");
        if bytes == Some(0) {
            fields.wrong("bytes", "Expected at least 1, got 0.");
        }
        fields.refuse_the_rest(KNOWN);
        if fields.errors.is_empty() {
            Ok(Self {
                content_type,
                bytes,
            })
        } else {
            Err(ParseError::Fields(fields.errors))
        }
    }
}

fn content_type(fields: &mut Fields<'_>) -> Option<MediaType> {
    const WANTED: &str = "image/jpeg, image/png, image/webp or image/gif";
    let word = fields.take::<String>("content_type", WANTED)?;
    let known = MediaType::ALL
        .into_iter()
        .find(|media| word.eq_ignore_ascii_case(media.mime()));
    if known.is_none() {
        let detail = format!("Expected {WANTED}, got {:?}.", shorten(&word));
        fields.wrong("content_type", detail);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_may_be_for_anything_or_for_one_thing() {
        assert_eq!(TicketSpec::parse(b"{}").unwrap(), TicketSpec::default());
        let body = br#"{"content_type":"Image/PNG","bytes":7.0}"#;
        let spec = TicketSpec {
            content_type: Some(MediaType::Png),
            bytes: Some(7),
        };
        assert_eq!(TicketSpec::parse(body).unwrap(), spec);
    }

    #[test]
    fn every_wrong_field_is_told() {
        let body = br#"{"content_type":"image/heic","bytes":0,"path":"../x"}"#;
        let Err(ParseError::Fields(errors)) = TicketSpec::parse(body) else {
            panic!("it was taken");
        };
        let pointers: Vec<&str> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/content_type", "/bytes", "/path"]);
        assert!(TicketSpec::parse(br#"{"bytes":-1}"#).is_err());
        assert!(TicketSpec::parse(b"").is_err());
    }
}
