//! Links that need no header, so that an image widget can open them: served by lamina (a path, an
//! expiry and an HMAC-SHA256 over method, path and expiry), or presigned and answered by the bucket.
//! A link is as private as the picture: signatures never reach a log.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::{BlobKey, Presigner, PutTerms};
use crate::jobs::{JobId, UnixMs, UploadId};

/// A signed link.
#[derive(Clone, PartialEq, Eq)]
pub enum Link {
    /// Path and query below the service's address: `/files/{key}?exp={unix seconds}&sig={base64url}`.
    Served(String),
    /// An address of the bucket.
    Direct(Url),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self {
            Self::Served(path_and_query) => path_and_query.split('?').next().unwrap_or_default(),
            Self::Direct(url) => url.path(),
        };
        write!(f, "Link({path}?…)")
    }
}

/// Why a link is not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The signature does not belong to this path and expiry.
    #[error("the link's signature is wrong")]
    Wrong,
    /// The signature is right and the time is over.
    #[error("the link has expired")]
    Expired,
}

/// What a link of the bucket stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketLink {
    /// Bytes that it reads.
    Read(BlobKey),
    /// The upload whose bytes it takes. Its signature is not checked: whoever may use the upload is
    /// known without.
    Write(UploadId),
}

/// Makes and checks links.
pub struct LinkSigner {
    /// The first signs; all verify, so that a secret can be rotated.
    keys: Vec<hmac::Key>,
    /// Where the bytes are in a bucket.
    bucket: Option<Presigner>,
    /// Whether clients get the bucket's links.
    direct: bool,
}

impl fmt::Debug for LinkSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkSigner({} keys)", self.keys.len())
    }
}

