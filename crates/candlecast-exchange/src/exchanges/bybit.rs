//! Bybit spot: history. <https://bybit-exchange.github.io/docs/v5/market/kline>

use candlecast_core::catalog::Entry;
use candlecast_core::{Candle, Interval, SeriesKey, TimeRange, Timestamp, Venue};
use serde_json::Value;

use crate::error::brief;
use crate::fields::{array, field, integer, item, json, number, time_ms};
use crate::{Budget, ExchangeError, ExchangeRecipe, Misread, Protocol, Request, Tuning, recipe};

pub(super) const ENTRY: Entry<dyn ExchangeRecipe> = Entry {
    id: "bybit",
    aliases: &[],
    summary: "Bybit spot: whole history",
    params: Tuning::PARAMS,
    build: |config| recipe::network("bybit", Bybit, config),
};

/// Bybit spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bybit;

const PAGE: usize = 1_000;
/// "Too many visits".
const BUSY_CODES: [i64; 2] = [10_006, 10_018];

impl Protocol for Bybit {
    fn venue(&self) -> Venue {
        Venue::new("bybit").expect("the name has the form of a venue")
    }

    fn rest_url(&self) -> &'static str {
        "https://api.bybit.com"
    }

    /// 600 requests in 5 s.
    fn budget(&self) -> Budget {
        Budget { weight: 600, window_ms: 5_000 }
    }

    fn page_candles(&self) -> usize {
        PAGE
    }

    /// 2021-07-01, shortly before spot trading began.
    fn first_day(&self) -> Timestamp {
        Timestamp(1_625_097_600_000)
    }

    fn time(&self) -> Request {
        Request { path: "/v5/market/time".to_owned(), weight: 1 }
    }

    fn read_time(&self, body: &str) -> Result<Timestamp, Misread> {
        let answer = checked(body)?;
        time_ms(field(&answer, "time")?)
    }

    fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Request, ExchangeError> {
        let interval = interval_name(key.interval).ok_or_else(|| ExchangeError::Unsupported {
            venue: self.venue(),
            what: format!("{} candles", key.interval),
            remedy: "fetch 4h candles and resample them".to_owned(),
        })?;
        let (symbol, from, last) = (&key.symbol, range.from.ms(), range.to.ms() - 1);
        let path = format!(
            "/v5/market/kline?category=spot&symbol={symbol}&interval={interval}&start={from}&end={last}&limit={PAGE}"
        );
        Ok(Request { path, weight: 1 })
    }

    /// `[start, open, high, low, close, volume, turnover]`, newest first.
    fn read_klines(&self, body: &str) -> Result<Vec<Candle>, Misread> {
        let answer = checked(body)?;
        array(field(field(&answer, "result")?, "list")?)?.iter().map(candle).collect()
    }
}

fn interval_name(interval: Interval) -> Option<String> {
    let minutes = interval.ms() / 60_000;
    match minutes {
        1..=240 | 360 | 720 => Some(minutes.to_string()),
        1_440 => Some("D".to_owned()),
        10_080 => Some("W".to_owned()),
        _ => None,
    }
}

/// The answer, once its code says that it is one.
fn checked(body: &str) -> Result<Value, Misread> {
    let answer = json(body)?;
    let code = integer(field(&answer, "retCode")?)?;
    if code == 0 {
        return Ok(answer);
    }
    let message = answer.get("retMsg").and_then(Value::as_str).unwrap_or_default();
    let message = format!("code {code}: {}", brief(message));
    Err(if BUSY_CODES.contains(&code) { Misread::Busy(message) } else { Misread::Refused(message) })
}

fn candle(row: &Value) -> Result<Candle, Misread> {
    Ok(Candle {
        open_time: time_ms(item(row, 0)?)?,
        open: number(item(row, 1)?)?,
        high: number(item(row, 2)?)?,
        low: number(item(row, 3)?)?,
        close: number(item(row, 4)?)?,
        volume: number(item(row, 5)?)?,
        quote_volume: Some(number(item(row, 6)?)?),
        trades: None,
        taker_buy_base: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_codes_told_apart() {
        let body = r#"{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSD","category":"spot","list":[
            ["1670608800000","17071","17073","17027","17055.5","268611","15.74462667"]]},"time":1672025956592}"#;
        let candles = Bybit.read_klines(body).unwrap();
        assert_eq!((candles[0].open_time, candles[0].close), (Timestamp(1_670_608_800_000), 17_055.5));
        assert_eq!(Bybit.read_time(body), Ok(Timestamp(1_672_025_956_592)));
        let verdict = |code: i64| Bybit.read_time(&format!(r#"{{"retCode":{code},"retMsg":"m","result":{{}}}}"#));
        assert!(matches!(verdict(10_006), Err(Misread::Busy(_))));
        assert!(matches!(verdict(10_001), Err(Misread::Refused(_))));
        assert!(matches!(Bybit.read_klines("{"), Err(Misread::Unreadable(_))));
    }

    #[test]
    fn eight_hours_are_not_offered() {
        let names: Vec<Option<String>> = Interval::all().map(interval_name).collect();
        let expected = [
            Some("1"),
            Some("3"),
            Some("5"),
            Some("15"),
            Some("30"),
            Some("60"),
            Some("120"),
            Some("240"),
            Some("360"),
            None,
            Some("720"),
            Some("D"),
            Some("W"),
        ];
        assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }
}
