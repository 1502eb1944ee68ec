//! Predictions and candles that tests look at.

use candlecast_core::{Candle, Interval, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_meta::NewPrediction;

/// Hours after the origin of [`made`].
pub(crate) fn hour(hour: i64) -> Timestamp {
    Timestamp::year_start(2024).plus_ms(hour * Interval::H1.ms())
}

pub(crate) fn key() -> SeriesKey {
    SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").expect("it is a symbol"), Interval::H1)
}

/// A prediction over `step` hours from `hour(0)`, made at a price of 100.
pub(crate) fn made(task: &str, step: u32, prediction: f64) -> NewPrediction {
    NewPrediction {
        task: task.into(),
        model_id: "m".into(),
        series: key(),
        origin: hour(0),
        step,
        target_time: hour(i64::from(step)),
        made_at: hour(0),
        base_price: 100.0,
        prediction,
        interval: None,
        borders: None,
        confidence: None,
        direction: None,
    }
}

/// A candle that opens at `open_time`; one that does not move is flat and without volume.
pub(crate) fn candle(open_time: Timestamp, close: f64, moves: bool) -> Candle {
    Candle {
        open_time,
        open: close,
        high: if moves { close + 1.0 } else { close },
        low: close,
        close,
        volume: if moves { 1.0 } else { 0.0 },
        quote_volume: None,
        trades: None,
        taker_buy_base: None,
    }
}
