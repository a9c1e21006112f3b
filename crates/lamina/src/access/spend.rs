//! Money and days: caps on what engines cost, and the UTC day that a cap is for. Amounts are whole
//! millionths of a US dollar, so that sums are exact.

use std::time::Duration;

use crate::jobs::UnixMs;

const DAY_MS: i64 = 24 * 3600 * 1000;
const MICRO: u64 = 1_000_000;

/// Most that engines may cost in a UTC day; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendCaps {
    /// Of all owners together, in millionths of a US dollar.
    pub total_microusd: Option<u64>,
    /// Of each owner for whom nothing else was set.
    pub owner_microusd: Option<u64>,
}

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcDay(pub i64);

impl UtcDay {
    /// The day of a time.
    #[must_use]
    pub const fn of(time: UnixMs) -> Self {
        Self(time.0.div_euclid(DAY_MS))
    }

    /// The day so many days before.
    #[must_use]
    pub const fn before(self, days: i64) -> Self {
        Self(self.0 - days)
    }

    /// From `now` until the next day begins.
    #[must_use]
    pub fn until_next(now: UnixMs) -> Duration {
        let left = DAY_MS - now.0.rem_euclid(DAY_MS);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

/// Dollars as people write them (`5`, `0.25`), in millionths; `None` for what is no amount from 0
/// to 1,000,000 with at most six decimals.
#[must_use]
pub fn parse_usd(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let micro: u64 = format!("{part:0<6}").parse().ok()?;
    let amount = whole
        .parse::<u64>()
        .ok()?
        .checked_mul(MICRO)?
        .checked_add(micro)?;
    (amount <= MICRO * MICRO).then_some(amount)
}

/// Millionths as dollars, for an answer; never to be summed.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to nine billion dollars"
)]
pub fn usd(microusd: u64) -> f64 {
    microusd as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        assert_eq!(parse_usd("5"), Some(5_000_000));
        assert_eq!(parse_usd("0.25"), Some(250_000));
        assert_eq!(parse_usd("0.000001"), Some(1));
        assert_eq!(parse_usd("0"), Some(0));
        for wrong in [
            "",
            ".5",
            "5.",
            "-1",
            "1e3",
            "0.0000001",
            "1000001",
            "1,5",
            "99999999999999999999",
        ] {
            assert_eq!(parse_usd(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_day_turns_at_midnight_utc() {
        let midnight = UnixMs(20_000 * DAY_MS);
        assert_eq!(UtcDay::of(midnight), UtcDay(20_000));
        assert_eq!(UtcDay::of(UnixMs(midnight.0 - 1)), UtcDay(19_999));
        assert_eq!(UtcDay::until_next(midnight), Duration::from_secs(86_400));
        assert_eq!(
            UtcDay::until_next(UnixMs(midnight.0 - 1)),
            Duration::from_millis(1)
        );
    }
}
