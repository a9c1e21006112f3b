//! The integration tests: the real service over real sockets, a real database for each test, and
//! the fal emulator where fal would be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod backup;
mod bad_days;
mod blobs;
mod browser;
mod bucket_trouble;
mod called_back;
mod check;
mod clock_kills;
mod clock_steps;
mod contract;
mod descriptors;
mod disk;
mod disk_kills;
mod documents;
mod events;
mod expiry;
mod failing_provider;
mod fairness;
mod faults;
mod health;
mod hostile;
mod input;
mod keys;
mod kill;
mod large_pictures;
mod layer_variants;
mod log;
mod metrics;
mod money;
mod notices;
mod operator;
mod other_engines;
mod page;
mod privacy;
mod quotas;
mod raised;
mod rclone;
mod release;
mod reports;
mod restart;
mod rotation;
mod second_try;
mod secrets;
mod spend;
mod stop;
mod support;
mod tickets;
mod traces;
mod trouble;
mod tus;
mod webhooks;