impl LinkSigner {
    /// A signer over `secrets`; the first one signs.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(secrets: &[S]) -> Self {
        Self {
            keys: secrets
                .iter()
                .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()))
                .collect(),
            bucket: None,
            direct: false,
        }
    }

    /// The same over a bucket, whose own links clients get when `direct`. Links that lamina serves
    /// are honoured either way, so that those given before a change of the setting still work.
    #[must_use]
    pub fn over_bucket(self, bucket: Presigner, direct: bool) -> Self {
        Self {
            bucket: Some(bucket),
            direct,
            ..self
        }
    }

    /// A client's link to `key` that works until `expires_at` (rounded down to a second). It is the
    /// same whenever it is made.
    #[must_use]
    pub fn sign(&self, key: &BlobKey, expires_at: UnixMs) -> Link {
        match &self.bucket {
            Some(bucket) if self.direct => Link::Direct(bucket.get(key, expires_at)),
            _ => Link::Served(self.served(key, expires_at)),
        }
    }

    /// A link to an export of a job, in the format of this word. Nothing is stored under it, so that lamina serves it wherever the layers are.
    #[must_use]
    pub fn export(&self, job: JobId, word: &str, expires_at: UnixMs) -> Link {
        let path = format!("exports/{job}/layers.{word}");
        Link::Served(self.signed_path(READ, &path, expires_at))
    }

    /// Checks such a link: the job, and the format's word.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn verify_export(
        &self,
        path: &str,
        exp: i64,
        sig: &str,
        now: UnixMs,
    ) -> Result<(JobId, String), LinkError> {
        let mut parts = path.split('/');
        let (kind, job, file) = (parts.next(), parts.next(), parts.next());
        let word = file.and_then(|file| file.strip_prefix("layers."));
        let job = job.and_then(|job| job.parse::<JobId>().ok());
        let known = self.is_signed(READ, path, exp, sig)?;
        let (Some("exports"), Some(job), Some(word), true) = (kind, job, word, known) else {
            return Err(LinkError::Wrong);
        };
        if now.as_secs() >= exp {
            return Err(LinkError::Expired);
        }
        Ok((job, word.to_owned()))
    }

    /// Path and query of a link that lamina serves.
    #[must_use]
    pub fn served(&self, key: &BlobKey, expires_at: UnixMs) -> String {
        self.path_and_query(READ, key, expires_at)
    }

    /// A link that takes the bytes of an upload: the bucket's where clients get the bucket's links,
    /// else one that lamina serves.
    #[must_use]
    pub fn put(&self, upload: UploadId, terms: &PutTerms, now: UnixMs, expires_at: UnixMs) -> Link {
        let key = BlobKey::Incoming(upload);
        match &self.bucket {
            Some(bucket) if self.direct => Link::Direct(bucket.put(&key, terms, now, expires_at)),
            _ => Link::Served(self.path_and_query(WRITE, &key, expires_at)),
        }
    }

    fn path_and_query(&self, method: &str, key: &BlobKey, expires_at: UnixMs) -> String {
        self.signed_path(method, &key.path(), expires_at)
    }

    fn signed_path(&self, method: &str, path: &str, expires_at: UnixMs) -> String {
        let exp = expires_at.as_secs();
        let sig = self
            .keys
            .first()
            .map(|k| URL_SAFE_NO_PAD.encode(hmac::sign(k, message(method, path, exp).as_bytes())));
        format!("/files/{path}?exp={exp}&sig={}", sig.unwrap_or_default())
    }

    /// Where clients' links lead besides the service's own address: the bucket's, if at all.
    #[must_use]
    pub fn elsewhere(&self) -> Option<Url> {
        let bucket = self.bucket.as_ref().filter(|_| self.direct)?;
        Some(bucket.address().clone())
    }

    /// A link of the bucket; `None` without one.
    #[must_use]
    pub fn presigned(&self, key: &BlobKey, expires_at: UnixMs) -> Option<Url> {
        Some(self.bucket.as_ref()?.get(key, expires_at))
    }

    /// What an address of the bucket stands for, if it is a link that this signer made.
    #[must_use]
    pub fn bucket_link(&self, url: &Url, now: UnixMs) -> Option<Result<BucketLink, LinkError>> {
        let bucket = self.bucket.as_ref()?;
        let (link, expires_at) = bucket.made(url)?;
        let is_over = expires_at.is_some_and(|expires_at| now.as_secs() >= expires_at.as_secs());
        Some(if is_over {
            Err(LinkError::Expired)
        } else {
            Ok(link)
        })
    }

    /// Checks the parts of a link that reads, as they came in. The signature is checked first, in
    /// constant time.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn verify(
        &self,
        path: &str,
        exp: i64,
        sig: &str,
        now: UnixMs,
    ) -> Result<BlobKey, LinkError> {
        self.signed(READ, path, exp, sig, now)
    }

    /// The same for a link that writes: whose bytes it takes. A link that reads is none.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn verify_put(
        &self,
        path: &str,
        exp: i64,
        sig: &str,
        now: UnixMs,
    ) -> Result<UploadId, LinkError> {
        match self.signed(WRITE, path, exp, sig, now)? {
            BlobKey::Incoming(upload) => Ok(upload),
            _ => Err(LinkError::Wrong),
        }
    }

    fn signed(
        &self,
        method: &str,
        path: &str,
        exp: i64,
        sig: &str,
        now: UnixMs,
    ) -> Result<BlobKey, LinkError> {
        let known = self.is_signed(method, path, exp, sig)?;
        let key = BlobKey::parse(path)
            .filter(|_| known)
            .ok_or(LinkError::Wrong)?;
        if now.as_secs() >= exp {
            Err(LinkError::Expired)
        } else {
            Ok(key)
        }
    }
}

impl LinkSigner {
    /// Compared in constant time.
    fn is_signed(&self, method: &str, path: &str, exp: i64, sig: &str) -> Result<bool, LinkError> {
        let tag = URL_SAFE_NO_PAD.decode(sig).map_err(|_| LinkError::Wrong)?;
        let message = message(method, path, exp);
        let mut keys = self.keys.iter();
        Ok(keys.any(|key| hmac::verify(key, message.as_bytes(), &tag).is_ok()))
    }
}

/// HEAD is signed as GET: whoever may read may ask for the size.
const READ: &str = "GET";
const WRITE: &str = "PUT";

