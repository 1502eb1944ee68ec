//! Binance, spot and USD-M futures: REST. <https://developers.binance.com/docs/binance-spot-api-docs/rest-api>

mod stream;

use candlecast_core::catalog::{Entry, RecipeError};
use candlecast_core::{Candle, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use serde_json::Value;

use crate::fields::{array, field, id, item, json, number, time_ms};
use crate::{
    Budget, DepthSnapshot, ExchangeError, ExchangeRecipe, Level, LiveProtocol, Misread, Protocol, Request, Tuning,
    recipe,
};

pub(super) const SPOT: Entry<dyn ExchangeRecipe> = Entry {
    id: "binance",
    aliases: &["binance-spot"],
    summary: "Binance spot: whole history, live candles, trades and order books",
    params: Tuning::PARAMS,
    build: |config| build("binance", Binance::Spot, config),
};

pub(super) const USDM: Entry<dyn ExchangeRecipe> = Entry {
    id: "binance-usdm",
    aliases: &["binance-futures", "binanceusdm"],
    summary: "Binance USD-M futures: whole history, live candles, trades and order books",
    params: Tuning::PARAMS,
    build: |config| build("binance-usdm", Binance::UsdM, config),
};

fn build(id: &str, protocol: Binance, config: &Value) -> Result<Box<dyn ExchangeRecipe>, RecipeError> {
    recipe::network(id, protocol, config)
}

/// A market of Binance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binance {
    /// `api.binance.com`.
    Spot,
    /// `fapi.binance.com`.
    UsdM,
}

/// Rows asked for at once. Spot counts 2 for any number; USD-M counts 5 for 500 to 1,000 and 10 above.
const PAGE: usize = 1_000;
/// Levels a side of an order-book snapshot.
const DEPTH: usize = 1_000;

impl Binance {
    fn prefix(self) -> &'static str {
        match self {
            Self::Spot => "/api/v3",
            Self::UsdM => "/fapi/v1",
        }
    }

    fn depth_request(self, symbol: &Symbol) -> Request {
        let weight = match self {
            Self::Spot => 50,
            Self::UsdM => 20,
        };
        Request { path: format!("{}/depth?symbol={symbol}&limit={DEPTH}", self.prefix()), weight }
    }
}

impl Protocol for Binance {
    fn venue(&self) -> Venue {
        match self {
            Self::Spot => Venue::binance(),
            Self::UsdM => Venue::new("binance-usdm").expect("the name has the form of a venue"),
        }
    }

    fn rest_url(&self) -> &'static str {
        match self {
            Self::Spot => "https://api.binance.com",
            Self::UsdM => "https://fapi.binance.com",
        }
    }

    fn budget(&self) -> Budget {
        let weight = match self {
            Self::Spot => 6_000,
            Self::UsdM => 2_400,
        };
        Budget { weight, window_ms: 60_000 }
    }

    fn used_weight_header(&self) -> Option<&'static str> {
        Some("x-mbx-used-weight-1m")
    }

    fn page_candles(&self) -> usize {
        PAGE
    }

    fn skips_gaps(&self) -> bool {
        true
    }

    fn first_day(&self) -> Timestamp {
        // 2017-07-01 and 2019-09-01: shortly before the first trade of each market.
        match self {
            Self::Spot => Timestamp(1_498_867_200_000),
            Self::UsdM => Timestamp(1_567_296_000_000),
        }
    }

    fn time(&self) -> Request {
        Request { path: format!("{}/time", self.prefix()), weight: 1 }
    }

    fn read_time(&self, body: &str) -> Result<Timestamp, Misread> {
        time_ms(field(&json(body)?, "serverTime")?)
    }

    /// Without `endTime`: the answer then begins with the first candle there is.
    fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Request, ExchangeError> {
        let (prefix, symbol, interval, from) = (self.prefix(), &key.symbol, key.interval, range.from.ms());
        let path = format!("{prefix}/klines?symbol={symbol}&interval={interval}&startTime={from}&limit={PAGE}");
        let weight = match self {
            Self::Spot => 2,
            Self::UsdM => 5,
        };
        Ok(Request { path, weight })
    }

    fn read_klines(&self, body: &str) -> Result<Vec<Candle>, Misread> {
        array(&json(body)?)?.iter().map(candle).collect()
    }

    fn live(&self) -> Option<&dyn LiveProtocol> {
        Some(self)
    }
}

/// `[open time, open, high, low, close, volume, close time, quote volume, trades, taker-buy base, ...]`.
fn candle(row: &Value) -> Result<Candle, Misread> {
    Ok(Candle {
        open_time: time_ms(item(row, 0)?)?,
        open: number(item(row, 1)?)?,
        high: number(item(row, 2)?)?,
        low: number(item(row, 3)?)?,
        close: number(item(row, 4)?)?,
        volume: number(item(row, 5)?)?,
        quote_volume: Some(number(item(row, 7)?)?),
        trades: Some(number(item(row, 8)?)?),
        taker_buy_base: Some(number(item(row, 9)?)?),
    })
}

fn read_depth(body: &str) -> Result<DepthSnapshot, Misread> {
    let answer = json(body)?;
    Ok(DepthSnapshot {
        last_id: id(field(&answer, "lastUpdateId")?)?,
        bids: levels(field(&answer, "bids")?)?,
        asks: levels(field(&answer, "asks")?)?,
    })
}

/// `[[price, quantity], ...]`.
fn levels(value: &Value) -> Result<Vec<Level>, Misread> {
    let level = |row: &Value| {
        let (price, quantity) = (number(item(row, 0)?)?, number(item(row, 1)?)?);
        Level::new(price, quantity).ok_or_else(|| Misread::Unreadable(format!("level {price} {quantity} is none")))
    };
    array(value)?.iter().map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Interval;

    #[test]
    fn requests_and_answers_are_as_documented() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::M1);
        let from = Timestamp(1_731_748_020_000);
        let request = Binance::Spot.klines(&key, TimeRange { from, to: TimeRange::ALL.to }).unwrap();
        let path = "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1731748020000&limit=1000";
        assert_eq!(request, Request { path: path.to_owned(), weight: 2 });
        let body = r#"[[1731748020000,"0.72270000","0.72560000","0.72270000","0.72440000","574761.50000000",
            1731748079999,"416461.99940000",1760,"343792.90000000","249110.96803000","0"]]"#;
        let candles = Binance::Spot.read_klines(body).unwrap();
        assert_eq!((candles[0].open_time, candles[0].high, candles[0].trades), (from, 0.7256, Some(1760.0)));
        assert_eq!(candles[0].quote_volume, Some(416_461.999_4));
        assert_eq!(Binance::Spot.read_time(r#"{"serverTime":1633998511098}"#), Ok(Timestamp(1_633_998_511_098)));
        let cut = Binance::Spot.read_klines(&body[..60]);
        assert!(matches!(cut, Err(Misread::Unreadable(_))), "{cut:?}");
        for bad in ["{}", "[[1]]", r#"[["x"]]"#, "[[9223372036854775807,1,1,1,1,1,1,1,1,1]]"] {
            assert!(Binance::UsdM.read_klines(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn books_are_read_level_by_level() {
        let book = read_depth(r#"{"lastUpdateId":7,"bids":[["0.35","672.0"]],"asks":[]}"#).unwrap();
        assert_eq!((book.last_id, book.bids), (7, vec![Level::new(0.35, 672.0).unwrap()]));
        assert!(read_depth(r#"{"lastUpdateId":7,"bids":[["-1","2"]],"asks":[]}"#).is_err());
    }
}
