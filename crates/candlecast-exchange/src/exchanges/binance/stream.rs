//! Binance, spot and USD-M futures: WebSocket.
//! <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>

use candlecast_core::{Candle, Symbol};
use serde_json::Value;

use super::{Binance, levels, read_depth};
use crate::fields::{field, id, interval, json, number, symbol, text, time_ms};
use crate::{
    BookRule, Budget, DepthDiff, DepthSnapshot, ExchangeError, LiveProtocol, Misread, Protocol, Request, Subscription,
    Trade, Wire,
};

const DAY_MS: u64 = 86_400_000;
/// Connections that one address may open in five minutes.
const CONNECTIONS: Budget = Budget { weight: 300, window_ms: 300_000 };
/// Streams that one connection may carry: 1,024 on spot; USD-M once allowed 200 and now as many.
const MAX_STREAMS: usize = 1_024;

impl LiveProtocol for Binance {
    fn stream_url(&self) -> &'static str {
        match self {
            Self::Spot => "wss://stream.binance.com:9443",
            Self::UsdM => "wss://fstream.binance.com",
        }
    }

    /// Spot carries everything on one connection. USD-M has, since 2026, books under `/public` and candles and
    /// trades under `/market`.
    fn stream_paths(&self, subscription: &Subscription) -> Result<Vec<String>, ExchangeError> {
        let name = |s: &Symbol, stream: &str| format!("{}@{stream}", s.as_str().to_ascii_lowercase());
        let trade = match self {
            Self::Spot => "trade",
            Self::UsdM => "aggTrade",
        };
        let klines = subscription.candles.iter().map(|f| name(&f.key.symbol, &format!("kline_{}", f.key.interval)));
        let mut market: Vec<String> = klines.collect();
        market.extend(subscription.trades.iter().map(|s| name(s, trade)));
        let books: Vec<String> = subscription.books.iter().map(|s| name(s, "depth@100ms")).collect();
        let parts = match self {
            Self::Spot => vec![("", [market, books].concat())],
            Self::UsdM => vec![("/market", market), ("/public", books)],
        };
        let mut paths = Vec::new();
        for (prefix, streams) in parts.into_iter().filter(|(_, streams)| !streams.is_empty()) {
            if streams.len() > MAX_STREAMS {
                let what = format!("connection for {} streams", streams.len());
                let remedy = format!("subscribe to at most {MAX_STREAMS} at once");
                return Err(ExchangeError::Unsupported { venue: self.venue(), what, remedy });
            }
            paths.push(format!("{prefix}/stream?streams={}", streams.join("/")));
        }
        Ok(paths)
    }

    fn connections(&self) -> Budget {
        CONNECTIONS
    }

    fn lifetime_ms(&self) -> u64 {
        DAY_MS
    }

    fn read_message(&self, text: &str) -> Result<Option<Wire>, Misread> {
        let message = json(text)?;
        let data = message.get("data").unwrap_or(&message);
        match data.get("e").and_then(Value::as_str) {
            Some("kline") => kline(data).map(Some),
            Some("depthUpdate") => depth(data).map(Some),
            Some("trade" | "aggTrade") => trade(data).map(Some),
            _ => Ok(None),
        }
    }

    fn depth(&self, symbol: &Symbol) -> Request {
        self.depth_request(symbol)
    }

    fn read_depth(&self, body: &str) -> Result<DepthSnapshot, Misread> {
        read_depth(body)
    }

    fn book_rule(&self) -> BookRule {
        match self {
            Self::Spot => BookRule::Consecutive,
            Self::UsdM => BookRule::Linked,
        }
    }
}

fn kline(data: &Value) -> Result<Wire, Misread> {
    let k = field(data, "k")?;
    let candle = Candle {
        open_time: time_ms(field(k, "t")?)?,
        open: number(field(k, "o")?)?,
        high: number(field(k, "h")?)?,
        low: number(field(k, "l")?)?,
        close: number(field(k, "c")?)?,
        volume: number(field(k, "v")?)?,
        quote_volume: Some(number(field(k, "q")?)?),
        trades: Some(number(field(k, "n")?)?),
        taker_buy_base: Some(number(field(k, "V")?)?),
    };
    let closed = field(k, "x")?.as_bool().ok_or_else(|| Misread::Unreadable("x is neither true nor false".into()))?;
    let sent = data.get("E").map(time_ms).transpose()?;
    Ok(Wire::Kline { symbol: symbol(field(k, "s")?)?, interval: interval(field(k, "i")?)?, candle, closed, sent })
}

