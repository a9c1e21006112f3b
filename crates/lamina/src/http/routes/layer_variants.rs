//! Other variants of a layer by its link: `trim=1`, `format=webp`, `width=512`. A link is the right to a layer, and so to all of its variants: they
//! show nothing that the layer does not, and there are few of each (`jobs/layer_variant.rs`), so the signature leaves them out.
//!
//! A variant is made when it is first asked for, and kept and counted as long as its layer. Where it cannot be kept it is made for one answer.

use bytes::Bytes;

use super::files::is_live;
use crate::blobs::{BlobError, BlobKey};
use crate::exports::VariantPlan;
use crate::http::answer::error::ApiError;
use crate::http::extract::query::{AGAIN, parameters};
use crate::http::state::ApiState;
use crate::http::state::variants_under_way::VariantsUnderWay;
use crate::jobs::{AskedVariant, FieldError, Layer, MediaType, OwnerId};
use crate::metrics::VariantOutcome;
use crate::store::{StoreError, VariantOf};

/// No side of a layer is longer.
const MOST_WIDTH: u32 = 16_384;

/// What a link leads to.
pub(super) enum Found {
    /// A blob.
    Stored(BlobKey),
    /// Bytes that the key would have.
    Made(BlobKey, Bytes),
}

impl Found {
    /// The key, and the bytes where they are not stored under it.
    pub(super) fn parts(self) -> (BlobKey, Option<Bytes>) {
        match self {
            Self::Stored(key) => (key, None),
            Self::Made(key, bytes) => (key, Some(bytes)),
        }
    }
}

/// What the query of a layer's link asks for. Parameters of other names are the client's own.
pub(super) fn asked(query: Option<&str>) -> Result<AskedVariant, ApiError> {
    let (mut asked, mut errors) = (AskedVariant::default(), Vec::new());
    for (name, value, again) in parameters(query) {
        let detail = match (&*name, &*value) {
            ("trim" | "format" | "width", _) if again => AGAIN,
            ("trim", "1" | "true") => {
                asked.trim = true;
                continue;
            }
            ("trim", "0" | "false") => continue,
            ("trim", _) => "Expected 1 or 0.",
            ("format", "webp") => {
                asked.format = Some(MediaType::WebP);
                continue;
            }
            ("format", "png") => {
                asked.format = Some(MediaType::Png);
                continue;
            }
            ("format", _) => "Expected png or webp.",
            ("width", text) => match whole(text) {
                Some(width) => {
                    asked.width = Some(width);
                    continue;
                }
                None => "Expected a whole number of pixels from 1 to 16384.",
            },
            _ => continue,
        };
        errors.push(FieldError {
            pointer: format!("/{name}"),
            detail: detail.to_owned(),
        });
    }
    if errors.is_empty() {
        Ok(asked)
    } else {
        Err(ApiError::InvalidQuery(errors))
    }
}

fn whole(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    let width = text.parse().ok().filter(|_| is_number)?;
    (1..=MOST_WIDTH).contains(&width).then_some(width)
}

/// The variant of a layer that was asked for, made if there is none yet.
pub(super) async fn find(
    state: &ApiState,
    under_way: &VariantsUnderWay,
    key: BlobKey,
    asked: AskedVariant,
) -> Result<Found, ApiError> {
    let (BlobKey::Layer(job, file, _) | BlobKey::Variant(job, file, _)) = key else {
        return Ok(Found::Stored(key));
    };
    let found = state.store.layer_get(job, file, state.ends_by()).await?;
    let (owner, layer) = found.ok_or(ApiError::FileGone)?;
    let variant = match key {
        BlobKey::Variant(_, _, variant) => variant,
        _ => match asked.on(&layer) {
            Some(variant) => variant,
            None => return Ok(Found::Stored(key)),
        },
    };
    let of = VariantOf { job, file, variant };
    let making = Making {
        state,
        owner: &owner,
        layer: &layer,
        of,
    };
    if making.is_there().await? {
        state.metrics.requests.variant(VariantOutcome::Found);
        return Ok(Found::Stored(making.key()));
    }
    let _turn = under_way.turn(making.key()).await;
    if making.is_there().await? {
        state.metrics.requests.variant(VariantOutcome::Found);
        return Ok(Found::Stored(making.key()));
    }
    let made = making.make(under_way).await?;
    if making.keep(&made).await? {
        state.metrics.requests.variant(VariantOutcome::Made);
        return Ok(Found::Stored(making.key()));
    }
    state.metrics.requests.variant(VariantOutcome::NotKept);
    Ok(Found::Made(making.key(), made))
}

