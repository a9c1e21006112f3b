//! Bytes under typed keys, in a folder or an S3-compatible bucket, and links to them. It knows where
//! bytes are, not what they mean: no decoding, no SQL, no HTTP answers.

mod backend;
mod bucket;
mod error;
mod folder;
mod inbox;
mod key;
mod link;
mod mark;
mod presign;
mod pulse;

pub use backend::{Blobs, OpenBlob, Owners, RowSources};
pub use bucket::{BucketSettings, BucketStyle};
pub use error::BlobError;
pub use inbox::{Inbox, InboxError, UploadLock};
pub use key::BlobKey;
pub use link::{BucketLink, Link, LinkError, LinkSigner};
pub use mark::{Mark, Ownership};
pub use presign::{Presigner, PutTerms};