fn depth(data: &Value) -> Result<Wire, Misread> {
    Ok(Wire::Depth(DepthDiff {
        symbol: symbol(field(data, "s")?)?,
        time: time_ms(data.get("T").map_or_else(|| field(data, "E"), Ok)?)?,
        first_id: id(field(data, "U")?)?,
        final_id: id(field(data, "u")?)?,
        previous_id: data.get("pu").map(id).transpose()?,
        bids: levels(field(data, "b")?)?,
        asks: levels(field(data, "a")?)?,
    }))
}

fn trade(data: &Value) -> Result<Wire, Misread> {
    let maker_bought = field(data, "m")?.as_bool();
    let maker_bought = maker_bought.ok_or_else(|| Misread::Unreadable("m is neither true nor false".into()))?;
    let (price, quantity) = (number(field(data, "p")?)?, number(field(data, "q")?)?);
    if price <= 0.0 || quantity < 0.0 {
        let what = text(field(data, "s")?)?;
        return Err(Misread::Unreadable(format!("a trade of {quantity} {what} at {price} is none")));
    }
    let (symbol, time) = (symbol(field(data, "s")?)?, time_ms(field(data, "T")?)?);
    Ok(Wire::Trade(Trade { symbol, time, price, quantity, taker_bought: !maker_bought }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CandleFeed;
    use candlecast_core::{Interval, SeriesKey, Timestamp};

    #[test]
    fn messages_are_read_as_the_exchange_sends_them() {
        let kline = r#"{"stream":"nknusdt@kline_1m","data":{"e":"kline","E":1633998523963,"s":"NKNUSDT","k":{
            "t":1633998480000,"T":1633998539999,"s":"NKNUSDT","i":"1m","f":19862761,"L":19862790,"o":"0.35270000",
            "c":"0.35280000","h":"0.35280000","l":"0.35220000","v":"25877.00000000","n":30,"x":false,
            "q":"9116.04600000","V":"58.00000000","Q":"20.46240000","B":"0"}}}"#;
        match Binance::Spot.read_message(kline) {
            Ok(Some(Wire::Kline { symbol, interval, candle, closed: false, sent })) => {
                assert_eq!((symbol.as_str(), interval, candle.low), ("NKNUSDT", Interval::M1, 0.3522));
                assert_eq!(candle.open_time, Timestamp(1_633_998_480_000));
                assert_eq!(sent, Some(Timestamp(1_633_998_523_963)));
            }
            other => panic!("{other:?}"),
        }
        let depth = r#"{"stream":"akrousdt@depth@100ms","data":{"e":"depthUpdate","E":1626992741077,
            "T":1626992740974,"s":"AKROUSDT","U":600859599831,"u":600859599831,"pu":600859598737,"b":[],
            "a":[["0.01737","437848"]]}}"#;
        match Binance::UsdM.read_message(depth) {
            Ok(Some(Wire::Depth(d))) => {
                assert_eq!((d.first_id, d.previous_id), (600_859_599_831, Some(600_859_598_737)));
                assert_eq!(d.asks[0].quantity, 437_848.0);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(Binance::Spot.read_message(r#"{"result":null,"id":1}"#), Ok(None));
        assert!(Binance::Spot.read_message(&kline[..100]).is_err());
    }

    #[test]
    fn futures_books_and_candles_have_paths_of_their_own() {
        let symbol = Symbol::new("BTCUSDT").unwrap();
        let key = |b: Binance| SeriesKey::new(b.venue(), symbol.clone(), Interval::H1);
        let subscription = |b: Binance| Subscription {
            candles: vec![CandleFeed { key: key(b), since: None }],
            books: vec![symbol.clone()],
            trades: vec![],
        };
        let paths = |b: Binance| b.stream_paths(&subscription(b)).unwrap();
        assert_eq!(paths(Binance::Spot), ["/stream?streams=btcusdt@kline_1h/btcusdt@depth@100ms"]);
        assert_eq!(
            paths(Binance::UsdM),
            ["/market/stream?streams=btcusdt@kline_1h", "/public/stream?streams=btcusdt@depth@100ms"]
        );
    }
}
