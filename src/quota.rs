//! How much is let through, and how fast it comes back.
//!
//! A quota of ten in ten minutes lets ten through at once, and then one a minute: what was used comes back evenly. That is
//! the generic cell rate algorithm (ITU-T I.371, annex A), whose whole state is one moment for each key: when all of it
//! will be back. There is no window at whose edge twice as much could pass, and nothing to count or to reset.

use std::time::Duration;

use crate::clock::Timestamp;

/// So many in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    count: u32,
    window: Duration,
}

/// What the entrance lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Tries at one account, or with one mailed link, by all strangers together, and by each device that is known there.
    pub tries_per_account: Quota,
    /// Tries from one network, of each kind.
    pub tries_per_network: Quota,
    /// Letters of one kind to one address.
    pub mails_per_address: Quota,
    /// Requests from one network, of each kind, that may lead to a letter.
    pub mails_per_network: Quota,
}

/// Milliseconds since 1970-01-01T00:00:00Z: a thousand in a minute come back faster than seconds tell.
#[must_use]
pub fn in_milliseconds(at: Timestamp) -> i64 {
    at.unix_seconds().saturating_mul(1000)
}

impl Quota {
    /// The longest time in which a quota may come back. Longer is a ban.
    const MAX_WINDOW: Duration = Duration::from_hours(24);

    /// `count` in `window`, which is in whole seconds and no shorter than `count` milliseconds.
    #[must_use]
    pub const fn new(count: u32, window: Duration) -> Self {
        Self { count, window }
    }

    /// Reads `60/1m`: a number, and a time in seconds, minutes, hours or days.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("must be a number and a time, such as 60/1m, 10/90s or 5/1h, not {text:?}");
        let (count, window) = text.split_once('/').ok_or_else(refuse)?;
        let (count, window) = (count.trim(), window.trim());
        let seconds_of = |unit: char| match unit {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            'd' => Some(86_400),
            _ => None,
        };
        let unit = window.chars().next_back().ok_or_else(refuse)?;
        let seconds: u64 = seconds_of(unit.to_ascii_lowercase()).ok_or_else(refuse)?;
        let number: u64 = window[..window.len() - 1].trim_end().parse().map_err(|_| refuse())?;
        let count: u32 = count.parse().map_err(|_| refuse())?;
        let window = Duration::from_secs(number.saturating_mul(seconds));
        if window.is_zero() || window > Self::MAX_WINDOW {
            return Err(format!("must be for a time from 1 second to 1 day, not {text:?}"));
        }
        if count == 0 || u128::from(count) > window.as_millis() {
            return Err(format!(
                "must be from 1 to 1000 for each second of its time, not {text:?}"
            ));
        }
        Ok(Self { count, window })
    }

    /// So many times as much in the same time.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self::new(self.count.saturating_mul(factor), self.window)
    }

    /// How much passes at once.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// In how much time all of it comes back.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// In how many milliseconds one comes back.
    #[must_use]
    pub fn interval(self) -> i64 {
        let milliseconds = self.window.as_millis() / u128::from(self.count.max(1));
        i64::try_from(milliseconds).unwrap_or(i64::MAX).max(1)
    }

    /// In how much time one comes back, in whole seconds as it is told.
    #[must_use]
    pub fn pause(self) -> Duration {
        in_whole_seconds(self.interval())
    }

    /// When all will be back if all is used `now`; in milliseconds, as everything here.
    #[must_use]
    pub fn latest(self, now: i64) -> i64 {
        now.saturating_add(self.interval().saturating_mul(i64::from(self.count)))
    }

    /// Uses one. `whole_at` is when all would be back, if any was used; given is when it will be then, or for how long to
    /// wait for one.
    ///
    /// A time that no use can have led to was written before the clock was set back, or under a larger quota: it counts
    /// for nothing, rather than to shut somebody out until the clock is there again.
    pub fn spend(self, whole_at: Option<i64>, now: i64) -> Result<i64, Duration> {
        let latest = self.latest(now);
        let used = whole_at.filter(|whole_at| (now..=latest).contains(whole_at));
        let next = used.unwrap_or(now).saturating_add(self.interval());
        let wait = next.saturating_sub(latest);
        if wait <= 0 {
            return Ok(next);
        }
        Err(in_whole_seconds(wait))
    }
}

