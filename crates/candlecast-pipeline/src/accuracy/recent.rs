//! The share of right directions or classes of the last three months.

use candlecast_core::Timestamp;
use candlecast_learn::significance::{Serial, overlap};
use candlecast_learn::{HitRate, OriginHits};

/// That of origins `(origin, step, hits, directions)` in order, origins in ms, `step_ms` being a step: how far ahead the
/// forecasts from each reach, and how many of their directions were right, of those that the forecast and the outcome
/// have.
///
/// Origins of a log may lie any number of candles apart, so that outcomes overlap with fewer others than they reach
/// candles ahead: as many as overlap at most are what neighbours depend on each other over.
pub(super) fn recent(forecasts: impl Iterator<Item = (i64, u32, u32, u32)>, step_ms: i64) -> Option<HitRate> {
    let mut origins: Vec<OriginHits> = Vec::new();
    let mut reach = 0;
    for (origin, step, hits, directions) in forecasts {
        reach = reach.max(i64::from(step) * step_ms);
        let (hits, directions) = (hits as usize, directions as usize);
        origins.push(OriginHits { opened: Timestamp(origin - step_ms), hits, directions });
    }
    let times: Vec<i64> = origins.iter().map(|origin| origin.opened.ms()).collect();
    HitRate::recent(&origins, step_ms, Serial { horizon: overlap(&times, reach), refit: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// Forecasts over two days from origins `apart` hours apart, at most 2,400 hours, right in two of three at the first
    /// step and in one of two at the second.
    fn made(apart: i64) -> Option<HitRate> {
        let origins = (0..2_400 / apart).map(|k| (k, Timestamp::year_start(2024).ms() + k * apart * HOUR_MS));
        let steps = origins.map(|(k, origin)| {
            let (first, is_second) = (k % 3 > 0, k % 7 > 0);
            let hits = u32::from(first) + u32::from(is_second && k % 2 == 0);
            (origin, 48, hits, 1 + u32::from(is_second))
        });
        recent(steps, HOUR_MS)
    }

    #[test]
    fn steps_of_an_origin_are_counted_together_and_old_origins_are_left_out() {
        let found = made(1).unwrap();
        // The last origin is that of 2024-04-09 23:00, so that January's first nine days do not count.
        let first = Timestamp::parse("2024-01-09T23:00:00Z").unwrap();
        assert_eq!((found.from, found.to), (first, Timestamp::parse("2024-04-09T23:00:00Z").unwrap()));
        let kept = (0..2_400_i64).filter(|k| Timestamp::year_start(2024).plus_ms((k - 1) * HOUR_MS) >= first);
        let (mut hits, mut directions, mut origins) = (0, 0, 0);
        for k in kept {
            origins += 1;
            directions += 1 + usize::from(k % 7 > 0);
            hits += usize::from(k % 3 > 0) + usize::from(k % 7 > 0 && k % 2 == 0);
        }
        assert_eq!((found.hits, found.directions, found.origins), (hits, directions, origins));
        assert!(found.interval.is_some());
    }

    #[test]
    fn sparse_origins_need_no_more_outcomes_than_overlap() {
        // Every two days: nothing overlaps, and 46 origins are enough; every hour 46 origins would be too few.
        assert!(made(48).unwrap().interval.is_some());
        let few = (0..46).map(|k| (k * HOUR_MS, 48, u32::from(k % 3 > 0), 1));
        assert_eq!(recent(few, HOUR_MS).unwrap().interval, None);
        assert_eq!(recent(std::iter::empty(), HOUR_MS), None);
    }
}
