//! Streams: what is stored, forecast, logged and validated while candles come one by one.

mod equality;
mod healing;
mod replay;
mod stream;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Columns, Interval, Problem, SeriesKey, Timestamp};
use candlecast_live::{Listener, LiveForecast, StreamEvent, StreamedCandle};

/// Keeps all that it hears; asks the stream to end with the candle that opens at a time, if one is given.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<StreamEvent>>,
    stop: Option<(Timestamp, Arc<AtomicBool>)>,
}

impl Recorder {
    fn until(last: Timestamp, cancel: &Arc<AtomicBool>) -> Self {
        Self { stop: Some((last, Arc::clone(cancel))), ..Self::default() }
    }

    fn events(&self) -> Vec<StreamEvent> {
        self.events.lock().unwrap().clone()
    }

    fn candles(&self) -> Vec<StreamedCandle> {
        let candle = |e: StreamEvent| if let StreamEvent::Candle(candle) = e { Some(candle) } else { None };
        self.events().into_iter().filter_map(candle).collect()
    }

    fn forecasts(&self) -> Vec<LiveForecast> {
        let forecast = |e: StreamEvent| if let StreamEvent::Forecast(forecast) = e { Some(forecast) } else { None };
        self.events().into_iter().filter_map(forecast).collect()
    }
}

impl Listener for Recorder {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        if let (StreamEvent::Candle(candle), Some((last, cancel))) = (event, &self.stop)
            && candle.candle.open_time >= *last
        {
            cancel.store(true, Ordering::Relaxed);
        }
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// The generated market under `key`, without the candles `missing`.
fn generated(key: &SeriesKey, candles: usize, missing: &[usize]) -> CandleSeries {
    let market = generate(&MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: key.interval,
        n_candles: candles,
        ..MarketConfig::default()
    });
    let mut columns = Columns::default();
    for i in (0..candles).filter(|i| !missing.contains(i)) {
        columns.push(&market[0].series.candle(i));
    }
    CandleSeries::new(key.clone(), columns).unwrap()
}

/// Rows `range` of `series`, and under another key.
fn rows(series: &CandleSeries, range: std::ops::Range<usize>, key: &SeriesKey) -> CandleSeries {
    CandleSeries::new(key.clone(), series.columns().slice(range)).unwrap()
}

fn minutes() -> SeriesKey {
    crate::scene::key("binance", "BTCUSDT", Interval::M1)
}
