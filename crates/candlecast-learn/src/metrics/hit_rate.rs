//! [`HitRate`]: how often directions were right over a span of time, with an interval that allows for their overlap.

use candlecast_core::Timestamp;

use crate::significance::{Serial, mean_above_zero};

/// Share of cases in which the interval of a hit rate is to cover the true rate.
pub const HIT_RATE_LEVEL: f64 = 0.9;
/// Months of a recent hit rate.
const RECENT_MONTHS: u16 = 3;

/// The directions of the forecasts from one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginHits {
    /// Open of the origin's candle.
    pub opened: Timestamp,
    /// Directions that were right, at most `directions`.
    pub hits: usize,
    /// Forecasts with a direction whose outcome has one; 0 for an origin that says nothing.
    pub directions: usize,
}

/// Share of right directions over a span of time. An edge fades, so a rate is worth no more than its dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HitRate {
    /// Open of the first origin's candle.
    pub from: Timestamp,
    /// Close of the last origin's candle.
    pub to: Timestamp,
    /// Origins with a direction.
    pub origins: usize,
    /// Right directions.
    pub hits: usize,
    /// Directions; at least 1.
    pub directions: usize,
    /// `hits / directions`, 0 to 1.
    pub rate: f64,
    /// Interval of the rate that covers the true one in a share [`HIT_RATE_LEVEL`] of cases, within 0 to 1; `None` with
    /// too few origins, or where the share of hits is the same at every origin.
    pub interval: Option<(f64, f64)>,
}

impl HitRate {
    /// That of `origins`, which are in time order, on candles of `candle_ms`; `None` without any direction. Those that
    /// say nothing have their place, since it counts for the overlap that `serial` tells of.
    pub fn of(origins: &[OriginHits], candle_ms: i64, serial: Serial) -> Option<Self> {
        let (first, last) = (origins.first()?, origins.last()?);
        let sum = |count: fn(&OriginHits) -> usize| origins.iter().map(count).sum::<usize>();
        let (hits, directions) = (sum(|o| o.hits), sum(|o| o.directions));
        if directions == 0 {
            return None;
        }
        let rate = hits as f64 / directions as f64;
        Some(Self {
            from: first.opened,
            to: last.opened.plus_ms(candle_ms),
            origins: origins.iter().filter(|o| o.directions > 0).count(),
            hits,
            directions,
            rate,
            interval: interval(origins, rate, directions, serial),
        })
    }

    /// That of the last three months of `origins`, which are in time order: of those whose candle opened no earlier than
    /// three months before the close of the last one's.
    pub fn recent(origins: &[OriginHits], candle_ms: i64, serial: Serial) -> Option<Self> {
        let end = origins.last()?.opened.plus_ms(candle_ms);
        let start = end.months_before(RECENT_MONTHS);
        let first = origins.partition_point(|o| o.opened < start);
        Self::of(&origins[first..], candle_ms, serial)
    }
}

