//! Candles and books in the words of the exchanges.

use candlecast_core::{Candle, SeriesKey, Timestamp};
use serde_json::{Value, json};

use crate::{DepthDiff, Level, OrderBook};

/// A candle half way through: opened, hardly traded.
pub(super) fn unfinished(candle: &Candle) -> Candle {
    let half = |x: Option<f64>| x.map(|x| x / 2.0);
    Candle {
        high: candle.open,
        low: candle.open,
        close: candle.open,
        volume: candle.volume / 2.0,
        quote_volume: half(candle.quote_volume),
        trades: candle.trades.map(|n| (n / 2.0).floor()),
        taker_buy_base: half(candle.taker_buy_base),
        ..*candle
    }
}

fn words(x: f64) -> Value {
    Value::String(x.to_string())
}

fn maybe(x: Option<f64>) -> Value {
    words(x.unwrap_or(0.0))
}

pub(super) fn binance(candles: &[Candle], step: i64) -> String {
    let row = |c: &Candle| {
        let trades = c.trades.unwrap_or(0.0) as u64;
        json!([
            c.open_time.ms(),
            words(c.open),
            words(c.high),
            words(c.low),
            words(c.close),
            words(c.volume),
            c.open_time.ms() + step - 1,
            maybe(c.quote_volume),
            trades,
            maybe(c.taker_buy_base),
            "0",
            "0"
        ])
    };
    Value::Array(candles.iter().map(row).collect()).to_string()
}

pub(super) fn bybit(candles: &[Candle], now: Timestamp) -> String {
    let row = |c: &Candle| {
        let time = Value::String(c.open_time.ms().to_string());
        json!([
            time,
            words(c.open),
            words(c.high),
            words(c.low),
            words(c.close),
            words(c.volume),
            maybe(c.quote_volume)
        ])
    };
    let list: Vec<Value> = candles.iter().rev().map(row).collect();
    json!({"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": list}, "time": now.ms()}).to_string()
}

pub(super) fn kraken(candles: &[Candle]) -> String {
    let row = |c: &Candle| {
        let (time, trades) = (c.open_time.ms() / 1_000, c.trades.unwrap_or(0.0) as u64);
        json!([
            time,
            words(c.open),
            words(c.high),
            words(c.low),
            words(c.close),
            words(c.close),
            words(c.volume),
            trades
        ])
    };
    let rows: Vec<Value> = candles.iter().map(row).collect();
    json!({"error": [], "result": {"XXBTZUSD": rows, "last": 0}}).to_string()
}

pub(super) fn coinbase(candles: &[Candle]) -> String {
    let row = |c: &Candle| json!([c.open_time.ms() / 1_000, c.low, c.high, c.open, c.close, c.volume]);
    Value::Array(candles.iter().rev().map(row).collect()).to_string()
}

fn levels(all: impl Iterator<Item = Level>) -> Value {
    Value::Array(all.map(|l| json!([words(l.price), words(l.quantity)])).collect())
}

pub(super) fn snapshot(book: &OrderBook) -> String {
    json!({"lastUpdateId": book.update_id(), "bids": levels(book.bids()), "asks": levels(book.asks())}).to_string()
}

pub(super) fn kline(key: &SeriesKey, candle: &Candle, at: Timestamp, closed: bool) -> String {
    let (symbol, interval) = (key.symbol.as_str(), key.interval.to_string());
    let data = json!({
        "e": "kline", "E": at.ms(), "s": symbol,
        "k": {
            "t": candle.open_time.ms(), "T": candle.open_time.ms() + key.interval.ms() - 1, "s": symbol, "i": interval,
            "o": words(candle.open), "c": words(candle.close), "h": words(candle.high), "l": words(candle.low),
            "v": words(candle.volume), "n": candle.trades.unwrap_or(0.0) as u64, "x": closed,
            "q": maybe(candle.quote_volume), "V": maybe(candle.taker_buy_base), "Q": "0", "B": "0"
        }
    });
    json!({"stream": format!("{}@kline_{interval}", symbol.to_ascii_lowercase()), "data": data}).to_string()
}

pub(super) fn depth(diff: &DepthDiff) -> String {
    let symbol = diff.symbol.as_str();
    let data = json!({
        "e": "depthUpdate", "E": diff.time.ms(), "s": symbol, "U": diff.first_id, "u": diff.final_id,
        "pu": diff.previous_id, "b": levels(diff.bids.iter().copied()), "a": levels(diff.asks.iter().copied())
    });
    json!({"stream": format!("{}@depth@100ms", symbol.to_ascii_lowercase()), "data": data}).to_string()
}
