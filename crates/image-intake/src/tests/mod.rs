//! Tests with real files; pixels are compared, not only statuses.

mod bytes_and_base64;
mod colours;
mod conformance;
mod costly;
mod hostile;
mod layers;
mod mutations;
mod normalised;
mod orientations;
mod reports;
mod samples;
mod stacks;
mod variants;
