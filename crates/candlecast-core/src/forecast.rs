//! [`Forecast`]: prices ahead with intervals and confidence.

use crate::{SeriesKey, Timestamp};

/// One step of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastStep {
    /// Candles ahead of the origin, from 1.
    pub step: usize,
    /// Close instant of the target candle.
    pub target_time: Timestamp,
    /// Forecast price in quote units.
    pub price: f64,
    /// Lower bound of the interval.
    pub lower: f64,
    /// Upper bound of the interval.
    pub upper: f64,
    /// Calibrated probability that the direction from the origin is right; 0.5 is a coin toss.
    pub confidence: f64,
    /// False where too few outcomes were known to calibrate `confidence`, which is 0.5 then.
    pub calibrated: bool,
}

/// Prices ahead of one origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What is forecast.
    pub key: SeriesKey,
    /// Close instant of the last candle seen.
    pub origin: Timestamp,
    /// Price at the origin.
    pub origin_price: f64,
    /// Share of outcomes the intervals are to cover, for example 0.9.
    pub level: f64,
    /// Steps 1 to the horizon.
    pub steps: Vec<ForecastStep>,
}
