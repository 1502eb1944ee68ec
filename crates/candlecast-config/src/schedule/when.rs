//! [`When`]: set times, in UTC: a period on a fixed grid, or a pattern of cron.

use std::fmt;

use candlecast_core::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-05, a Monday: where weeks are counted from, as those of weekly candles are.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;
/// Longest period.
const LONGEST_MS: i64 = 366 * DAY_MS;
/// Longest pattern, in characters.
const LONGEST_PATTERN: usize = 100;

/// Set times. There is no daylight saving: all is UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    text: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// Multiples of a period since the epoch, or since its first Monday for whole weeks.
    Every {
        period_ms: i64,
        anchor_ms: i64,
    },
    Cron(Box<Cron>),
}

impl When {
    /// Reads a period such as `7d`: `m`, `h`, `d` and `w` are understood. On error, what to write.
    pub fn every(text: &str) -> Result<Self, String> {
        let remedy = || format!("every is `{text}`: write a period from 1m to 366d, such as 12h or 7d");
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(remedy)?;
        let unit = match trimmed[split..].trim() {
            "m" => MINUTE_MS,
            "h" => 60 * MINUTE_MS,
            "d" => DAY_MS,
            "w" => WEEK_MS,
            _ => return Err(remedy()),
        };
        let count = trimmed[..split].parse::<i64>().ok();
        let period_ms = count
            .and_then(|n| n.checked_mul(unit))
            .filter(|p| (MINUTE_MS..=LONGEST_MS).contains(p))
            .ok_or_else(remedy)?;
        let anchor_ms = if period_ms % WEEK_MS == 0 { FIRST_MONDAY_MS } else { 0 };
        Ok(Self { text: format!("every {trimmed}"), rule: Rule::Every { period_ms, anchor_ms } })
    }

