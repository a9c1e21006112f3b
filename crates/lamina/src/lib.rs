//! The lamina service as a library: everything but the command line.
pub mod fetch;
pub mod images;
