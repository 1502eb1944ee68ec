//! Coinbase Exchange: history.
//! <https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-candles>

use candlecast_core::catalog::Entry;
use candlecast_core::{Candle, Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use serde_json::Value;

use crate::fields::{array, field, item, json, number, text, time_s};
use crate::{Budget, ExchangeError, ExchangeRecipe, Misread, Protocol, Request, Tuning, recipe};

pub(super) const ENTRY: Entry<dyn ExchangeRecipe> = Entry {
    id: "coinbase",
    aliases: &["coinbase-exchange"],
    summary: "Coinbase Exchange: whole history",
    params: Tuning::PARAMS,
    build: |config| recipe::network("coinbase", Coinbase, config),
};

/// Coinbase Exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coinbase;

const PAGE: usize = 300;
/// Quote currencies, longer names before their beginnings: a product is written `BTC-USD`.
const QUOTES: [&str; 9] = ["USDT", "USDC", "USD", "EUR", "GBP", "BTC", "ETH", "DAI", "INR"];

impl Protocol for Coinbase {
    fn venue(&self) -> Venue {
        Venue::new("coinbase").expect("the name has the form of a venue")
    }

    fn rest_url(&self) -> &'static str {
        "https://api.exchange.coinbase.com"
    }

    /// 10 public requests a second.
    fn budget(&self) -> Budget {
        Budget { weight: 10, window_ms: 1_000 }
    }

    fn page_candles(&self) -> usize {
        PAGE
    }

    /// 2015-01-01, shortly before trading began.
    fn first_day(&self) -> Timestamp {
        Timestamp(1_420_070_400_000)
    }

    fn time(&self) -> Request {
        Request { path: "/time".to_owned(), weight: 1 }
    }

    fn read_time(&self, body: &str) -> Result<Timestamp, Misread> {
        let answer = json(body)?;
        let iso = text(field(&answer, "iso")?)?;
        Timestamp::parse(iso).map_err(|e| Misread::Unreadable(e.to_string()))
    }

    /// `end` is the open time of the last candle: a longer range would be refused.
    fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Request, ExchangeError> {
        let seconds = seconds(key.interval).ok_or_else(|| ExchangeError::Unsupported {
            venue: self.venue(),
            what: format!("{} candles", key.interval),
            remedy: "fetch 1m, 5m, 15m, 1h, 6h or 1d candles and resample them".to_owned(),
        })?;
        let product = product(&key.symbol).ok_or_else(|| ExchangeError::Unsupported {
            venue: self.venue(),
            what: format!("known quote currency in {}", key.symbol),
            remedy: format!("it must end with one of {}", QUOTES.join(", ")),
        })?;
        let last = key.interval.floor(range.to.plus_ms(-1));
        let path = format!("/products/{product}/candles?granularity={seconds}&start={}&end={last}", range.from);
        Ok(Request { path, weight: 1 })
    }

    /// `[time, low, high, open, close, volume]`, newest first; some may lie before the range.
    fn read_klines(&self, body: &str) -> Result<Vec<Candle>, Misread> {
        array(&json(body)?)?.iter().map(candle).collect()
    }
}

fn seconds(interval: Interval) -> Option<i64> {
    let seconds = interval.ms() / 1_000;
    [60, 300, 900, 3_600, 21_600, 86_400].contains(&seconds).then_some(seconds)
}

fn product(symbol: &Symbol) -> Option<String> {
    QUOTES.iter().find_map(|quote| {
        let base = symbol.as_str().strip_suffix(*quote).filter(|base| !base.is_empty())?;
        Some(format!("{base}-{quote}"))
    })
}

fn candle(row: &Value) -> Result<Candle, Misread> {
    Ok(Candle {
        open_time: time_s(item(row, 0)?)?,
        open: number(item(row, 3)?)?,
        high: number(item(row, 2)?)?,
        low: number(item(row, 1)?)?,
        close: number(item(row, 4)?)?,
        volume: number(item(row, 5)?)?,
        quote_volume: None,
        trades: None,
        taker_buy_base: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_a_dash() {
        let name = |s: &str| product(&Symbol::new(s).unwrap());
        assert_eq!(name("BTCUSD").as_deref(), Some("BTC-USD"));
        assert_eq!(name("BTCUSDT").as_deref(), Some("BTC-USDT"));
        assert_eq!(name("ETHBTC").as_deref(), Some("ETH-BTC"));
        assert_eq!(name("XYZ"), None);
    }

    #[test]
    fn a_page_asks_for_no_more_than_it_may() {
        let key = SeriesKey::new(Coinbase.venue(), Symbol::new("BTCUSD").unwrap(), Interval::M1);
        let from = Timestamp(1_704_067_200_000);
        let request = Coinbase.klines(&key, TimeRange { from, to: from.plus_ms(300 * 60_000) }).unwrap();
        let path = "/products/BTC-USD/candles?granularity=60&start=2024-01-01T00:00:00Z&end=2024-01-01T04:59:00Z";
        assert_eq!(request.path, path);
        let candles = Coinbase.read_klines("[[1415398768,0.32,4.2,0.35,4.2,12.3]]").unwrap();
        assert_eq!((candles[0].low, candles[0].open, candles[0].high), (0.32, 0.35, 4.2));
        let time = Coinbase.read_time(r#"{"iso":"2015-01-07T23:47:25.201Z","epoch":1420674445.201}"#);
        assert_eq!(time, Ok(Timestamp(1_420_674_445_201)));
    }
}