/// The rate is a ratio of two means over origins, of hits and of directions. Its error is, to first order, the mean of
/// `(hits - rate directions) / mean directions` (Cochran 1977, "Sampling Techniques", section 6.4), whose long-run
/// variance is that of [`mean_above_zero`].
fn interval(origins: &[OriginHits], rate: f64, directions: usize, serial: Serial) -> Option<(f64, f64)> {
    let per_origin = directions as f64 / origins.len() as f64;
    let error = |o: &OriginHits| (o.hits as f64 - rate * o.directions as f64) / per_origin;
    let errors: Vec<f64> = origins.iter().map(error).collect();
    let (below, above) = mean_above_zero(&errors, serial)?.interval(HIT_RATE_LEVEL);
    Some(((rate + below).clamp(0.0, 1.0), (rate + above).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    /// The `i`-th of hourly origins from 2024 on.
    fn at(i: usize, hits: usize, directions: usize) -> OriginHits {
        OriginHits { opened: Timestamp::year_start(2024).plus_ms(i as i64 * HOUR_MS), hits, directions }
    }

    #[test]
    fn the_interval_is_that_of_a_ratio_with_a_long_run_variance() {
        // With d = (hits - rate n) / mean n: scipy.fft.dct(d, type=2, norm="ortho")[1:6] squared, their mean over 64 for
        // the squared standard error, and scipy.stats.t with 5 degrees of freedom.
        let origins: Vec<OriginHits> = (0..64)
            .map(|i| {
                let directions = if i % 11 == 0 { 0 } else { 4 - 2 * usize::from(i % 6 == 0) };
                at(i, (7 * i % 5).min(directions), directions)
            })
            .collect();
        let found = HitRate::of(&origins, HOUR_MS, Serial { horizon: 4, refit: 0 }).unwrap();
        assert_eq!((found.hits, found.directions, found.origins), (111, 212, 58));
        assert_eq!((found.from, found.to), (origins[0].opened, origins[63].opened.plus_ms(HOUR_MS)));
        assert!((found.rate - 111.0 / 212.0).abs() < 1e-12);
        let (lower, upper) = found.interval.unwrap();
        assert!((lower - 0.486_214_015_9).abs() < 1e-6 && (upper - 0.560_955_795_4).abs() < 1e-6, "{lower} {upper}");
    }

    /// Outcomes over 24 hours of a market and forecasts that know nothing of each other: the true rate is a half. Of 400
    /// runs of the same design in numpy 88 % of the intervals cover it.
    #[test]
    fn intervals_cover_the_true_rate_though_outcomes_overlap() {
        const HORIZON: usize = 24;
        const ORIGINS: usize = 2_160;
        let runs = 150;
        let covered = (0..runs)
            .filter(|&run| {
                let mut rng = Seed(17).derive("hit-rate", run).stream();
                let (mut close, mut forecast) = (vec![0.0], rng.normal());
                for i in 0..ORIGINS + HORIZON {
                    close.push(close[i] + rng.normal());
                }
                let origins: Vec<OriginHits> = (0..ORIGINS)
                    .map(|i| {
                        forecast = 0.98 * forecast + 0.199 * rng.normal();
                        let is_hit = |h: &usize| (close[i + h] > close[i]) == (forecast > 0.0);
                        at(i, (1..=HORIZON).filter(is_hit).count(), HORIZON)
                    })
                    .collect();
                let serial = Serial { horizon: HORIZON, refit: 168 };
                let (lower, upper) = HitRate::of(&origins, HOUR_MS, serial).unwrap().interval.unwrap();
                (lower..=upper).contains(&0.5)
            })
            .count();
        let share = covered as f64 / runs as f64;
        assert!((0.80..0.97).contains(&share), "{share}");
    }

    #[test]
    fn the_recent_rate_is_of_the_last_three_months() {
        // All wrong before October, then two of three right.
        let october = Timestamp::parse("2024-10-01").unwrap();
        let origins: Vec<OriginHits> = (0..366 * 24)
            .map(|i| {
                let origin = at(i, 0, 1);
                OriginHits { hits: usize::from(origin.opened >= october && i % 3 > 0), ..origin }
            })
            .collect();
        let serial = Serial { horizon: 1, refit: 0 };
        let found = HitRate::recent(&origins, HOUR_MS, serial).unwrap();
        assert_eq!((found.from, found.to), (october, Timestamp::year_start(2025)));
        assert_eq!((found.origins, found.hits, found.directions), (92 * 24, 92 * 16, 92 * 24));
        // Of less than three months it is all there is.
        let short = HitRate::recent(&origins[..100], HOUR_MS, serial).unwrap();
        assert_eq!((short.from, short.origins, short.rate), (origins[0].opened, 100, 0.0));
    }

    #[test]
    fn without_directions_there_is_no_rate_and_without_variance_no_interval() {
        let serial = Serial { horizon: 1, refit: 0 };
        assert_eq!(HitRate::of(&[], HOUR_MS, serial), None);
        assert_eq!(HitRate::recent(&[], HOUR_MS, serial), None);
        assert_eq!(HitRate::of(&[at(0, 0, 0); 50], HOUR_MS, serial), None);
        let right: Vec<OriginHits> = (0..50).map(|i| at(i, 1, 1)).collect();
        let found = HitRate::of(&right, HOUR_MS, serial).unwrap();
        assert_eq!((found.rate, found.interval), (1.0, None));
        let few = HitRate::of(&[at(0, 1, 2), at(1, 2, 2)], HOUR_MS, serial).unwrap();
        assert_eq!((found.origins, few.rate, few.interval), (50, 0.75, None));
    }
}
