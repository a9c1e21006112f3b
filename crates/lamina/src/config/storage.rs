//! Where pictures are kept: `STORAGE_URL` and the options of a bucket, to a checked
//! [`StorageConfig`]. It opens nothing.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;
use crate::blobs::{BucketSettings, BucketStyle};

/// Where pictures are kept.
#[derive(Clone, Debug)]
pub enum StorageConfig {
    /// In a folder; lamina serves them.
    Folder(PathBuf),
    Bucket {
        settings: Box<BucketSettings>,
        /// Whether clients (and fal) fetch from the bucket itself.
        direct: bool,
    },
}

impl StorageConfig {
    /// Whether strangers can fetch from the storage itself.
    pub(super) fn is_direct(&self) -> bool {
        matches!(self, Self::Bucket { direct: true, .. })
    }
}

impl Reader<'_> {
    /// A bucket's options are checked only for a bucket; their forms always, so that a typo shows.
    pub(super) fn storage(&mut self, database: &Path) -> StorageConfig {
        let text = self.text("STORAGE_URL");
        let endpoint = self.base_url("S3_ENDPOINT");
        let public_endpoint = self.base_url("S3_PUBLIC_ENDPOINT");
        let style = self.word(
            "S3_STYLE",
            &[
                ("auto", None),
                ("path", Some(BucketStyle::Path)),
                ("host", Some(BucketStyle::Host)),
            ],
        );
        let links = [
            ("auto", None),
            ("direct", Some(true)),
            ("lamina", Some(false)),
        ];
        let links = self.word("STORAGE_LINKS", &links);
        let Some(bucket) = text.strip_prefix("s3://") else {
            if links == Some(true) {
                self.wrong(
                    "STORAGE_LINKS",
                    "is direct, and that needs a bucket: STORAGE_URL=s3://BUCKET",
                );
            }
            return StorageConfig::Folder(self.folder(text, database));
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = prefix.trim_matches('/');
        if !is_bucket_name(name) || !is_prefix(prefix) {
            // The text may carry a key.
            self.wrong(
                "STORAGE_URL",
                "expected s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits, dots, hyphens (and _ in the prefix); the key goes into S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY",
            );
        }
        let region = self.text("S3_REGION").to_owned();
        let default_style = match &endpoint {
            // A name with dots does not fit a certificate for one label.
            None if !name.contains('.') => BucketStyle::Host,
            _ => BucketStyle::Path,
        };
        let endpoint = endpoint.or_else(|| {
            let aws = Url::parse(&format!("https://s3.{region}.amazonaws.com"));
            if aws.is_err() {
                self.wrong("S3_REGION", "expected a region such as eu-central-1");
            }
            aws.ok()
        });
        let settings = BucketSettings {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: endpoint.unwrap_or_else(|| {
                Url::parse("https://s3.amazonaws.com")
                    .unwrap_or_else(|_| unreachable!("a fixed address is valid"))
            }),
            public_endpoint,
            region,
            style: style.unwrap_or(default_style),
            access_key_id: self.needed("S3_ACCESS_KEY_ID"),
            secret_access_key: self.needed("S3_SECRET_ACCESS_KEY"),
        };
        StorageConfig::Bucket {
            settings: Box::new(settings),
            direct: links.unwrap_or(true),
        }
    }

    fn needed(&mut self, name: &str) -> SecretString {
        let text = self.text(name);
        if text.is_empty() {
            self.wrong(
                name,
                format!(
                    "is not set, and a bucket needs it; {name}_FILE names a file that holds it"
                ),
            );
        }
        SecretString::from(text)
    }

    fn folder(&mut self, text: &str, database: &Path) -> PathBuf {
        if text.is_empty() {
            return database
                .parent()
                .unwrap_or_else(|| Path::new(""))
                .join("blobs");
        }
        match text.strip_prefix("file:") {
            Some(folder) if !folder.is_empty() => {
                PathBuf::from(folder.strip_prefix("//").unwrap_or(folder))
            }
            _ => {
                let scheme = text.split(':').next().unwrap_or_default();
                self.wrong(
                    "STORAGE_URL",
                    format!("expected file:FOLDER or s3://BUCKET/PREFIX, got {scheme:?}"),
                );
                PathBuf::new()
            }
        }
    }
}

/// As S3 has it: 3 to 63 of lower-case letters, digits, dots and hyphens; upper case and `_` too,
/// which old buckets and other servers have.
fn is_bucket_name(name: &str) -> bool {
    let letters = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    (3..=63).contains(&name.len()) && name.bytes().all(letters) && !name.contains("..")
}

fn is_prefix(prefix: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c))
    };
    prefix.len() <= 512 && (prefix.is_empty() || prefix.split('/').all(part))
}
