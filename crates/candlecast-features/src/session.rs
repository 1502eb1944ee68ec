//! The UTC day as trading session.

use crate::indicator::Observation;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Candles of the shortest interval in a day.
pub(crate) const LONGEST_DAY: usize = 1_440;

/// Number of the UTC day in which the candle opens.
#[inline]
pub(crate) fn utc_day(o: &Observation) -> i64 {
    o.candle.open_time.0.div_euclid(DAY_MS)
}
