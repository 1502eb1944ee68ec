//! The candles that every speed of features is measured on.

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FilledSeries, Interval};

/// One-minute candles.
const CANDLES: usize = 1_000_000;

/// A million generated candles.
pub(crate) fn million() -> FilledSeries {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: CANDLES,
        ..MarketConfig::default()
    };
    FilledSeries::new(&generate(&config)[0].series, 3)
}
