//! Times of rows: unix times in s, ms, us or ns, ISO dates and their relatives, as ms UTC.
//!
//! The unit is told by magnitude: between 2000 and 2200 the four ranges do not overlap, so nothing is guessed.
//! It is told value by value, because real files change it on their way: archives that join months of Binance
//! from both sides of its change to microseconds (2025-01), and CryptoDataDownload files whose `unix` column
//! goes from seconds to milliseconds.

use candlecast_core::Timestamp;

use crate::row::{Problem, snippet};

/// 2000-01-01 and 2200-01-01 in seconds.
const EARLIEST_S: i64 = 946_684_800;
const LATEST_S: i64 = 7_258_118_400;

/// A field as ms UTC.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Result<i64, Problem> {
    let ms = match digits(text) {
        Some(number) => from_number(number),
        None => from_text(text),
    };
    ms.ok_or_else(|| Problem::Time(snippet(text)))
}

/// A whole number of unknown unit as ms; `None` outside 2000 to 2200 and for fractions of a millisecond.
#[inline]
pub(crate) fn from_number(n: i64) -> Option<i64> {
    // Units a second, then what turns the unit into milliseconds.
    const UNITS: [(i64, i64, i64); 4] =
        [(1, 1_000, 1), (1_000, 1, 1), (1_000_000, 1, 1_000), (1_000_000_000, 1, 1_000_000)];
    let &(_, times, over) = UNITS.iter().find(|(scale, ..)| (EARLIEST_S * scale..LATEST_S * scale).contains(&n))?;
    (n % over == 0).then(|| n / over * times)
}

/// A float that is a whole number of unknown unit.
pub(crate) fn from_float(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() < 9.0e18).then_some(x as i64).and_then(from_number)
}

/// `ms` where it lies between 2000 and 2200.
pub(crate) fn in_range(ms: i64) -> Option<i64> {
    (EARLIEST_S * 1_000..LATEST_S * 1_000).contains(&ms).then_some(ms)
}

#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0_i64, |n, b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 { None } else { n.checked_mul(10)?.checked_add(i64::from(digit)) }
    })
}

fn from_text(text: &[u8]) -> Option<i64> {
    if let Some(ms) = civil(text) {
        return in_range(ms);
    }
    let text = std::str::from_utf8(text).ok()?;
    // pandas writes `2024-01-01 00:00:00+00:00`, CryptoDataDownload wrote `2019-10-17 09-AM`.
    if let Some(ms) = twelve_hour(text) {
        return in_range(ms);
    }
    if let Ok(time) = Timestamp::parse(text) {
        return in_range(time.ms());
    }
    fast_float2::parse::<f64, _>(text).ok().and_then(from_float)
}

/// `YYYY-MM-DD`, `YYYY-MM-DD[ T]HH:MM[:SS]` with an optional `Z` or zero offset; anything else is `None`.
fn civil(text: &[u8]) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| digits(text.get(range)?);
    if text.len() < 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let day = days(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let (clock, rest) = match text.get(10) {
        None => (0, &[][..]),
        Some(b' ' | b'T') if text.get(13) == Some(&b':') => {
            let (hour, minute) = (number(11..13)?, number(14..16)?);
            let seconds = text.get(16) == Some(&b':');
            let second = if seconds { number(17..19)? } else { 0 };
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            (hour * 3_600 + minute * 60 + second, &text[if seconds { 19 } else { 16 }..])
        }
        Some(_) => return None,
    };
    matches!(rest, b"" | b"Z" | b"+00:00" | b"+0000" | b" UTC" | b".000" | b".000Z" | b".000000" | b".000000Z")
        .then_some((day * 86_400 + clock) * 1_000)
}

/// `2019-10-17 09-AM`.
fn twelve_hour(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(' ')?;
    let (hour, half) = clock.split_once('-')?;
    let hour: i64 = hour.parse().ok().filter(|h| (1..=12).contains(h))?;
    let afternoon = match half {
        "AM" => 0,
        "PM" => 12,
        _ => return None,
    };
    Some(civil(date.as_bytes())? + (hour % 12 + afternoon) * 3_600_000)
}

/// Days since 1970 of a Gregorian date (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_every_writing() {
        for text in [
            "1704067200000",
            "1704067200",
            "1704067200000000",
            "1704067200000000000",
            "1704067200000.0",
            "1.7040672e9",
            "2024-01-01",
            "2024-01-01 00:00",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00+00:00",
            "2024-01-01T01:00:00+01:00",
            "2024-01-01 12-AM",
            "2024-01-01T00:00:00.000Z",
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(1_704_067_200_000), "{text}");
        }
        assert_eq!(parse(b"2019-10-17 09-PM"), Ok(1_571_346_000_000));
    }

    #[test]
    fn dates_agree_with_the_calendar() {
        for day in (0..73_000).step_by(7) {
            let time = Timestamp(946_684_800_000 + day * 86_400_000);
            let date = time.to_string();
            assert_eq!(civil(&date.as_bytes()[..10]), Some(time.ms()), "{date}");
        }
        assert_eq!(civil(b"2024-02-29"), Some(1_709_164_800_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "2023-02-29",
            "2024-13-01",
            "2024-01-01 24:00:00",
            "12",
            "-1704067200",
            "1704067200000001",
            "NaN",
            "inf",
            "99999999999999999999",
            "1999-12-31",
            "2201-01-01",
            "2019-10-17 13-AM",
            "\u{fffd}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
