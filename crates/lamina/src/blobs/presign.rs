//! Presigned links of a bucket (AWS Signature Version 4 in the query): whoever has one may do one
//! thing with one object until it expires, without a key. Made without asking the bucket.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time;
use percent_encoding::percent_decode_str;
use rusty_s3::actions::{GetObject, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use secrecy::ExposeSecret as _;
use url::Url;

use super::{BlobKey, BucketLink, BucketSettings, BucketStyle};
use crate::jobs::{MediaType, UnixMs};

/// The longest that S3 lets a link live: 7 days, as long as a job may be kept.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Makes presigned links.
pub struct Presigner {
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

/// What a presigned write is bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutTerms {
    /// The body's type; any where there is none.
    pub content_type: Option<MediaType>,
    /// Its size; any where there is none, as S3 can sign no upper bound.
    pub bytes: Option<u64>,
}

impl PutTerms {
    /// The headers to send, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let content_type = self.content_type.map(|media| media.mime().to_owned());
        let bytes = self.bytes.map(|bytes| bytes.to_string());
        let pairs = [("content-type", content_type), ("content-length", bytes)];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl fmt::Debug for Presigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presigner({})", self.bucket.name())
    }
}

impl Presigner {
    /// Links to the bucket of `settings`, at the address where clients reach it.
    ///
    /// # Errors
    /// A sentence, when name and address make no URL.
    pub fn new(settings: &BucketSettings) -> Result<Self, String> {
        let endpoint = settings.public_endpoint.as_ref();
        let endpoint = endpoint.unwrap_or(&settings.endpoint).clone();
        let style = match settings.style {
            BucketStyle::Path => UrlStyle::Path,
            BucketStyle::Host => UrlStyle::VirtualHost,
        };
        let bucket = Bucket::new(
            endpoint,
            style,
            settings.name.clone(),
            settings.region.clone(),
        )
        .map_err(|error| format!("the bucket has no address: {error}"))?;
        Ok(Self {
            bucket,
            credentials: Credentials::new(
                settings.access_key_id.expose_secret(),
                settings.secret_access_key.expose_secret(),
            ),
            prefix: settings.prefix.clone(),
        })
    }

    /// Where the bucket answers clients.
    pub(super) fn address(&self) -> &Url {
        self.bucket.base_url()
    }

    /// A link that reads `key` until `expires_at` (rounded down to a second), answered with the
    /// key's own type and name whatever was stored with the object.
    ///
    /// The same key and expiry give the same link at every call: it is dated back to the earliest
    /// moment that S3 allows, not to now. So an app's cache knows a picture by its address.
    #[must_use]
    pub fn get(&self, key: &BlobKey, expires_at: UnixMs) -> Url {
        let object = self.object(key);
        let mut action = GetObject::new(&self.bucket, Some(&self.credentials), &object);
        let query = action.query_mut();
        query.insert("response-content-disposition", key.disposition());
        query.insert("response-content-type", key.content_type());
        action.sign_with_time(LONGEST, &second(expires_at.minus(LONGEST)))
    }

    /// A link that writes `key` once or more, from `now` until `expires_at` (rounded down to a
    /// second, at most 7 days). The client must send exactly the headers of `terms`: the bucket
    /// refuses every other body by its signature.
    #[must_use]
    pub fn put(&self, key: &BlobKey, terms: &PutTerms, now: UnixMs, expires_at: UnixMs) -> Url {
        let object = self.object(key);
        let mut action = PutObject::new(&self.bucket, Some(&self.credentials), &object);
        for (name, value) in terms.headers() {
            action.headers_mut().insert(name, value);
        }
        let whole = Duration::from_secs(expires_at.as_secs().abs_diff(now.as_secs()));
        action.sign_with_time(whole.min(LONGEST), &second(now))
    }

