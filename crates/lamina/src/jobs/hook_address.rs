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
    /// The field `url` of a body; none when it is null.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse_body(body: &[u8]) -> Result<Option<Self>, ParseError> {
        let mut fields = Fields::of(body)?;
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
