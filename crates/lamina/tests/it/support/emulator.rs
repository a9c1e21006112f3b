//! The fal emulator as tests start it. What a test needs otherwise it says in a `Config` of its own.

use fal_emulator::{Clock, Config, Emulator};
use lamina::clock::{Clock as _, ManualClock};

/// An own fal: no latency, synthetic layers, two requests at a time.
pub(crate) async fn emulator() -> Emulator {
    emulator_with(Config::default()).await
}

/// The same, whose requests wait until the test lets them go.
pub(crate) async fn held_emulator() -> Emulator {
    emulator_with(Config {
        hold: true,
        ..Config::default()
    })
    .await
}

pub(crate) async fn emulator_with(config: Config) -> Emulator {
    Emulator::start(config).await.unwrap()
}

/// The service's clock as the emulator's, so that both agree on what a stale webhook is.
pub(crate) fn shared_clock(clock: &ManualClock) -> Clock {
    let clock = clock.clone();
    Clock::from_fn(move || clock.now().0.try_into().unwrap())
}
