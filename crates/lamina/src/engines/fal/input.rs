//! How a picture reaches fal: a link of this service or of the bucket, an upload to fal's own storage, or inside the
//! request.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::failure::engine_error;
use super::{Fal, ImageWay, join};
use crate::engines::{EngineError, Input, Order};
use crate::jobs::UnixMs;

/// How long after its upload a picture may still be submitted: it outlives the run by this.
const INPUT_SPARE: Duration = Duration::from_secs(5 * 60);

impl Fal {
    /// Makes the picture reachable for fal, as the settings say.
    pub(super) async fn make_input(&self, order: &Order) -> Result<Input, EngineError> {
        if let Some(link) = self.link(order)? {
            // fal would be paid for finding out that the picture cannot be read now.
            if self.settings.way == ImageWay::Bucket {
                self.blobs.publish(&order.source).await?;
            } else {
                self.blobs.size(&order.source).await?;
            }
            return Ok(Input::at(link.into()));
        }
        if self.settings.way == ImageWay::DataUri {
            let bytes = self.blobs.get(&order.source).await?;
            let media = order.source.content_type();
            let uri = format!("data:{media};base64,{}", STANDARD.encode(bytes));
            return Ok(Input::at(uri));
        }
        self.upload(order).await
    }

    /// An input that was uploaded before, if it is there for as long as a run may take.
    fn kept(&self, order: &Order) -> Option<Input> {
        let needed = self.clock.wall().plus(self.settings.engine_timeout);
        let until_the_end = needed.0.min(order.expires_at.0);
        let kept = order.input.clone()?;
        let good = |until: UnixMs| until.0 >= until_the_end && until > self.clock.wall();
        kept.kept_until.is_some_and(good).then_some(kept)
    }

    async fn upload(&self, order: &Order) -> Result<Input, EngineError> {
        if let Some(kept) = self.kept(order) {
            return Ok(kept);
        }
        let bytes = self.blobs.get(&order.source).await?;
        let (media, name) = (order.source.content_type(), order.source.file_name());
        let lifetime = self.input_lifetime(order);
        // Counted from before the upload, so that fal never ends it earlier.
        let kept_until = self.clock.wall().plus(lifetime);
        let uploaded = self.client.upload(bytes, media, &name, Some(lifetime));
        let address = uploaded.await.map_err(|error| engine_error(&error))?;
        Ok(Input {
            address: address.into(),
            kept_until: Some(kept_until),
        })
    }

    /// The address where fal fetches the picture itself, if that is the way.
    fn link(&self, order: &Order) -> Result<Option<Url>, EngineError> {
        match (self.settings.way, &self.settings.public_url) {
            (ImageWay::Bucket, _) => Ok(self.links.presigned(&order.source, order.expires_at)),
            (ImageWay::Link, Some(public)) => {
                let path = self.links.served(&order.source, order.expires_at);
                join(public, &path).map(Some)
            }
            (ImageWay::Link | ImageWay::Upload | ImageWay::DataUri, _) => Ok(None),
        }
    }

    /// What goes in is needed while the engine may take, and fal deletes it on no request.
    fn input_lifetime(&self, order: &Order) -> Duration {
        let needed = self.settings.engine_timeout + INPUT_SPARE;
        self.lifetime(order).min(needed)
    }
}