fn in_whole_seconds(milliseconds: i64) -> Duration {
    Duration::from_secs(milliseconds.unsigned_abs().div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;
    const TEN: Quota = Quota::new(10, Duration::from_mins(10));

    #[test]
    fn a_quota_is_a_number_and_a_time() {
        for (text, count, seconds) in [
            ("60/1m", 60, 60),
            (" 10 / 90s ", 10, 90),
            ("5/1h", 5, 3600),
            ("1/1D", 1, 86_400),
            ("1000/1s", 1000, 1),
        ] {
            assert_eq!(
                Quota::parse(text),
                Ok(Quota::new(count, Duration::from_secs(seconds))),
                "{text}"
            );
        }
        for text in [
            "",
            "/",
            "60",
            "60/",
            "/1m",
            "60/m",
            "60/1",
            "60/1min",
            "-1/1m",
            "1.5/1m",
            "60/1µ",
            "60/-1m",
            "0/1m",
            "60/0s",
            "1001/1s",
            "1/2d",
            "1/99999999999999999999h",
        ] {
            assert!(Quota::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_of_it_passes_at_once_and_then_one_at_a_time() {
        let mut whole_at = None;
        for _ in 0..10 {
            whole_at = Some(TEN.spend(whole_at, NOW).unwrap());
        }
        assert_eq!(TEN.spend(whole_at, NOW), Err(Duration::from_mins(1)));
        assert_eq!(TEN.spend(whole_at, NOW + 59_001), Err(Duration::from_secs(1)));
        let whole_at = TEN.spend(whole_at, NOW + 60_000).unwrap();
        assert_eq!(TEN.spend(Some(whole_at), NOW + 60_000), Err(Duration::from_mins(1)));
        // Nothing is saved up beyond the whole.
        let mut whole_at = Some(whole_at);
        let later = NOW + 86_400_000;
        for _ in 0..10 {
            whole_at = Some(TEN.spend(whole_at, later).unwrap());
        }
        assert!(TEN.spend(whole_at, later).is_err());
    }

    #[test]
    fn a_clock_that_was_set_back_shuts_nobody_out() {
        let whole_at = Some(TEN.latest(NOW));
        assert!(TEN.spend(whole_at, NOW).is_err());
        assert!(TEN.spend(whole_at, NOW - 86_400_000).is_ok());
    }

    proptest! {
        #[test]
        fn never_more_than_the_quota_and_what_comes_back_passes(
            count in 1_u32..50, seconds in 1_u64..100, pauses in prop::collection::vec(0_i64..20_000, 1..200)
        ) {
            let quota = Quota::new(count, Duration::from_secs(seconds));
            let (mut now, mut whole_at, mut passed) = (NOW, None, Vec::new());
            for pause in pauses {
                now += pause;
                match quota.spend(whole_at, now) {
                    Ok(next) => {
                        whole_at = Some(next);
                        passed.push(now);
                    }
                    Err(wait) => {
                        let then = now + i64::try_from(wait.as_millis()).unwrap();
                        prop_assert!(!wait.is_zero() && quota.spend(whole_at, then).is_ok());
                    }
                }
            }
            for (index, first) in passed.iter().enumerate() {
                for (more, last) in passed[index..].iter().enumerate() {
                    let back = (last - first) / quota.interval();
                    prop_assert!(i64::try_from(more).unwrap() < i64::from(count) + back);
                }
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,20}") {
            let _ = Quota::parse(&text);
        }
    }
}
