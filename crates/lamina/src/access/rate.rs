//! How many requests in how much time, as people write it: `20/s`, `600/m burst 100`. It counts
//! nothing; `http` does.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// A number of requests in a second, minute or hour, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: NonZeroU32,
    per: Per,
    burst: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Per {
    Second,
    Minute,
    Hour,
}

impl Per {
    const ALL: [(Self, &str, u32); 3] = [
        (Self::Second, "s", 1),
        (Self::Minute, "m", 60),
        (Self::Hour, "h", 3600),
    ];

    fn word_and_seconds(self) -> (&'static str, u32) {
        let found = Self::ALL.into_iter().find(|(per, ..)| *per == self);
        found.map_or(("s", 1), |(_, letter, seconds)| (letter, seconds))
    }
}

/// What is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a rate such as 20/s, 600/m or 20/s burst 40")]
pub struct RateError;

impl Rate {
    /// The time in which one more request is allowed.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.per.word_and_seconds().1.into()) / self.requests.get()
    }

    /// The same rate, so many times over.
    #[must_use]
    pub fn times(self, factor: NonZeroU32) -> Self {
        Self {
            requests: self.requests.saturating_mul(factor),
            per: self.per,
            burst: self.burst.saturating_mul(factor),
        }
    }

    /// How many requests may come at once after a pause.
    #[must_use]
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which a used-up burst is whole again: `burst` requests in it are the rate.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.interval() * self.burst.get()
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (rate, burst) = match text.split_once("burst") {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let (requests, letter) = rate.trim().split_once('/').ok_or(RateError)?;
        let number = |text: &str| text.trim().parse::<NonZeroU32>().map_err(|_| RateError);
        let per = Per::ALL.into_iter().find(|(_, known, _)| *known == letter);
        let requests = number(requests)?;
        Ok(Self {
            requests,
            per: per.ok_or(RateError)?.0,
            burst: burst.map_or(Ok(requests), number)?,
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.per.word_and_seconds().0)?;
        if self.burst != self.requests {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for text in ["20/s", "600/m", "1/h", "20/s burst 40"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        let rate: Rate = " 20/s  burst 40 ".parse().unwrap();
        assert_eq!(rate.interval(), Duration::from_millis(50));
        assert_eq!(
            (rate.burst().get(), rate.window()),
            (40, Duration::from_secs(2))
        );
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "20",
            "0/s",
            "20/d",
            "-1/s",
            "20/s burst",
            "20/s burst 0",
            "x/s",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text:?}");
        }
    }
}
