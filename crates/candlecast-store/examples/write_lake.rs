//! Writes a lake of generated candles and prints what a reader must find in it, a line of JSON a series:
//! `cargo run -p candlecast-store --example write_lake -- FOLDER > expected.jsonl`, then
//! `python tests/read_lake.py FOLDER expected.jsonl`.
#![allow(clippy::print_stdout, reason = "the expected values are this program's output")]

use std::error::Error;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Columns, Interval, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_store::{CandleStore, ParquetLake};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name the folder to write to")?;
    let lake = ParquetLake::open(folder)?;
    let all = all_series()?;
    for series in &all {
        lake.upsert(series).await?;
        println!("{}", expected(series));
    }
    // Other programs do not see what waits to be compacted, and are not disturbed by it.
    lake.upsert(&one_more(&all[0])?).await?;
    Ok(())
}

/// Several years, several intervals, a venue of its own, optional columns full, with holes, and missing.
fn all_series() -> Result<Vec<CandleSeries>, Box<dyn Error>> {
    let hourly = generate(&MarketConfig { n_candles: 20_000, ..MarketConfig::default() });
    let minutes = generate(&MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: 200_000,
        start: Timestamp::parse("2023-10-01")?,
        ..MarketConfig::default()
    });
    let mut all: Vec<CandleSeries> = hourly.into_iter().chain(minutes).map(|g| g.series).collect();
    let bare = Columns { quote_volume: None, trades: None, taker_buy_base: None, ..all[0].columns().clone() };
    let key = |symbol| -> Result<SeriesKey, Box<dyn Error>> {
        Ok(SeriesKey::new(Venue::new("binance-usdm")?, Symbol::new(symbol)?, Interval::H1))
    };
    all.push(CandleSeries::new(key("BTCUSDT")?, bare)?);
    let mut holes = all[1].columns().clone();
    for (i, count) in holes.trades.iter_mut().flatten().enumerate() {
        *count = if i % 7 == 3 { f64::NAN } else { *count };
    }
    all.push(CandleSeries::new(key("ETHUSDT")?, holes)?);
    Ok(all)
}

/// The candle behind the last one.
fn one_more(series: &CandleSeries) -> Result<CandleSeries, Box<dyn Error>> {
    let mut candle = series.candle(series.len() - 1);
    candle.open_time = candle.open_time.plus_ms(series.key().interval.ms());
    let mut columns = Columns::default();
    columns.push(&candle);
    Ok(CandleSeries::new(series.key().clone(), columns)?)
}

fn expected(series: &CandleSeries) -> serde_json::Value {
    let c = series.columns();
    let sum = |v: &[f64]| v.iter().sum::<f64>();
    let present = |v: &Option<Vec<f64>>| -> Vec<f64> { v.iter().flatten().copied().filter(|x| !x.is_nan()).collect() };
    let (quote, trades, taker) = (present(&c.quote_volume), present(&c.trades), present(&c.taker_buy_base));
    serde_json::json!({
        "venue": series.key().venue.as_str(),
        "symbol": series.key().symbol.as_str(),
        "interval": series.key().interval.to_string(),
        "rows": series.len(),
        "first_ms": c.open_time.first(),
        "last_ms": c.open_time.last(),
        "sums": {
            "open": sum(&c.open), "high": sum(&c.high), "low": sum(&c.low), "close": sum(&c.close),
            "volume": sum(&c.volume), "quote_volume": sum(&quote), "trades": sum(&trades), "taker_buy_base": sum(&taker),
        },
        "counts": { "quote_volume": quote.len(), "trades": trades.len(), "taker_buy_base": taker.len() },
    })
}
