//! Where a webhook is sent. What it holds is an http or https URL with a host; whether that may be opened is for the
//! fetcher to say, which knows what the host's name leads to.

use url::Url;

use super::fields::{Fields, ParseError};

/// The longest address, in bytes.
const MAX_BYTES: usize = 2_048;

/// An address.
#[derive(Clone, PartialEq, Eq)]
pub struct HookAddress(Url);

impl std::fmt::Debug for HookAddress {
    // It may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookAddress")
    }
}

impl HookAddress {
    /// The field `url` of a body; none when it is null. A body without it sets nothing, so it is refused.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse_body(body: &[u8]) -> Result<Option<Self>, ParseError> {
        let mut fields = Fields::of(body)?;
        if fields.raw("url").is_none() {
            fields.wrong("url", "It is missing; give a URL, or null for none.");
        }
        let address = fields.hook_address("url");
        fields.refuse_the_rest("url");
        if fields.errors.is_empty() {
            Ok(address)
        } else {
            Err(ParseError::Fields(fields.errors))
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0.into()
    }
}

impl Fields<'_> {
    /// The address in this field; none when it is absent, null or wrong.
    pub(super) fn hook_address(&mut self, field: &str) -> Option<HookAddress> {
        let text = self.take::<String>(field, "a URL in a string")?;
        let url = Url::parse(&text).ok().filter(|url| {
            let is_plain = url.username().is_empty() && url.password().is_none();
            text.len() <= MAX_BYTES
                && matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && is_plain
        });
        if url.is_none() {
            self.wrong(
                field,
                format!("Expected an absolute https URL without user and password, of at most {MAX_BYTES} bytes, such as https://example.com/hooks."),
            );
        }
        url.map(HookAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_set_or_taken_away_only_by_a_body_that_names_it() {
        let set = br#"{"url":"https://example.com/hooks"}"#;
        let text = HookAddress::parse_body(set)
            .unwrap()
            .map(HookAddress::into_text);
        assert_eq!(text.as_deref(), Some("https://example.com/hooks"));
        assert_eq!(HookAddress::parse_body(br#"{"url":null}"#).unwrap(), None);
        let wrong: [(&[u8], usize); 3] =
            [(b"{}", 1), (br#"{"urls":null}"#, 2), (br#"{"url":5}"#, 1)];
        for (body, errors) in wrong {
            match HookAddress::parse_body(body) {
                Err(ParseError::Fields(found)) => assert_eq!(found.len(), errors, "{found:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
