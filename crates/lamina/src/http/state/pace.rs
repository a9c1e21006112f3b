//! How long may be waited for the other side, where it moves a little now and then: a silence may last so
//! long, and every byte that moves buys some of that back, never more than all of it. So a moment without
//! a network costs nobody a transfer, and one byte just before each silence ends buys nothing. It waits
//! for nothing itself.

use std::time::Duration;

/// Fewest bytes a second that a transfer moves in the long run: Apache's `mod_reqtimeout` asks for as many
/// (`MinRate=500`), and a modem of 1984 did better.
pub(in crate::http) const LEAST_RATE: u32 = 500;

/// What is left of the patience with one transfer.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Pace {
    longest: Duration,
    least_rate: u32,
    left: Duration,
}

impl Pace {
    /// One silence may last for `longest`; so many bytes a second are the least.
    pub(in crate::http) fn new(longest: Duration, least_rate: u32) -> Self {
        Self {
            longest,
            least_rate: least_rate.max(1),
            left: longest,
        }
    }

    /// How long may be waited from the last move on.
    pub(in crate::http) fn left(&self) -> Duration {
        self.left
    }

    /// So many bytes moved after waiting for so long.
    pub(in crate::http) fn moved(&mut self, waited: Duration, bytes: usize) {
        let bought = bytes as f64 / f64::from(self.least_rate);
        // Of much more than can be kept, how much does not matter.
        let bought = Duration::try_from_secs_f64(bought).unwrap_or(self.longest);
        let left = self.left.saturating_sub(waited).saturating_add(bought);
        self.left = left.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves so many bytes after each wait, until the patience ends; how long that was.
    fn lasts(bytes: usize, wait: Duration, most: Duration) -> Option<Duration> {
        let mut pace = Pace::new(Duration::from_secs(30), LEAST_RATE);
        let mut passed = Duration::ZERO;
        while passed < most {
            if wait >= pace.left() {
                return Some(passed + pace.left());
            }
            passed += wait;
            pace.moved(wait, bytes);
        }
        None
    }

    #[test]
    fn a_byte_now_and_then_buys_nothing() {
        let day = Duration::from_secs(86_400);
        for every in [29_999, 29_000, 10_000, 1_000, 10] {
            let lasted = lasts(1, Duration::from_millis(every), day).unwrap();
            assert!(lasted < Duration::from_secs(40), "{every}: {lasted:?}");
        }
    }

    #[test]
    fn slow_is_not_too_slow_and_a_silence_is_forgiven() {
        let day = Duration::from_secs(86_400);
        assert_eq!(lasts(501, Duration::from_secs(1), day), None);
        // A phone in tunnels: half a minute nothing, then a moment of network.
        assert_eq!(lasts(64 << 10, Duration::from_secs(29), day), None);
        assert!(lasts(64 << 10, Duration::from_secs(30), day).is_some());
        let mut pace = Pace::new(Duration::from_secs(30), LEAST_RATE);
        pace.moved(Duration::ZERO, usize::MAX);
        assert_eq!(pace.left(), Duration::from_secs(30));
    }
}
