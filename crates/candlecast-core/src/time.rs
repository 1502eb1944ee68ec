//! [`Timestamp`]: milliseconds since the epoch, UTC; RFC 3339 at the edges.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Why a text or number is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// No known form.
    #[error("time `{0}` is not readable: write 2024-01-31, 2024-01-31T12:00:00Z, or milliseconds since 1970")]
    Unreadable(String),
    /// A number that must be seconds, micro- or nanoseconds; the reading is offered, not guessed.
    #[error("time `{value}` looks like {unit}, but numbers are milliseconds: did you mean {reading}?")]
    Unit {
        /// As given.
        value: i64,
        /// The unit it looks like.
        unit: &'static str,
        /// The same instant in milliseconds.
        reading: i64,
    },
}

/// Earliest time accepted from outside: 2000-01-01.
const EARLIEST_MS: i64 = 946_684_800_000;
/// Latest time accepted from outside: 2200-01-01.
const LATEST_MS: i64 = 7_258_118_400_000;

impl Timestamp {
    /// Reads RFC 3339, a date (00:00 UTC), `date time` without zone (UTC), or a number of milliseconds.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Self::from_number(number);
        }
        let unreadable = || TimeError::Unreadable(text.chars().take(40).collect());
        if let Ok(t) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(t.as_millisecond()));
        }
        let civil: jiff::civil::DateTime = match text.parse::<jiff::civil::DateTime>() {
            Ok(t) => t,
            Err(_) => text.parse::<jiff::civil::Date>().map_err(|_| unreadable())?.into(),
        };
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| unreadable())?;
        Ok(Self(zoned.timestamp().as_millisecond()))
    }

    /// Takes a number as milliseconds; refuses what can only be another unit.
    pub fn from_number(value: i64) -> Result<Self, TimeError> {
        if (EARLIEST_MS..LATEST_MS).contains(&value) {
            return Ok(Self(value));
        }
        let fits = |ms: i64| (EARLIEST_MS..LATEST_MS).contains(&ms);
        for (unit, reading) in [
            ("seconds", value.checked_mul(1000)),
            ("microseconds", Some(value / 1000)),
            ("nanoseconds", Some(value / 1_000_000)),
        ] {
            if let Some(reading) = reading.filter(|&r| fits(r)) {
                return Err(TimeError::Unit { value, unit, reading });
            }
        }
        Err(TimeError::Unreadable(value.to_string()))
    }

    /// Milliseconds since the epoch.
    pub fn ms(self) -> i64 {
        self.0
    }

    /// Calendar year in UTC.
    pub fn year(self) -> i32 {
        i32::from(self.civil().year())
    }

    /// First instant of a calendar year, UTC.
    pub fn year_start(year: i32) -> Self {
        let year = i16::try_from(year.clamp(-9999, 9999)).unwrap_or(1970);
        jiff::civil::Date::new(year, 1, 1)
            .ok()
            .and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map_or(Self(0), |z| Self(z.timestamp().as_millisecond()))
    }

    /// Date and time in UTC.
    pub fn civil(self) -> jiff::civil::DateTime {
        jiff::Timestamp::from_millisecond(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .datetime()
    }

    /// The same day of the month and time of day `months` (at most 1,200) earlier, UTC; the last day of a month that is
    /// shorter. Of an instant before the calendar's first it is that instant.
    #[must_use]
    pub fn months_before(self, months: u16) -> Self {
        let span = jiff::Span::new().months(months.min(1_200));
        let earlier = self.civil().checked_sub(span).and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
        earlier.map_or(self, |zoned| Self(zoned.timestamp().as_millisecond()))
    }

    /// This instant `ms` later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with a `Z`; milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => f.pad(&t.to_string()),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(i64),
            Text(String),
        }
        match Raw::deserialize(d)? {
            Raw::Number(n) => Self::from_number(n),
            Raw::Text(t) => Self::parse(&t),
        }
        .map_err(serde::de::Error::custom)
    }
}

/// A half-open range of time, `from <= t < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after.
    pub to: Timestamp,
}

impl TimeRange {
    /// Everything.
    pub const ALL: Self = Self { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };

    /// True for `from <= t < to`.
    pub fn contains(self, t: Timestamp) -> bool {
        self.from <= t && t < self.to
    }

    /// True when nothing lies inside.
    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }
}

/// In words, open ends as such: `from 2024-01-01T00:00:00Z on`.
impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from == Self::ALL.from, self.to == Self::ALL.to) {
            (true, true) => f.write_str("at any time"),
            (false, true) => write!(f, "from {} on", self.from),
            (true, false) => write!(f, "before {}", self.to),
            (false, false) => write!(f, "from {} to {}", self.from, self.to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_instants_are_utc() {
        assert_eq!(Timestamp::parse("2024-01-01").unwrap().ms(), 1_704_067_200_000);
        assert_eq!(Timestamp::parse("2024-01-01T00:00:00Z").unwrap().ms(), 1_704_067_200_000);
        assert_eq!(Timestamp::parse("2024-01-01T01:00:00+01:00").unwrap().ms(), 1_704_067_200_000);
        assert_eq!(Timestamp::parse("2024-01-01 00:00:00").unwrap().ms(), 1_704_067_200_000);
        assert_eq!(Timestamp::parse("1704067200000").unwrap().ms(), 1_704_067_200_000);
        assert_eq!(Timestamp(1_704_067_200_000).to_string(), "2024-01-01T00:00:00Z");
    }

    #[test]
    fn other_units_are_refused_with_the_reading_offered() {
        for (value, unit) in [
            (1_704_067_200, "seconds"),
            (1_704_067_200_000_000, "microseconds"),
            (1_704_067_200_000_000_000, "nanoseconds"),
        ] {
            match Timestamp::from_number(value) {
                Err(TimeError::Unit { unit: u, reading, .. }) => {
                    assert_eq!((u, reading), (unit, 1_704_067_200_000));
                }
                other => panic!("{value}: {other:?}"),
            }
        }
        for bad in ["", "yesterday", "2024-13-01", "2024-02-30", "NaN", "12"] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_speak_of_their_ends() {
        let at = Timestamp(1_704_067_200_000);
        assert_eq!(TimeRange { from: at, ..TimeRange::ALL }.to_string(), "from 2024-01-01T00:00:00Z on");
        assert_eq!(TimeRange { to: at, ..TimeRange::ALL }.to_string(), "before 2024-01-01T00:00:00Z");
        assert_eq!(TimeRange::ALL.to_string(), "at any time");
    }

    #[test]
    fn months_go_back_to_the_same_day_or_the_last_one_of_a_shorter_month() {
        for (at, months, earlier) in [
            ("2024-01-01", 3, "2023-10-01"),
            ("2024-05-31T23:00:00Z", 3, "2024-02-29T23:00:00Z"),
            ("2023-03-15T12:30:00Z", 14, "2022-01-15T12:30:00Z"),
            ("2024-01-01", 0, "2024-01-01"),
        ] {
            let [at, earlier] = [at, earlier].map(|text| Timestamp::parse(text).unwrap());
            assert_eq!(at.months_before(months), earlier);
        }
    }

    #[test]
    fn years_start_where_they_should() {
        assert_eq!(Timestamp::year_start(2024).ms(), 1_704_067_200_000);
        assert_eq!(Timestamp(1_704_067_199_999).year(), 2023);
    }
}
