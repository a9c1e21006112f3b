//! Webhooks: the body as fal writes it, its signature, the key set, and the delivery with retries.

mod body;
mod deliver;
mod sign;

pub(crate) use deliver::deliver;
pub(crate) use sign::SigningKeys;
