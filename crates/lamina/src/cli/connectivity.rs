//! Whether pictures can be reached the way they will be: `lamina check` puts a small one into the
//! storage, fetches it once as a client or fal would, and removes it. What this machine cannot prove
//! is said to be unproven.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, ORIGIN};
use reqwest::{Client, StatusCode, redirect};
use safe_fetch::FetchPolicy;
use url::{Host, Url};

use super::check::Found;
use crate::app;
use crate::blobs::{BlobKey, Blobs, LinkSigner};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, FalConfig, StorageConfig};
use crate::engines::ImageWay;
use crate::jobs::{MediaType, UploadId};

/// One pixel.
const PICTURE: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\xdac\xf8\x0f\x00\x01\x01\x01\x00\x1c\xb0\x8c\x99\x00\x00\x00\x00IEND\xaeB`\x82";
/// A fetch ends within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// The links that are made for it.
const LIFETIME: Duration = Duration::from_secs(60);

/// A picture in the storage for as long as a check takes.
struct Sample {
    blobs: Blobs,
    links: LinkSigner,
    key: BlobKey,
}

impl Sample {
    async fn put(config: &Config) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let blobs = app::open_blobs(&config.storage).map_err(|e| text(&e))?;
        let data = config.database_path.parent().unwrap_or("".as_ref());
        let links = app::link_signer(config, data).map_err(|e| text(&e))?;
        let upload = UploadId::new(SystemClock::default().wall());
        let key = BlobKey::Upload(upload, MediaType::Png);
        let bytes = Bytes::from_static(PICTURE);
        blobs.put(&key, bytes).await.map_err(|e| text(&e))?;
        Ok(Self { blobs, links, key })
    }

    fn presigned(&self) -> Option<Url> {
        let end = SystemClock::default().wall().plus(LIFETIME);
        self.links.presigned(&self.key, end)
    }

    fn served(&self, public: &Url) -> Option<Url> {
        let end = SystemClock::default().wall().plus(LIFETIME);
        let path = self.links.served(&self.key, end);
        Url::parse(&format!("{}{path}", public.as_str().trim_end_matches('/'))).ok()
    }

    /// What cannot be removed now has no row, so the sweep removes it.
    async fn remove(self) {
        let _ = self.blobs.remove(&self.key).await;
    }
}

/// What a fetch without any right but the link came to.
enum Fetched {
    /// The picture.
    Same {
        /// Whether pages of other origins may read it.
        cors: bool,
    },
    /// An answer that is not it.
    Other(StatusCode),
    /// No answer.
    Nothing(&'static str),
}

async fn fetch(url: Url) -> Fetched {
    let client = Client::builder()
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
        .build();
    let Ok(client) = client else {
        return Fetched::Nothing("no client could be made");
    };
    let request = client.get(url).header(ORIGIN, "https://app.example");
    let answer = match request.send().await {
        Ok(answer) => answer,
        // The error's text may carry the link.
        Err(error) if error.is_timeout() => return Fetched::Nothing("no answer in 10 s"),
        Err(error) if error.is_connect() => return Fetched::Nothing("no connection"),
        Err(_) => return Fetched::Nothing("the connection broke"),
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let png = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "image/png");
    match answer.bytes().await {
        Ok(bytes) if status == StatusCode::OK && png && bytes == PICTURE => Fetched::Same {
            cors: headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN),
        },
        _ => Fetched::Other(status),
    }
}

/// Where clients fetch pictures.
pub(super) async fn links(config: &Config) -> Found {
    let StorageConfig::Bucket { direct: true, .. } = &config.storage else {
        return Found::Good("lamina serves them".into());
    };
    let sample = match Sample::put(config).await {
        Ok(sample) => sample,
        Err(error) => return Found::Bad(error),
    };
    let fetched = match sample.presigned() {
        Some(link) => fetch(link).await,
        None => Fetched::Nothing("no link could be made"),
    };
    sample.remove().await;
    let advice =
        "check S3_PUBLIC_ENDPOINT, or have lamina serve pictures with STORAGE_LINKS=lamina";
    match fetched {
        Fetched::Same { cors: true } => {
            Found::Good("a presigned link of the bucket was fetched once from here".into())
        }
        Fetched::Same { cors: false } => Found::Unsure(
            "a presigned link of the bucket was fetched once from here; it allows no other origin, so web pages cannot read layers (docs/storage.md has the CORS rule)".into(),
        ),
        Fetched::Other(status) => Found::Bad(format!(
            "a presigned link of the bucket was answered {}; {advice}",
            status.as_u16()
        )),
        Fetched::Nothing(why) => Found::Bad(format!("a presigned link of the bucket: {why}; {advice}")),
    }
}

/// How fal gets pictures. `serving` is whether a lamina runs on this database now.
pub(super) async fn way(config: &Config, fal: &FalConfig, serving: bool) -> Found {
    match (fal.way, &config.public_url) {
        (ImageWay::Bucket, _) => by_bucket(config, fal).await,
        (ImageWay::Link, Some(public)) => by_link(config, fal, public, serving).await,
        (ImageWay::Upload, _) => by_upload(fal).await,
        (ImageWay::DataUri | ImageWay::Link, _) => Found::Unsure(
            "inside the request; only a paid one proves that fal takes it, and large pictures are slow".into(),
        ),
    }
}

async fn by_bucket(config: &Config, fal: &FalConfig) -> Found {
    let sample = match Sample::put(config).await {
        Ok(sample) => sample,
        Err(error) => return Found::Bad(error),
    };
    let Some(link) = sample.presigned() else {
        return Found::Bad("there is no bucket".into());
    };
    if let Err(why) = open_to_strangers(&link, fal) {
        sample.remove().await;
        return Found::Bad(format!(
            "fal cannot reach the bucket: {why}; use FAL_IMAGE=upload, or set S3_PUBLIC_ENDPOINT"
        ));
    }
    let fetched = fetch(link).await;
    sample.remove().await;
    match fetched {
        Fetched::Same { .. } => Found::Good(
            "by a presigned link of the bucket, fetched once from here; that fal reaches it from outside is not proven".into(),
        ),
        Fetched::Other(status) => Found::Bad(format!("a presigned link of the bucket was answered {}; check S3_PUBLIC_ENDPOINT, or use FAL_IMAGE=upload", status.as_u16())),
        Fetched::Nothing(why) => Found::Bad(format!("a presigned link of the bucket: {why}; check S3_PUBLIC_ENDPOINT, or use FAL_IMAGE=upload")),
    }
}

async fn by_link(config: &Config, fal: &FalConfig, public: &Url, serving: bool) -> Found {
    if let Err(why) = open_to_strangers(public, fal) {
        return Found::Bad(format!(
            "fal cannot reach PUBLIC_URL: {why}; correct it, or use FAL_IMAGE=upload and FAL_WEBHOOKS=false"
        ));
    }
    let sample = match Sample::put(config).await {
        Ok(sample) => sample,
        Err(error) => return Found::Bad(error),
    };
    let fetched = match sample.served(public) {
        Some(link) => fetch(link).await,
        None => Fetched::Nothing("no link can be made of it"),
    };
    sample.remove().await;
    let unproven = |why: &str| {
        Found::Unsure(format!(
            "by a link under PUBLIC_URL; not proven, since no lamina serves from this database now ({why}): run this again while one does"
        ))
    };
    match fetched {
        Fetched::Same { .. } => Found::Good(
            "by a link under PUBLIC_URL, fetched once from here; that fal reaches it from outside is not proven".into(),
        ),
        Fetched::Other(status) if !serving => unproven(&format!("answer {}", status.as_u16())),
        Fetched::Nothing(why) if !serving => unproven(why),
        Fetched::Other(StatusCode::FORBIDDEN) => Found::Bad(
            "what answers at PUBLIC_URL does not know links of this configuration: another lamina, or another SIGNING_SECRET".into(),
        ),
        Fetched::Other(status) => Found::Bad(format!(
            "a link under PUBLIC_URL was answered {}; check PUBLIC_URL and the proxy in front of lamina",
            status.as_u16()
        )),
        Fetched::Nothing(why) => Found::Bad(format!(
            "a link under PUBLIC_URL: {why}; check PUBLIC_URL and what stands in front of lamina"
        )),
    }
}

/// Where fal calls back. It follows no redirect, and takes one for the end of a delivery.
pub(super) async fn callbacks(public: &Url) -> Found {
    let base = public.as_str().trim_end_matches('/');
    let Ok(url) = Url::parse(&format!("{base}/healthz")) else {
        return Found::Bad("no address can be made of PUBLIC_URL".into());
    };
    match fetch(url).await {
        Fetched::Other(status) if status.is_redirection() => Found::Bad(format!(
            "PUBLIC_URL was answered {}, a redirect, which fal's webhooks do not follow; set it to the address that it leads to",
            status.as_u16()
        )),
        Fetched::Other(StatusCode::OK) | Fetched::Same { .. } => {
            Found::Good("fal calls back under PUBLIC_URL, which answers here".into())
        }
        Fetched::Other(status) => Found::Unsure(format!(
            "fal calls back under PUBLIC_URL, which was answered {} here; not proven",
            status.as_u16()
        )),
        Fetched::Nothing(why) => Found::Unsure(format!(
            "fal calls back under PUBLIC_URL; not proven from here ({why})"
        )),
    }
}

async fn by_upload(fal: &FalConfig) -> Found {
    let client = match app::fal_client(fal) {
        Ok(client) => client,
        Err(error) => return Found::Bad(error.to_string()),
    };
    let bytes = Bytes::from_static(PICTURE);
    let uploaded = client.upload(bytes, "image/png", "lamina-check.png", Some(LIFETIME));
    let url = match uploaded.await {
        Ok(url) => url,
        Err(error) => return Found::Bad(format!("fal's storage did not take a picture: {error}")),
    };
    match fetch(url).await {
        Fetched::Same { .. } => Found::Good(
            "by an upload: fal's storage took one pixel with this key and gave it back; it deletes it after a minute".into(),
        ),
        Fetched::Other(status) => Found::Bad(format!(
            "fal's storage took a picture and answered {} for it",
            status.as_u16()
        )),
        Fetched::Nothing(why) => Found::Unsure(format!(
            "by an upload: fal's storage took one pixel with this key; it could not be fetched from here ({why})"
        )),
    }
}

/// Whether an address can be a public one. In development, where fal is an emulator on this machine,
/// every address can be reached.
fn open_to_strangers(url: &Url, fal: &FalConfig) -> Result<(), String> {
    if fal.queue_url.scheme() == "http" {
        return Ok(());
    }
    let mut url = url.clone();
    url.set_query(None);
    // Which ports fal opens is fal's affair.
    let _ = url.set_port(None);
    if url.host() == Some(Host::Domain("localhost")) {
        return Err("localhost is this machine".to_owned());
    }
    let policy = FetchPolicy {
        allow_http: true,
        ..FetchPolicy::default()
    };
    policy
        .check_url(&url)
        .map_err(|refusal| refusal.to_string())
}