/// One variant on its way.
struct Making<'a> {
    state: &'a ApiState,
    owner: &'a OwnerId,
    layer: &'a Layer,
    of: VariantOf,
}

impl Making<'_> {
    fn key(&self) -> BlobKey {
        BlobKey::Variant(self.of.job, self.of.file, self.of.variant)
    }

    async fn is_there(&self) -> Result<bool, ApiError> {
        match self.state.blobs.size(&self.key()).await {
            Ok(_) => Ok(true),
            Err(BlobError::Missing(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn make(&self, under_way: &VariantsUnderWay) -> Result<Bytes, ApiError> {
        let format = self.of.variant.format.name();
        let plan = VariantPlan::of(self.layer, self.of.variant);
        let plan = plan.ok_or(ApiError::LayerVariantTooLarge(format))?;
        let place = under_way.place(self.owner, self.layer.bytes).await;
        let stored = BlobKey::Layer(self.of.job, self.of.file, self.layer.media_type);
        let file = self.state.blobs.get(&stored).await?;
        let pool = self.state.pool.of(self.owner);
        // As many as have a place wait for the pool.
        let made = pool.run_in_turn(plan.cost_megapixels(), move || {
            let made = plan.make(&file);
            drop((file, place));
            made
        });
        let made = made.await?;
        made.map(Bytes::from).map_err(|error| {
            ApiError::Internal(format!(
                "a variant of layer {} of job {}: {error}",
                self.layer.order, self.of.job
            ))
        })
    }

    /// False where there is no room to keep it. Counted before it is stored, and stored before the job is looked at again: so erasing the
    /// job, which comes after its end is written, finds either the variant or no job that it could belong to.
    async fn keep(&self, made: &Bytes) -> Result<bool, ApiError> {
        let (state, key) = (self.state, self.key());
        let counted = state
            .store
            .layer_variant_keep(self.of, made.len() as u64, state.ends_by());
        match counted.await {
            Ok(true) => {}
            Ok(false) => return Err(ApiError::FileGone),
            Err(StoreError::QuotaExceeded(_) | StoreError::Full(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = state.blobs.put(&key, made.clone()).await {
            state.store.layer_variant_forget(self.of).await?;
            return match error {
                BlobError::Full(_) => Ok(false),
                error => Err(error.into()),
            };
        }
        if is_live(state, &key, state.ends_by()).await? {
            return Ok(true);
        }
        state.blobs.remove(&key).await?;
        Err(ApiError::FileGone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_what_is_wrong_with_it_is_told() {
        let ok = |query| asked(Some(query)).unwrap();
        assert_eq!(ok("exp=1&sig=x&cache=7"), AskedVariant::default());
        let all = AskedVariant {
            trim: true,
            format: Some(MediaType::WebP),
            width: Some(300),
        };
        assert_eq!(ok("trim=1&format=webp&width=300"), all);
        assert_eq!(ok("trim=0&format=png").format, Some(MediaType::Png));
        for (query, pointer) in [
            ("trim=yes", "/trim"),
            ("trim", "/trim"),
            ("format=jpeg", "/format"),
            ("format=../webp", "/format"),
            ("format=WEBP", "/format"),
            ("width=0", "/width"),
            ("width=-1", "/width"),
            ("width=+5", "/width"),
            ("width=1e3", "/width"),
            ("width=16385", "/width"),
            ("width=99999999999999999999", "/width"),
            ("width=", "/width"),
            ("width=%F0%9F%98%80", "/width"),
            ("width=10&width=20", "/width"),
            ("trim=1&trim=1", "/trim"),
        ] {
            let Err(ApiError::InvalidQuery(errors)) = asked(Some(query)) else {
                panic!("{query} was taken");
            };
            assert_eq!(errors.len(), 1, "{query}");
            assert_eq!(errors[0].pointer, pointer, "{query}");
        }
    }
}
