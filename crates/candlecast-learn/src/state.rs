//! [`MarketState`]: what is known of a market's volatility, candle by candle.

use std::collections::VecDeque;

use candlecast_core::{Interval, SigmaState};

use crate::har_x::COLUMNS;
use crate::trend::Trend;
use crate::volatility::Volatility;

/// Bytes that a candle of a [`Market`](crate::Market) takes at most: nine columns of the series, with what is filled and
/// which segment it is of; its log close and its state; and the columns of `har-x`.
pub const MARKET_BYTES_PER_CANDLE: usize =
    9 * size_of::<f64>() + 1 + size_of::<u32>() + 3 * size_of::<f64>() + 2 + COLUMNS * size_of::<f32>();

/// What is known at the close of one candle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowState {
    /// Standard deviation of one-step log returns, half-life 48 candles.
    pub(crate) volatility: f64,
    /// That of the targets, half-life 72 candles.
    pub(crate) sigma: f64,
    /// Tercile of `volatility` in its own last year: 0 calm, 1 middle, 2 wild.
    pub(crate) tercile: u8,
    /// True where the price has gone one way for longer than chance would let it ([`Trend`]).
    pub(crate) trending: bool,
}

/// A whole market and a live one go through this same state, so their values have the same bits.
#[derive(Debug, Clone)]
pub(crate) struct MarketState {
    volatility: Volatility,
    sigma: SigmaState,
    terciles: Terciles,
    trend: Trend,
}

impl MarketState {
    pub(crate) fn new(interval: Interval) -> Self {
        Self {
            volatility: Volatility::new(),
            sigma: SigmaState::default(),
            terciles: Terciles::new(interval),
            trend: Trend::new(),
        }
    }

    /// What follows comes after a gap that is too long to fill. What is usual in a year outlasts it.
    pub(crate) fn begin_segment(&mut self) {
        self.volatility = Volatility::new();
        self.sigma = SigmaState::default();
        self.trend = Trend::new();
    }

    /// Takes the next log close.
    pub(crate) fn step(&mut self, log_close: f64) -> RowState {
        let volatility = self.volatility.step(log_close);
        RowState {
            volatility,
            sigma: self.sigma.step(log_close),
            tercile: self.terciles.place(volatility),
            trending: self.trend.step(log_close, volatility),
        }
    }
}

/// Values of a year that are kept; of finer intervals than an hour every so many-th.
const YEAR_VALUES: usize = 8_760;

/// Thirds of what the volatility was over the last year.
#[derive(Debug, Clone)]
struct Terciles {
    /// Candles from one value kept to the next.
    every: usize,
    /// Values kept at most.
    capacity: usize,
    /// Candles since the last value was kept.
    since: usize,
    values: VecDeque<f32>,
    /// `values` in ascending order.
    sorted: Vec<f32>,
}

impl Terciles {
    fn new(interval: Interval) -> Self {
        let year = ((365.0 * interval.per_day()).round() as usize).max(3);
        let every = year.div_ceil(YEAR_VALUES);
        Self { every, capacity: year / every, since: 0, values: VecDeque::new(), sorted: vec![] }
    }

    /// The tercile of `value` among those of the year before it; the middle one while there are none, and for NaN.
    fn place(&mut self, value: f64) -> u8 {
        if !value.is_finite() {
            return 1;
        }
        let value = value as f32;
        let n = self.sorted.len();
        let tercile =
            if n < 3 { 1 } else { u8::from(value > self.sorted[n / 3]) + u8::from(value > self.sorted[2 * n / 3]) };
        if self.since == 0 {
            self.keep(value);
        }
        self.since = (self.since + 1) % self.every;
        tercile
    }

    fn keep(&mut self, value: f32) {
        let place = |sorted: &[f32], value: f32| sorted.partition_point(|v| v.total_cmp(&value).is_lt());
        if self.values.len() == self.capacity
            && let Some(oldest) = self.values.pop_front()
        {
            let at = place(&self.sorted, oldest);
            self.sorted.remove(at);
        }
        self.values.push_back(value);
        let at = place(&self.sorted, value);
        self.sorted.insert(at, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn terciles_are_thirds_of_the_year_before() {
        let mut terciles = Terciles::new(Interval::from_ms(3_600_000).unwrap());
        assert_eq!((terciles.every, terciles.capacity), (1, 8_760));
        let mut rng = Seed(3).stream();
        let places: Vec<u8> = (0..6_000).map(|_| terciles.place(rng.uniform())).collect();
        for tercile in 0..3 {
            let share = places[3_000..].iter().map(|&p| f64::from(u8::from(p == tercile))).sum::<f64>() / 3_000.0;
            assert!((share - 1.0 / 3.0).abs() < 0.04, "{tercile}: {share}");
        }
        assert_eq!(terciles.place(f64::NAN), 1);
        assert_eq!((terciles.place(2.0), terciles.place(-1.0)), (2, 0));
    }

    #[test]
    fn a_year_of_minutes_is_kept_by_the_hour_and_forgotten_after_it() {
        let mut terciles = Terciles::new(Interval::from_ms(60_000).unwrap());
        assert_eq!((terciles.every, terciles.capacity), (60, 8_760));
        terciles.capacity = 10;
        for i in 0..1_200 {
            terciles.place(f64::from(i));
        }
        assert_eq!(terciles.values.len(), 10);
        assert_eq!(terciles.values[0], 600.0);
        assert!(terciles.sorted.windows(2).all(|w| w[0] <= w[1]));
    }
}
