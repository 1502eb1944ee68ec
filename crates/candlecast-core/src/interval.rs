//! [`Interval`]: the length of a candle and the grid of its open times.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{KeyError, Timestamp};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// 1970-01-05, the first Monday after the epoch: where weekly candles are anchored.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

/// Candle length. `1w` opens on Monday 00:00 UTC; all others open on multiples of their length since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(i64);

const NAMES: [(&str, i64); 13] = [
    ("1m", MINUTE_MS),
    ("3m", 3 * MINUTE_MS),
    ("5m", 5 * MINUTE_MS),
    ("15m", 15 * MINUTE_MS),
    ("30m", 30 * MINUTE_MS),
    ("1h", 60 * MINUTE_MS),
    ("2h", 120 * MINUTE_MS),
    ("4h", 240 * MINUTE_MS),
    ("6h", 360 * MINUTE_MS),
    ("8h", 480 * MINUTE_MS),
    ("12h", 720 * MINUTE_MS),
    ("1d", DAY_MS),
    ("1w", 7 * DAY_MS),
];

/// Why a horizon was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HorizonError {
    /// Neither a duration nor a count.
    #[error("horizon `{0}` is not a duration: write 24h, 90m, 7d, or a number of steps")]
    Unreadable(String),
    /// Not a whole number of candles.
    #[error("horizon `{horizon}` is no whole number of {interval} candles: use a multiple of {interval}")]
    NoMultiple {
        /// As given.
        horizon: String,
        /// Of the series.
        interval: Interval,
    },
    /// Zero, or beyond the longest horizon.
    #[error(
        "horizon `{horizon}` is {steps} steps of {interval}; 1 to {max} are possible: take a coarser interval for a longer reach"
    )]
    OutOfRange {
        /// As given.
        horizon: String,
        /// In candles.
        steps: i64,
        /// Of the series.
        interval: Interval,
        /// Longest horizon in steps.
        max: usize,
    },
}

/// Longest horizon, in steps.
pub const MAX_HORIZON_STEPS: usize = 288;

impl Interval {
    /// One minute.
    pub const M1: Self = Self(MINUTE_MS);
    /// Five minutes.
    pub const M5: Self = Self(5 * MINUTE_MS);
    /// One hour.
    pub const H1: Self = Self(60 * MINUTE_MS);
    /// One day.
    pub const D1: Self = Self(DAY_MS);

    /// All intervals, shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|&(_, ms)| Self(ms))
    }

    /// The interval of exactly this length, if there is one.
    pub fn from_ms(ms: i64) -> Option<Self> {
        NAMES.iter().any(|&(_, m)| m == ms).then_some(Self(ms))
    }

    /// Length in milliseconds.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// Candles in a day; a fraction for `1w`.
    pub fn per_day(self) -> f64 {
        DAY_MS as f64 / self.0 as f64
    }

    /// Candles in a year of 365 days, the factor that annualises variances.
    pub fn per_year(self) -> f64 {
        365.0 * self.per_day()
    }

    /// Open time of the candle that contains `t`.
    pub fn floor(self, t: Timestamp) -> Timestamp {
        let anchor = if self.0 == 7 * DAY_MS { FIRST_MONDAY_MS } else { 0 };
        Timestamp((t.0 - anchor).div_euclid(self.0) * self.0 + anchor)
    }

    /// True when `t` is an open time of this interval.
    pub fn on_grid(self, t: Timestamp) -> bool {
        self.floor(t) == t
    }

    /// True when candles of `self` can be built from whole candles of `finer`.
    pub fn is_multiple_of(self, finer: Self) -> bool {
        self.0 % finer.0 == 0
    }

    /// Steps in one day, where a day is a whole number of candles.
    pub fn day_steps(self) -> Option<usize> {
        (DAY_MS % self.0 == 0).then(|| (DAY_MS / self.0) as usize)
    }

    /// Reads a horizon (`24h`, `90m`, `7d`, `2w`, or a bare number of steps) as steps of this interval.
    pub fn horizon_steps(self, text: &str) -> Result<usize, HorizonError> {
        let text = text.trim();
        let unreadable = || HorizonError::Unreadable(text.chars().take(40).collect());
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let count: i64 = text[..split].parse().map_err(|_| unreadable())?;
        let ms = match text[split..].trim() {
            "" => count.checked_mul(self.0),
            "m" | "min" => count.checked_mul(MINUTE_MS),
            "h" => count.checked_mul(60 * MINUTE_MS),
            "d" => count.checked_mul(DAY_MS),
            "w" => count.checked_mul(7 * DAY_MS),
            _ => return Err(unreadable()),
        }
        .ok_or_else(unreadable)?;
        if ms % self.0 != 0 {
            return Err(HorizonError::NoMultiple { horizon: text.into(), interval: self });
        }
        let steps = ms / self.0;
        if steps < 1 || steps > MAX_HORIZON_STEPS as i64 {
            return Err(HorizonError::OutOfRange {
                horizon: text.into(),
                steps,
                interval: self,
                max: MAX_HORIZON_STEPS,
            });
        }
        Ok(steps as usize)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|&&(_, ms)| ms == self.0).map_or("?", |&(n, _)| n);
        f.pad(name)
    }
}

impl FromStr for Interval {
    type Err = KeyError;
    fn from_str(s: &str) -> Result<Self, KeyError> {
        let text = s.trim();
        NAMES
            .iter()
            .find(|&&(n, _)| n == text || n == text.to_ascii_lowercase())
            .map(|&(_, ms)| Self(ms))
            .ok_or_else(|| KeyError::Interval(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Interval {
    type Error = KeyError;
    fn try_from(s: String) -> Result<Self, KeyError> {
        s.parse()
    }
}

impl From<Interval> for String {
    fn from(v: Interval) -> String {
        v.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_open_on_monday() {
        let week: Interval = "1w".parse().unwrap();
        // 2024-01-03 is a Wednesday; its week opened on Monday 2024-01-01.
        let wednesday = Timestamp::parse("2024-01-03T12:00:00Z").unwrap();
        assert_eq!(week.floor(wednesday), Timestamp::parse("2024-01-01").unwrap());
    }

    #[test]
    fn horizons_are_whole_steps() {
        assert_eq!(Interval::H1.horizon_steps("24h"), Ok(24));
        assert_eq!(Interval::H1.horizon_steps("7d"), Ok(168));
        assert_eq!(Interval::M5.horizon_steps("12"), Ok(12));
        assert!(matches!(Interval::H1.horizon_steps("90m"), Err(HorizonError::NoMultiple { .. })));
        assert!(matches!(Interval::M1.horizon_steps("24h"), Err(HorizonError::OutOfRange { .. })));
        assert!(matches!(Interval::H1.horizon_steps("0h"), Err(HorizonError::OutOfRange { .. })));
        for bad in ["", "h", "24x", "-1h", "1.5h", "99999999999999999999h", "9223372036854775807d"] {
            assert!(Interval::H1.horizon_steps(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_round_trip() {
        for interval in Interval::all() {
            assert_eq!(interval.to_string().parse::<Interval>().unwrap(), interval);
        }
    }
}
