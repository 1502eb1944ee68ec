//! Which candles trials see, and which are held out.

use candlecast_core::{Interval, Problem, TimeRange};

/// Share of the candles that is held out where nobody says how much, and how many days at most then.
const HELD_SHARE: f64 = 0.15;
const HELD_DAYS: i64 = 90;
/// Shares that may be asked for.
const HELD_SHARES: std::ops::RangeInclusive<f64> = 0.05..=0.4;
const DAY_MS: i64 = 86_400_000;

/// Which candles trials see, and which origins are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchDates {
    /// Candles that trials learn from and are scored on.
    pub range: TimeRange,
    /// Origins behind them.
    pub hold_out: TimeRange,
}

/// The dates of a search over a series that is `stored`: trials see the candles within `train`, the hold-out are the
/// origins within `test`, both as far as they are stored. Where `test` has no beginning, the newest `share` is held out,
/// from 0.05 to 0.4; without a share 15 %, but 90 days at most.
pub fn search_dates(
    stored: TimeRange,
    interval: Interval,
    train: TimeRange,
    test: TimeRange,
    share: Option<f64>,
) -> Result<SearchDates, Problem> {
    let first = train.from.max(stored.from);
    let end = test.to.min(stored.to);
    let border = if test.from == TimeRange::ALL.from {
        let held = (end.ms() - first.ms()) as f64 * checked(share)?.unwrap_or(HELD_SHARE);
        let most = if share.is_some() { f64::INFINITY } else { (HELD_DAYS * DAY_MS) as f64 };
        let n_held = (held.min(most) / interval.ms() as f64).round() as i64;
        end.plus_ms(-n_held.max(1) * interval.ms())
    } else {
        test.from
    };
    if train.to != TimeRange::ALL.to && train.to > border {
        let why = format!("the candles of the trials end at {}, after the hold-out begins at {border}", train.to);
        return Err(Problem::usage("bad-range", "train-end", format!("{why}: choose an earlier end")));
    }
    let dates = SearchDates {
        range: TimeRange { from: first, to: train.to.min(border) },
        hold_out: TimeRange { from: border, to: end },
    };
    if dates.range.is_empty() || dates.hold_out.is_empty() {
        let why = format!("no candles are left to search on, or none to hold out: the series is stored {stored}");
        return Err(Problem::usage("bad-range", "from", why));
    }
    Ok(dates)
}

fn checked(share: Option<f64>) -> Result<Option<f64>, Problem> {
    match share {
        Some(share) if !HELD_SHARES.contains(&share) => {
            let why = format!("test-share {share} is not within {} to {}", HELD_SHARES.start(), HELD_SHARES.end());
            Err(Problem::usage("bad-value", "test-share", why))
        }
        share => Ok(share),
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;

    use super::*;

    fn days(from: i64, to: i64) -> TimeRange {
        TimeRange { from: Timestamp(from * DAY_MS), to: Timestamp(to * DAY_MS) }
    }

    fn dates(train: TimeRange, test: TimeRange, share: Option<f64>) -> Result<SearchDates, &'static str> {
        search_dates(days(100, 300), Interval::H1, train, test, share).map_err(|problem| problem.code)
    }

    #[test]
    fn the_newest_part_is_held_out() {
        let of = |range, hold_out| Ok(SearchDates { range, hold_out });
        assert_eq!(dates(TimeRange::ALL, TimeRange::ALL, None), of(days(100, 270), days(270, 300)));
        assert_eq!(dates(TimeRange::ALL, TimeRange::ALL, Some(0.4)), of(days(100, 220), days(220, 300)));
        let years = search_dates(days(0, 2_000), Interval::H1, TimeRange::ALL, TimeRange::ALL, None).unwrap();
        assert_eq!(years.hold_out, days(1_910, 2_000), "90 days at most");
        let asked = search_dates(days(0, 2_000), Interval::H1, TimeRange::ALL, TimeRange::ALL, Some(0.1)).unwrap();
        assert_eq!(asked.hold_out, days(1_800, 2_000), "unless a share is asked for");
    }

    #[test]
    fn dates_that_are_named_stand() {
        let test = days(250, 280);
        assert_eq!(dates(days(120, 240), test, None), Ok(SearchDates { range: days(120, 240), hold_out: test }));
        let open = TimeRange { to: TimeRange::ALL.to, ..days(50, 0) };
        assert_eq!(dates(open, test, None), Ok(SearchDates { range: days(100, 250), hold_out: test }));
        assert_eq!(dates(days(120, 260), test, None), Err("bad-range"));
        assert_eq!(dates(TimeRange::ALL, days(50, 90), None), Err("bad-range"));
        assert_eq!(dates(days(300, 400), TimeRange::ALL, None), Err("bad-range"));
        assert_eq!(dates(TimeRange::ALL, TimeRange::ALL, Some(0.5)), Err("bad-value"));
    }
}
