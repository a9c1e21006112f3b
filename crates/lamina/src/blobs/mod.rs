//! Bytes under typed keys, and signed links to them. It knows where bytes are, not what they mean:
//! no decoding, no SQL, no HTTP.

mod backend;
mod key;
mod link;

pub use backend::{BlobError, Blobs, OpenBlob, Owners};
pub use key::BlobKey;
pub use link::{Link, LinkError, LinkSigner};