    /// Reads a pattern of five fields, such as `0 3 * * 1`. On error, what to write.
    pub fn cron(text: &str) -> Result<Self, String> {
        let bad = |why: String| {
            format!("cron is `{text}` ({why}): write minute, hour, day, month and weekday, such as `0 3 * * 1`")
        };
        if !text.is_ascii() || text.len() > LONGEST_PATTERN {
            return Err(bad(format!("no pattern of at most {LONGEST_PATTERN} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|e| bad(e.to_string().trim_end_matches('.').to_lowercase()))?;
        // A pattern such as the 30th of February is well formed and never comes.
        let from = Timestamp::year_start(2024).civil();
        cron.find_next_occurrence(&from, true).map_err(|_| bad("a time that never comes".into()))?;
        Ok(Self { text: format!("cron {}", text.trim()), rule: Rule::Cron(Box::new(cron)) })
    }

    /// The newest set time at or before `now`; `None` if there was none since the year 1.
    pub fn slot(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Every { period_ms, anchor_ms } => {
                let since = now.ms().checked_sub(*anchor_ms)?;
                Some(now.plus_ms(-since.rem_euclid(*period_ms)))
            }
            Rule::Cron(cron) => utc(cron.find_previous_occurrence(&now.civil(), true).ok()?),
        }
    }

    /// The first time between two set times that is `limit_ms` (at least a day) or longer, in ms; `None` when all are
    /// shorter. Patterns of cron are looked at over twelve years.
    pub(crate) fn gap_from(&self, limit_ms: i64) -> Option<i64> {
        match &self.rule {
            Rule::Every { period_ms, .. } => (*period_ms >= limit_ms).then_some(*period_ms),
            Rule::Cron(cron) => {
                let end = Timestamp::year_start(2036);
                let mut at = next(cron, Timestamp::year_start(2024))?;
                while at < end {
                    // Up to the last one before the limit no two times can lie that far apart.
                    let last = self.slot(at.plus_ms(limit_ms - 1))?;
                    if last <= at {
                        return next(cron, at.plus_ms(MINUTE_MS)).map(|then| then.ms() - at.ms());
                    }
                    at = last;
                }
                None
            }
        }
    }
}

/// The first time of a pattern at or after `from`.
fn next(cron: &Cron, from: Timestamp) -> Option<Timestamp> {
    let civil = cron.find_next_occurrence(&from.civil(), true).ok()?;
    utc(civil)
}

fn utc(civil: civil::DateTime) -> Option<Timestamp> {
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn slot(when: &When, now: &str) -> String {
        when.slot(at(now)).unwrap().to_string()
    }

    #[test]
    fn periods_lie_on_a_grid_and_weeks_begin_on_monday() {
        let six_hours = When::every("6h").unwrap();
        assert_eq!(slot(&six_hours, "2024-03-31T01:59:00Z"), "2024-03-31T00:00:00Z");
        assert_eq!(slot(&six_hours, "2024-03-31T06:00:00Z"), "2024-03-31T06:00:00Z");
        // 2024-03-27 is a Wednesday.
        for week in ["7d", "1w"] {
            assert_eq!(slot(&When::every(week).unwrap(), "2024-03-27T10:00:00Z"), "2024-03-25T00:00:00Z");
        }
        assert_eq!(slot(&When::every("1d").unwrap(), "2024-02-29T23:59:59.999Z"), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn patterns_of_cron_are_read_in_utc() {
        let monday = When::cron("0 3 * * 1").unwrap();
        assert_eq!(slot(&monday, "2024-03-25T03:00:00.500Z"), "2024-03-25T03:00:00Z");
        assert_eq!(slot(&monday, "2024-03-25T02:59:59Z"), "2024-03-18T03:00:00Z");
        assert_eq!(slot(&monday, "2024-03-31T12:00:00Z"), "2024-03-25T03:00:00Z");
        assert_eq!(slot(&When::cron("30 1 29 2 *").unwrap(), "2025-06-01"), "2024-02-29T01:30:00Z");
        assert_eq!(slot(&When::cron("0 3 * * 7").unwrap(), "2024-03-27"), "2024-03-24T03:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for bad in ["", "d", "7", "0d", "-1d", "7 days", "400d", "53w", "99999999999999999999d", "1.5h"] {
            assert!(When::every(bad).unwrap_err().contains("7d"), "{bad}");
        }
        for bad in ["", "* *", "60 * * * *", "0 3 * * 8", "0 0 3 * * 1", "0 3 * * 1 2030", "0 0 30 2 *", "нет"] {
            assert!(When::cron(bad).unwrap_err().contains("0 3 * * 1"), "{bad}");
        }
    }

    #[test]
    fn the_longest_time_between_two_times_is_known() {
        let days = |gap_ms: Option<i64>| gap_ms.map(|ms| ms / DAY_MS);
        let week = When::every("7d").unwrap();
        assert_eq!([week.gap_from(7 * DAY_MS), week.gap_from(7 * DAY_MS + 1)], [Some(7 * DAY_MS), None]);
        let gaps = |pattern: &str, limits: [i64; 2]| {
            let when = When::cron(pattern).unwrap();
            limits.map(|limit| days(when.gap_from(limit * DAY_MS)))
        };
        assert_eq!(gaps("*/5 * * * *", [1, 2]), [None, None]);
        assert_eq!(gaps("0 3 * * 1", [7, 8]), [Some(7), None]);
        // From one 31st to the next but one month's.
        assert_eq!(gaps("0 0 31 * *", [61, 62]), [Some(61), None]);
        assert_eq!(gaps("0 0 1 1 *", [366, 367]), [Some(366), None]);
        assert_eq!(gaps("0 0 29 2 *", [1_461, 1_462]), [Some(1_461), None]);
    }

    proptest! {
        #[test]
        fn a_slot_is_the_newest_of_its_pattern(
            now in 1_500_000_000_000_i64..2_000_000_000_000,
            minute in 0_i64..60,
            hour in 0_i64..24,
            weekday in 0_i64..7,
        ) {
            let when = When::cron(&format!("{minute} {hour} * * {weekday}")).unwrap();
            let slot = when.slot(Timestamp(now)).unwrap().ms();
            prop_assert!(slot <= now && now < slot + WEEK_MS);
            // Day 0 was a Thursday.
            prop_assert_eq!((slot.div_euclid(DAY_MS) + 4).rem_euclid(7), weekday);
            prop_assert_eq!(slot.rem_euclid(DAY_MS), (hour * 60 + minute) * MINUTE_MS);
            prop_assert_eq!(when.slot(Timestamp(slot)), Some(Timestamp(slot)));
        }

        #[test]
        fn any_text_is_a_pattern_or_refused(text in "[ -~]{0,30}") {
            let _ = When::every(&text);
            if let Ok(when) = When::cron(&text) {
                prop_assert!(when.slot(Timestamp::year_start(2024)).is_none_or(|s| s <= Timestamp::year_start(2024)));
            }
        }
    }
}
