//! The client of fal and how the engine uses it, as configured.

use crate::config::{Config, FalConfig};
use crate::engines::FalSettings;
use crate::tls;
use crate::trace;

/// A client of fal that repeats nothing by itself.
pub(crate) fn fal_client(fal: &FalConfig) -> Result<fal_queue::Client, fal_queue::ConfigError> {
    fal_queue::Client::new(fal_queue::Config {
        key: Some(fal.key.clone()),
        queue_url: fal.queue_url.clone(),
        rest_url: fal.rest_url.clone(),
        jwks_url: fal.jwks_url.clone(),
        platform_url: fal.platform_url.clone(),
        admin_key: fal.admin_key.clone(),
        // The worker retries durably; two schedules on top of each other would multiply.
        retry: fal_queue::Retry::off(),
        tls: tls::client_config().ok(),
        trace_parent: Some(trace::parent_header),
        ..fal_queue::Config::default()
    })
}

pub(super) fn fal_settings(fal: &FalConfig, config: &Config) -> FalSettings {
    FalSettings {
        model: fal.model.clone(),
        way: fal.way,
        public_url: config.public_url.clone(),
        engine_timeout: config.engine_timeout,
        webhooks: fal.webhooks,
        price_microusd: fal.price_microusd,
    }
}
