//! Tests of fetching over real sockets on loopback; only the source of addresses is scripted.

mod bodies;
mod deliver;
mod names;
mod redirects;
mod server;
mod urls;
