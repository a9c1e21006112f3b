//! `Upload-Checksum`: a method and the part's digest by it, in base64.

use aws_lc_rs::{constant_time, digest};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::answer::error::ApiError;
use crate::http::extract::tus_headers::UPLOAD_CHECKSUM;

/// As `Tus-Checksum-Algorithm` lists them. The protocol wants SHA-1; nothing here relies on it
/// against an attacker.
pub(super) const ALGORITHMS: &str = "sha1,sha256,sha512";

/// What a part must be.
pub(super) struct Checksum {
    wanted: Vec<u8>,
    context: digest::Context,
}

impl Checksum {
    /// The checksum of a request; `None` when it has none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(value) = headers.get(UPLOAD_CHECKSUM) else {
            return Ok(None);
        };
        let wrong = || {
            ApiError::TusHeaderInvalid(
                "Upload-Checksum must be a method, a space and the digest in base64".to_owned(),
            )
        };
        let text = value.to_str().map_err(|_| wrong())?;
        let (method, digest) = text.split_once(' ').ok_or_else(wrong)?;
        let algorithm = match method {
            "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => &digest::SHA256,
            "sha512" => &digest::SHA512,
            _ => return Err(ApiError::UploadChecksumUnsupported),
        };
        let wanted = STANDARD.decode(digest).map_err(|_| wrong())?;
        if wanted.len() != algorithm.output_len() {
            return Err(wrong());
        }
        Ok(Some(Self {
            wanted,
            context: digest::Context::new(algorithm),
        }))
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.context.update(chunk);
    }

    /// Whether the bytes were those.
    pub(super) fn holds(self) -> bool {
        let found = self.context.finish();
        constant_time::verify_slices_are_equal(found.as_ref(), &self.wanted).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Result<Option<Checksum>, ApiError> {
        let value = value.parse().unwrap();
        Checksum::of(&HeaderMap::from_iter([(UPLOAD_CHECKSUM, value)]))
    }

    #[test]
    fn the_digests_of_abc_are_known() {
        for known in [
            // FIPS 180-4's examples.
            "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
            "sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
            "sha512 3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==",
        ] {
            for (chunks, right) in [(["a", "bc"], true), (["a", "bd"], false)] {
                let mut checksum = parsed(known).unwrap().unwrap();
                for chunk in chunks {
                    checksum.update(chunk.as_bytes());
                }
                assert_eq!(checksum.holds(), right, "{known}");
            }
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused() {
        for wrong in [
            "",
            "sha1",
            "sha1 ",
            "sha1 !",
            "sha1 YWJj",
            "sha256 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
        ] {
            assert!(
                matches!(parsed(wrong), Err(ApiError::TusHeaderInvalid(_))),
                "{wrong}"
            );
        }
        for unknown in ["md5 YWJj", "crc32 YWJj", "SHA1 YWJj"] {
            let refused = parsed(unknown);
            assert!(
                matches!(refused, Err(ApiError::UploadChecksumUnsupported)),
                "{unknown}"
            );
        }
    }
}