fn message(method: &str, path: &str, exp: i64) -> String {
    format!("{method}\n{path}\n{exp}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::MediaType;

    fn parts(link: &str) -> (String, i64, String) {
        let (path, query) = link.split_once('?').unwrap();
        let (exp, sig) = query.split_once('&').unwrap();
        let exp = exp.strip_prefix("exp=").unwrap().parse().unwrap();
        (
            path.strip_prefix("/files/").unwrap().into(),
            exp,
            sig.strip_prefix("sig=").unwrap().into(),
        )
    }

    #[test]
    fn a_link_works_until_its_time_is_over() {
        let signer = LinkSigner::new(&["secret"]);
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let (path, exp, sig) = parts(&signer.served(&key, UnixMs(60_000)));
        assert_eq!(signer.verify(&path, exp, &sig, UnixMs(59_999)), Ok(key));
        assert_eq!(
            signer.verify(&path, exp, &sig, UnixMs(60_000)),
            Err(LinkError::Expired)
        );
    }

    #[test]
    fn a_link_that_was_changed_is_wrong() {
        let signer = LinkSigner::new(&["secret"]);
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let (path, exp, sig) = parts(&signer.served(&key, UnixMs(60_000)));
        let other = BlobKey::Layer(JobId::new(UnixMs(1)), 1, MediaType::Png).path();
        for (path, exp, sig) in [
            (other.as_str(), exp, sig.as_str()),
            (path.as_str(), exp + 1, sig.as_str()),
            (path.as_str(), exp, "AAAA"),
            (path.as_str(), exp, ""),
            (path.as_str(), exp, "not base64!"),
        ] {
            assert_eq!(
                signer.verify(path, exp, sig, UnixMs(0)),
                Err(LinkError::Wrong)
            );
        }
        assert_eq!(
            LinkSigner::new(&["other"]).verify(&path, exp, &sig, UnixMs(0)),
            Err(LinkError::Wrong)
        );
    }

    #[test]
    fn a_link_that_reads_does_not_write_and_the_other_way_round() {
        let signer = LinkSigner::new(&["secret"]);
        let upload = UploadId::new(UnixMs(1));
        let writes = signer.put(upload, &PutTerms::default(), UnixMs(0), UnixMs(60_000));
        let Link::Served(writes) = writes else {
            panic!("{writes:?}");
        };
        let (path, exp, sig) = parts(&writes);
        assert_eq!(signer.verify_put(&path, exp, &sig, UnixMs(0)), Ok(upload));
        assert_eq!(
            signer.verify_put(&path, exp, &sig, UnixMs(60_000)),
            Err(LinkError::Expired)
        );
        assert_eq!(
            signer.verify(&path, exp, &sig, UnixMs(0)),
            Err(LinkError::Wrong)
        );
        let reads = signer.served(&BlobKey::Incoming(upload), UnixMs(60_000));
        let (path, exp, sig) = parts(&reads);
        assert_eq!(
            signer.verify_put(&path, exp, &sig, UnixMs(0)),
            Err(LinkError::Wrong)
        );
    }

    #[test]
    fn a_link_to_an_export_opens_that_one_alone() {
        let signer = LinkSigner::new(&["secret"]);
        let job = JobId::new(UnixMs(1));
        let Link::Served(link) = signer.export(job, "psd", UnixMs(60_000)) else {
            panic!("it is served");
        };
        let (path, exp, sig) = parts(&link);
        let verify = |path: &str, exp, now| signer.verify_export(path, exp, &sig, UnixMs(now));
        assert_eq!(verify(&path, exp, 59_999), Ok((job, "psd".to_owned())));
        assert_eq!(verify(&path, exp, 60_000), Err(LinkError::Expired));
        assert_eq!(verify(&path, exp + 1, 0), Err(LinkError::Wrong));
        let other = path.replace("psd", "ora");
        assert_eq!(verify(&other, exp, 0), Err(LinkError::Wrong));
        // A layer's link is none, nor is this one of a layer.
        assert_eq!(
            signer.verify(&path, exp, &sig, UnixMs(0)),
            Err(LinkError::Wrong)
        );
        let layer = BlobKey::Layer(job, 0, MediaType::Png);
        let (path, exp, sig) = parts(&signer.served(&layer, UnixMs(60_000)));
        let verified = signer.verify_export(&path, exp, &sig, UnixMs(0));
        assert_eq!(verified, Err(LinkError::Wrong));
    }

    #[test]
    fn an_old_secret_still_verifies_after_rotation() {
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let (path, exp, sig) = parts(&LinkSigner::new(&["old"]).served(&key, UnixMs(60_000)));
        assert_eq!(
            LinkSigner::new(&["new", "old"]).verify(&path, exp, &sig, UnixMs(0)),
            Ok(key)
        );
    }

    #[test]
    fn a_link_does_not_show_its_signature() {
        let link = LinkSigner::new(&["secret"]).sign(
            &BlobKey::Source(JobId::new(UnixMs(1)), MediaType::Png),
            UnixMs(9),
        );
        assert!(!format!("{link:?}").contains("sig="));
    }
}
