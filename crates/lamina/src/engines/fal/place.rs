//! Where a submission went: the model, and the account that the key is of. Written down with it, since both
//! may be changed while its answer is lost, and nobody else can be asked for it. A key is never part of it.

use aws_lc_rs::digest;
use fal_queue::{Config, ModelId};
use secrecy::ExposeSecret as _;

use crate::engines::EngineError;
use crate::jobs::FailureCode;

/// The model and the account, as they are written down.
pub(super) fn written(model: &ModelId, config: &Config) -> String {
    format!("{model} {}", account(config))
}

/// The model of what was written down.
pub(super) fn model(place: &str) -> Option<ModelId> {
    place.split(' ').next()?.parse().ok()
}

/// Whether the ledger of what was written down is the one that calls are made for now.
pub(super) fn is_of(place: &str, config: &Config) -> bool {
    place.split(' ').nth(1) == Some(&account(config))
}

/// What "not found" means of a request that went there: that it is over, unless another account took it. That
/// one may be running, and paid; only that account's key can ask for it or stop it.
pub(super) fn known_here(place: Option<&str>, config: &Config) -> Result<(), EngineError> {
    if place.is_none_or(|place| is_of(place, config)) {
        return Ok(());
    }
    Err(EngineError::permanent(
        FailureCode::EngineAccountChanged,
        "fal does not know the request, which was made with another key than the present one",
    ))
}

/// The key's id, which fal shows in its list of keys; of a key that has none, a digest.
fn account(config: &Config) -> String {
    let key = config.key.as_ref().map_or("", |key| key.expose_secret());
    match key.split_once(':') {
        Some((id, _)) => id.to_owned(),
        None => {
            let digest = digest::digest(&digest::SHA256, key.as_bytes());
            let first = digest.as_ref().iter().take(6);
            first.map(|byte| format!("{byte:02x}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn of(key: &str) -> Config {
        Config {
            key: Some(SecretString::from(key)),
            ..Config::default()
        }
    }

    #[test]
    fn a_place_names_model_and_account_and_no_secret() {
        let model: ModelId = "fal-ai/qwen-image-layered/sub".parse().unwrap();
        for key in ["id-of-a-key:the-secret-of-it", "the-secret-of-it"] {
            let place = written(&model, &of(key));
            assert!(!place.contains("the-secret-of-it"), "{place}");
            assert!(is_of(&place, &of(key)) && !is_of(&place, &of("another:secret")));
            assert_eq!(super::model(&place), Some(model.clone()));
        }
        // Another secret of the same key is the same account.
        let place = written(&model, &of("id:one"));
        assert!(is_of(&place, &of("id:two")));
        // What another account took may be there although this one does not know it.
        assert!(known_here(None, &of("id:two")).is_ok());
        assert!(known_here(Some(&place), &of("id:two")).is_ok());
        let elsewhere = known_here(Some(&place), &of("another:one")).unwrap_err();
        assert_eq!(elsewhere.code, FailureCode::EngineAccountChanged);
    }
}
