//! The emulator, seen from outside: plain HTTP against a bound port, and the stock clients.
//!
//! Nothing here shares code with the emulator's inside; what is asserted is what fal documents.

mod bench;
mod clients;
mod control;
mod faults;
mod files;
mod model;
mod platform;
mod program;
mod queue;
mod receiver;
mod storage;
mod stream;
mod sync_run;
mod webhooks;
