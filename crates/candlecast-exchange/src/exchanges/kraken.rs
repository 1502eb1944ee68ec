//! Kraken spot: the newest 720 candles of an interval. <https://docs.kraken.com/api-reference/market-data/get-ohlc-data>

use candlecast_core::catalog::Entry;
use candlecast_core::{Candle, Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use serde_json::Value;

use crate::error::brief;
use crate::fields::{array, field, item, json, number, time_s};
use crate::{Budget, ExchangeError, ExchangeRecipe, Misread, Protocol, Request, Tuning, recipe};

pub(super) const ENTRY: Entry<dyn ExchangeRecipe> = Entry {
    id: "kraken",
    aliases: &[],
    summary: "Kraken spot: the newest 720 candles of an interval",
    params: Tuning::PARAMS,
    build: |config| recipe::network("kraken", Kraken, config),
};

/// Kraken spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kraken;

const PAGE: usize = 720;
/// Kraken's own names of coins.
const COINS: [(&str, &str); 2] = [("BTC", "XBT"), ("DOGE", "XDG")];

impl Protocol for Kraken {
    fn venue(&self) -> Venue {
        Venue::new("kraken").expect("the name has the form of a venue")
    }

    fn rest_url(&self) -> &'static str {
        "https://api.kraken.com"
    }

    /// About one public request a second.
    fn budget(&self) -> Budget {
        Budget { weight: 15, window_ms: 15_000 }
    }

    fn page_candles(&self) -> usize {
        PAGE
    }

    fn history_candles(&self) -> Option<usize> {
        Some(PAGE)
    }

    /// 2013-09-01, shortly before trading began.
    fn first_day(&self) -> Timestamp {
        Timestamp(1_377_993_600_000)
    }

    fn time(&self) -> Request {
        Request { path: "/0/public/Time".to_owned(), weight: 1 }
    }

    fn read_time(&self, body: &str) -> Result<Timestamp, Misread> {
        let answer = checked(body)?;
        time_s(field(field(&answer, "result")?, "unixtime")?)
    }

    /// `since` leaves out its own second, and there is no end.
    fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Request, ExchangeError> {
        let minutes = minutes(key.interval).ok_or_else(|| ExchangeError::Unsupported {
            venue: self.venue(),
            what: format!("{} candles on this grid", key.interval),
            remedy: "fetch 1m, 5m, 15m, 30m, 1h, 4h or 1d candles and resample them".to_owned(),
        })?;
        let (pair, since) = (pair(&key.symbol), range.from.ms() / 1_000 - 1);
        Ok(Request { path: format!("/0/public/OHLC?pair={pair}&interval={minutes}&since={since}"), weight: 1 })
    }

    /// `[time, open, high, low, close, vwap, volume, count]` under the pair's own name.
    fn read_klines(&self, body: &str) -> Result<Vec<Candle>, Misread> {
        let answer = checked(body)?;
        let result = field(&answer, "result")?.as_object();
        let rows = result.and_then(|r| r.iter().find(|(name, _)| *name != "last")).map(|(_, rows)| rows);
        array(rows.ok_or_else(|| Misread::Unreadable("the answer names no pair".to_owned()))?)?
            .iter()
            .map(candle)
            .collect()
    }
}

/// Intervals whose candles open where ours do: Kraken's weeks begin on Thursday, as the epoch did.
fn minutes(interval: Interval) -> Option<i64> {
    let minutes = interval.ms() / 60_000;
    [1, 5, 15, 30, 60, 240, 1_440].contains(&minutes).then_some(minutes)
}

fn pair(symbol: &Symbol) -> String {
    let name = symbol.as_str();
    for (usual, own) in COINS {
        if let Some(rest) = name.strip_prefix(usual) {
            return format!("{own}{rest}");
        }
        if let Some(rest) = name.strip_suffix(usual) {
            return format!("{rest}{own}");
        }
    }
    name.to_owned()
}

/// The answer, once its list of errors is empty.
fn checked(body: &str) -> Result<Value, Misread> {
    let answer = json(body)?;
    let errors = array(field(&answer, "error")?)?;
    if errors.is_empty() {
        return Ok(answer);
    }
    let message = brief(&errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "));
    let has = |word: &str| message.contains(word);
    Err(if has("Rate limit") || has("Too many requests") {
        Misread::Busy(message)
    } else if has("Unavailable") || has("Busy") || has("Internal error") {
        Misread::Unreadable(message)
    } else {
        Misread::Refused(message)
    })
}

fn candle(row: &Value) -> Result<Candle, Misread> {
    Ok(Candle {
        open_time: time_s(item(row, 0)?)?,
        open: number(item(row, 1)?)?,
        high: number(item(row, 2)?)?,
        low: number(item(row, 3)?)?,
        close: number(item(row, 4)?)?,
        volume: number(item(row, 6)?)?,
        quote_volume: None,
        trades: Some(number(item(row, 7)?)?),
        taker_buy_base: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_errors_told_apart() {
        let body = r#"{"error":[],"result":{"XXBTZUSD":[[1616662740,"52591.9","52599.9","52591.8","52599.9",
            "52599.1","0.11091626",5]],"last":1616662680}}"#;
        let candles = Kraken.read_klines(body).unwrap();
        assert_eq!((candles[0].open_time, candles[0].volume), (Timestamp(1_616_662_740_000), 0.110_916_26));
        let verdict = |error: &str| Kraken.read_klines(&format!(r#"{{"error":["{error}"]}}"#));
        assert!(matches!(verdict("EGeneral:Too many requests"), Err(Misread::Busy(_))));
        assert!(matches!(verdict("EService:Unavailable"), Err(Misread::Unreadable(_))));
        assert!(matches!(verdict("EQuery:Unknown asset pair"), Err(Misread::Refused(_))));
        let time = Kraken.read_time(r#"{"error":[],"result":{"unixtime":1616336594,"rfc1123":"x"}}"#);
        assert_eq!(time, Ok(Timestamp(1_616_336_594_000)));
    }

    #[test]
    fn coins_have_names_of_their_own() {
        let name = |s: &str| pair(&Symbol::new(s).unwrap());
        assert_eq!([name("BTCUSD"), name("ETHBTC"), name("DOGEUSD")], ["XBTUSD", "ETHXBT", "XDGUSD"]);
    }
}