    /// What `url` stands for, and until when it reads, if it is a link that was made here: an address
    /// of an object of the bucket, and for one that reads every part of it as it was made, in any
    /// order.
    pub(super) fn made(&self, url: &Url) -> Option<(BucketLink, Option<UnixMs>)> {
        let path = decoded(url.path());
        let mut parts = path.rsplitn(4, '/');
        let (file, id, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let key = BlobKey::parse(&format!("{kind}/{id}/{file}"))?;
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        if let BlobKey::Incoming(upload) = key {
            let own = self.put(&key, &PutTerms::default(), UnixMs(0), UnixMs(1000));
            let is_signed = query.contains_key("X-Amz-Signature");
            let is_own = is_signed && same_place(&own, url);
            return is_own.then_some((BucketLink::Write(upload), None));
        }
        let made_at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", query.get("X-Amz-Date")?).ok()?;
        let made_at = made_at
            .to_datetime()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?;
        let made_at = UnixMs(made_at.timestamp().as_second().checked_mul(1000)?);
        let expires_at = made_at.plus(LONGEST);
        let own = self.get(&key, expires_at);
        let wanted: BTreeMap<_, _> = own.query_pairs().into_owned().collect();
        let is_own = same_place(&own, url)
            && query.len() == url.query_pairs().count()
            && constant_time::verify_slices_are_equal(
                format!("{query:?}").as_bytes(),
                format!("{wanted:?}").as_bytes(),
            )
            .is_ok();
        is_own.then_some((BucketLink::Read(key), Some(expires_at)))
    }

    fn object(&self, key: &BlobKey) -> String {
        if self.prefix.is_empty() {
            key.path()
        } else {
            format!("{}/{key}", self.prefix)
        }
    }
}

/// Whether two addresses are of the same object, however their paths are escaped.
fn same_place(own: &Url, url: &Url) -> bool {
    own.host() == url.host()
        && own.port_or_known_default() == url.port_or_known_default()
        && decoded(own.path()) == decoded(url.path())
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn second(time: UnixMs) -> jiff::Timestamp {
    jiff::Timestamp::from_second(time.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{JobId, UploadId};

    fn presigner(style: BucketStyle, public: Option<&str>) -> Presigner {
        Presigner::new(&BucketSettings {
            name: "pictures".into(),
            prefix: "lamina/one".into(),
            endpoint: Url::parse("https://abc.r2.cloudflarestorage.com").unwrap(),
            public_endpoint: public.map(|url| Url::parse(url).unwrap()),
            region: "auto".into(),
            style,
            access_key_id: "id".into(),
            secret_access_key: "hunter2hunter2".into(),
        })
        .unwrap()
    }

    #[test]
    fn a_link_is_the_same_at_every_reading_and_ends_with_the_job() {
        let signer = presigner(BucketStyle::Path, None);
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let link = signer.get(&key, UnixMs(1_795_356_717_999));
        assert_eq!(link, signer.get(&key, UnixMs(1_795_356_717_001)));
        let query: std::collections::BTreeMap<_, _> = link.query_pairs().collect();
        // 604800 s after this are 1795356717, the job's end.
        assert_eq!(query["X-Amz-Date"], "20261115T141157Z");
        assert_eq!(query["X-Amz-Expires"], "604800");
        assert_eq!(query["response-content-type"], "image/png");
        assert_eq!(
            query["response-content-disposition"],
            "inline; filename=\"layer_0.png\""
        );
        assert_eq!(link.path(), format!("/pictures/lamina/one/{key}"));
        assert!(!link.as_str().contains("hunter2"));
        assert!(!format!("{signer:?}").contains("hunter2"));
    }

    #[test]
    fn a_link_is_known_again_in_any_order_and_after_no_change() {
        let signer = presigner(BucketStyle::Host, Some("https://s3.example.com"));
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let expires_at = UnixMs(1_795_356_717_000);
        let link = signer.get(&key, expires_at);
        let known = Some((BucketLink::Read(key), Some(expires_at)));
        assert_eq!(signer.made(&link), known);
        let mut other = link.clone();
        let pairs: Vec<_> = link.query_pairs().into_owned().collect();
        other
            .query_pairs_mut()
            .clear()
            .extend_pairs(pairs.iter().rev());
        assert_eq!(signer.made(&other), known, "another order");
        other.set_path(&link.path().replace("layer_0", "%6Cayer%5F0"));
        assert_eq!(signer.made(&other), known, "another spelling");
        for change in 0..pairs.len() {
            let mut pairs = pairs.clone();
            pairs[change].1.push('0');
            other.query_pairs_mut().clear().extend_pairs(&pairs);
            assert_eq!(signer.made(&other), None, "{}", pairs[change].0);
            pairs.remove(change);
            other.query_pairs_mut().clear().extend_pairs(&pairs);
            assert_eq!(signer.made(&other), None);
        }
        for url in [
            link.as_str().replace("layer_0", "layer_1"),
            link.as_str().replace("s3.example.com", "evil.example"),
            link.as_str().replace("/lamina/one/", "/lamina/two/"),
            format!("{link}&x=1"),
            "https://s3.example.com/".to_owned(),
        ] {
            assert_eq!(signer.made(&Url::parse(&url).unwrap()), None, "{url}");
        }
        let put = BlobKey::Incoming(UploadId::new(UnixMs(1)));
        let link = signer.put(&put, &PutTerms::default(), UnixMs(0), UnixMs(60_000));
        let BlobKey::Incoming(upload) = put else {
            unreachable!()
        };
        assert_eq!(signer.made(&link), Some((BucketLink::Write(upload), None)));
    }

    #[test]
    fn a_link_leads_where_clients_reach_the_bucket() {
        let key = BlobKey::Layer(JobId::new(UnixMs(1)), 0, MediaType::Png);
        let host = |style, public| {
            let link = presigner(style, public).get(&key, UnixMs(1_795_356_717_000));
            link.host_str().unwrap().to_owned()
        };
        assert_eq!(
            host(BucketStyle::Host, None),
            "pictures.abc.r2.cloudflarestorage.com"
        );
        assert_eq!(
            host(BucketStyle::Path, Some("https://s3.example.com")),
            "s3.example.com"
        );
    }
}
