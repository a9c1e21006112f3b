//! fal's options.

use secrecy::SecretString;
use url::Url;

use super::reader::Reader;
use super::{FalConfig, StorageConfig};
use crate::access::parse_usd;
use crate::engines::ImageWay;

/// No request costs as much; a price that does is a slip of the pen.
const MOST_MICROUSD: u64 = 1_000_000_000;

impl Reader<'_> {
    /// fal's own options are checked even without a key, so that a typo shows before the key comes.
    pub(super) fn fal(
        &mut self,
        public_url: Option<&Url>,
        storage: &StorageConfig,
    ) -> Option<FalConfig> {
        let names = ["FAL_API_KEY", "FAL_KEY"];
        let given = names.into_iter().find(|name| !self.text(name).is_empty());
        if let Some(name) = given
            && let Err(error) = fal_queue::check_key_shape(self.text(name))
        {
            self.wrong(name, format!("does not look like a fal key: {error}"));
        }
        let has_url = public_url.is_some();
        let auto_way = if storage.is_direct() {
            ImageWay::Bucket
        } else if has_url {
            ImageWay::Link
        } else {
            ImageWay::Upload
        };
        let ways = [
            ("auto", auto_way),
            ("link", ImageWay::Link),
            ("bucket", ImageWay::Bucket),
            ("upload", ImageWay::Upload),
            ("data", ImageWay::DataUri),
        ];
        let way = self.word("FAL_IMAGE", &ways);
        let webhooks = self.word(
            "FAL_WEBHOOKS",
            &[("auto", has_url), ("true", true), ("false", false)],
        );
        for (name, needs) in [
            ("FAL_IMAGE", way == ImageWay::Link),
            ("FAL_WEBHOOKS", webhooks),
        ] {
            if needs && !has_url {
                self.wrong(name, format!("is {:?}, and that needs PUBLIC_URL, the address under which fal reaches lamina", self.text(name)));
            }
        }
        if way == ImageWay::Bucket && matches!(storage, StorageConfig::Folder(_)) {
            self.wrong(
                "FAL_IMAGE",
                "is bucket, and that needs STORAGE_URL=s3://BUCKET",
            );
        }
        let model = self.parse("FAL_MODEL", "a model such as fal-ai/qwen-image-layered");
        let price_microusd = self.fal_price();
        let (queue_url, rest_url) = (self.fal_url("FAL_QUEUE_URL"), self.fal_url("FAL_REST_URL"));
        let jwks_url = self.fal_url("FAL_JWKS_URL");
        let platform_url = self.fal_url("FAL_PLATFORM_URL");
        let admin_key = self.admin_key();
        let key = SecretString::from(self.text(given?));
        Some(FalConfig {
            key,
            admin_key,
            model,
            way,
            webhooks,
            price_microusd,
            queue_url,
            rest_url,
            platform_url,
            jwks_url,
        })
    }

    /// In millionths of a US dollar, read digit by digit: what is summed is exact.
    fn fal_price(&mut self) -> u64 {
        let text = self.text("FAL_PRICE_USD");
        let price = parse_usd(text).filter(|price| *price < MOST_MICROUSD);
        if price.is_none() {
            self.wrong(
                "FAL_PRICE_USD",
                format!("expected US dollars such as 0.05, from 0 to less than 1000 with at most six decimals, got {text:?}"),
            );
        }
        price.unwrap_or_default()
    }

    fn admin_key(&mut self) -> Option<SecretString> {
        let key = self.text("FAL_ADMIN_KEY");
        if key.is_empty() {
            return None;
        }
        if let Err(error) = fal_queue::check_key_shape(key) {
            self.wrong(
                "FAL_ADMIN_KEY",
                format!("does not look like a fal key: {error}"),
            );
        }
        Some(SecretString::from(key))
    }

    fn fal_url(&mut self, name: &str) -> Url {
        self.base_url(name).unwrap_or_else(|| {
            Url::from_directory_path("/").unwrap_or_else(|()| unreachable!("/ is a path"))
        })
    }
}
