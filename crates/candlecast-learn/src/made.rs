//! Made markets for the unit tests of this crate.

use std::sync::Arc;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, SeriesKey, Symbol, Timestamp, Venue,
};

use crate::dataset::{Dataset, Market, Panel, SampleId};

/// Hourly candles with these log returns from a price of 100, each opening where the last one closed.
pub(crate) fn market_of(returns: &[f64]) -> Arc<Market> {
    let mut columns = Columns::default();
    let mut open = 100.0_f64;
    for (i, log_return) in returns.iter().enumerate() {
        let close = open * log_return.exp();
        columns.push(&Candle {
            open_time: Timestamp(i as i64 * Interval::H1.ms()),
            open,
            high: open.max(close),
            low: open.min(close),
            close,
            volume: 1.0,
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
        open = close;
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("MADEUSDT").expect("it is a symbol"), Interval::H1);
    Arc::new(Market::new(FilledSeries::new(&CandleSeries::new(key, columns).expect("the candles are valid"), 0)))
}

/// `market` without features.
pub(crate) fn closes_of(market: Arc<Market>) -> Dataset {
    Dataset::single(Panel::new(market, &FeatureTable::default()))
}

/// Origins at these rows of the only panel.
pub(crate) fn origins(rows: impl IntoIterator<Item = u32>) -> Vec<SampleId> {
    rows.into_iter().map(|row| SampleId { panel: 0, row }).collect()
}
