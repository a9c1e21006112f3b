//! An `image_url` that is a link of this server: of an upload, a layer, or the ticket of an upload. Its
//! bytes are here already, so they are read from where they are kept, whatever `PUBLIC_URL` and the
//! rules for strangers' URLs say.
//!
//! A link that reads is a right for whoever has it, here as when it is opened: its owner is not asked
//! for. A ticket's link writes; only its owner may use what was sent to it. What looks like a link of
//! this server and is none is refused and never fetched.

use axum::http::HeaderMap;
use axum::http::Uri;
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::blobs::{BlobError, BlobKey, BucketLink, LinkError};
use crate::http::answer::error::{ApiError, LinkFault};
use crate::http::extract::public_base::asked_host;
use crate::http::receive::picture::{self, Picture};
use crate::http::receive::spool::SpoolWriter;
use crate::http::receive::upload_capacity::{Place, UploadCapacity};
use crate::http::routes::files::{is_live, signature};
use crate::http::state::ApiState;
use crate::jobs::{OwnerId, UploadId};

/// What a link of this server stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum OwnLink {
    /// Bytes that it may read.
    Picture(BlobKey),
    /// What was, or will be, sent to it.
    Ticket(UploadId),
}

/// Where a request came to, for addresses that follow the request's `Host`.
#[derive(Clone, Debug)]
pub(in crate::http) struct AskedAt(Option<String>);

impl AskedAt {
    pub(in crate::http) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        Self(asked_host(uri, headers).map(str::to_owned))
    }
}

/// The link that `url` is; `None` for a stranger's URL.
pub(in crate::http) fn recognise(
    state: &ApiState,
    asked: &AskedAt,
    url: &Url,
) -> Result<Option<OwnLink>, ApiError> {
    // Whoever puts a password into an address means another server.
    if !url.username().is_empty() || url.password().is_some() {
        return Ok(None);
    }
    let now = state.ends_by();
    match state.links.bucket_link(url, now) {
        Some(Ok(BucketLink::Read(key))) => return readable(key),
        Some(Ok(BucketLink::Write(upload))) => return Ok(Some(OwnLink::Ticket(upload))),
        Some(Err(error)) => return Err(fault(error)),
        None => {}
    }
    let path = percent_decode_str(url.path()).decode_utf8_lossy();
    let is_here = is_here(state, asked, url, &path);
    let stranger = || {
        if is_here {
            Err(fault(LinkError::Wrong))
        } else {
            Ok(None)
        }
    };
    let Some(file) = path.rsplit_once("/files/").map(|(_, file)| file) else {
        return stranger();
    };
    let Ok((exp, sig)) = signature(url.query()) else {
        return stranger();
    };
    match state.links.verify(file, exp, &sig, now) {
        Ok(key) => return readable(key),
        Err(LinkError::Expired) => return Err(fault(LinkError::Expired)),
        Err(LinkError::Wrong) => {}
    }
    match state.links.verify_put(file, exp, &sig, now) {
        Ok(upload) => Ok(Some(OwnLink::Ticket(upload))),
        Err(LinkError::Expired) => Err(fault(LinkError::Expired)),
        Err(LinkError::Wrong) => stranger(),
    }
}

/// Unchecked bytes are read by nothing but their check.
fn readable(key: BlobKey) -> Result<Option<OwnLink>, ApiError> {
    match key {
        BlobKey::Incoming(_) => Err(fault(LinkError::Wrong)),
        key => Ok(Some(OwnLink::Picture(key))),
    }
}

/// Whether the address is one of this server's files, by the host and path that clients know it
/// under. The scheme is a proxy's business.
fn is_here(state: &ApiState, asked: &AskedAt, url: &Url, path: &str) -> bool {
    let same = |own: &Url| {
        let below = own.path().trim_end_matches('/');
        let port = |url: &Url| url.port().unwrap_or(0);
        let is_file = path
            .strip_prefix(below)
            .is_some_and(|rest| rest.starts_with("/files/"));
        is_file && own.host() == url.host() && port(own) == port(url)
    };
    let asked = asked.0.as_deref();
    let asked = asked.and_then(|host| Url::parse(&format!("{}://{host}", url.scheme())).ok());
    asked.as_ref().is_some_and(same) || state.public_url.as_ref().is_some_and(same)
}

fn fault(error: LinkError) -> ApiError {
    ApiError::SourceLink(match error {
        LinkError::Wrong => LinkFault::Invalid,
        LinkError::Expired => LinkFault::Expired,
    })
}

/// The picture behind a link, checked as one that comes in; its place in the upload's capacity is held as long
/// as the picture is.
pub(super) async fn read(
    state: &ApiState,
    capacity: &UploadCapacity,
    owner: &OwnerId,
    key: &BlobKey,
) -> Result<(Picture, Place), ApiError> {
    // As when it is opened: it ends with its job, however long the bytes take to go.
    if !is_live(state, key, state.ends_by()).await? {
        return Err(ApiError::SourceLink(LinkFault::Gone));
    }
    let key = &match key {
        // A small variant of a layer would make a worse picture of the same.
        BlobKey::Variant(job, file, _) => {
            let found = state.store.layer_get(*job, *file, state.ends_by()).await?;
            let (_, layer) = found.ok_or(ApiError::SourceLink(LinkFault::Gone))?;
            BlobKey::Layer(*job, *file, layer.media_type)
        }
        key => *key,
    };
    let mut opened = state.blobs.open(key, None).await.map_err(gone)?;
    let mut spool = SpoolWriter::new(&state.spool, state.limits.memory_bytes, &state.bodies);
    while let Some(chunk) = opened.stream.next().await {
        spool.write(&chunk.map_err(gone)?).await?;
    }
    let file = spool.finish().await?;
    let place = capacity.enter(file.len).await?;
    let picture = picture::of_own_bytes(state, owner, file)
        .await
        .map_err(|error| error.at("/image_url"))?;
    Ok((picture, place))
}

/// A link outlives its file when its job or upload is deleted.
fn gone(error: BlobError) -> ApiError {
    match error {
        BlobError::Missing(_) => ApiError::SourceLink(LinkFault::Gone),
        other => other.into(),
    }
}
