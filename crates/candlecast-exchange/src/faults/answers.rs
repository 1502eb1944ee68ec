//! REST answers, told apart by path.

use candlecast_core::{Candle, TimeRange, Timestamp};

use super::market::{Market, UNSETTLED_MS};
use super::messages;
use super::plan::Dice;
use crate::OrderBook;

/// An answer and what it costs by the exchange's documentation.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) weight: u32,
}

impl Answer {
    fn ok(body: String, weight: u32) -> Self {
        Self { status: 200, body, weight }
    }

    fn refused(message: &str) -> Self {
        Self { status: 400, body: format!(r#"{{"code":-1121,"msg":"{message}"}}"#), weight: 1 }
    }
}

/// Path and query of a request.
#[derive(Debug)]
pub(super) struct Target<'a> {
    path: &'a str,
    query: &'a str,
}

impl<'a> Target<'a> {
    pub(super) fn new(target: &'a str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { path, query }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.query.split('&').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == name).map(|(_, v)| v))
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }
}

/// What the server knows when it answers.
pub(super) struct Scene<'a> {
    pub(super) market: &'a Market,
    pub(super) book: &'a OrderBook,
    pub(super) now: Timestamp,
    /// Set when the rows are to be sent in disorder.
    pub(super) disorder: Option<&'a mut Dice>,
}

impl Scene<'_> {
    pub(super) fn answer(&mut self, target: &Target<'_>) -> Answer {
        let now = self.now.ms();
        let step = self.market.series.key().interval.ms();
        match target.path {
            "/api/v3/time" | "/fapi/v1/time" => Answer::ok(format!(r#"{{"serverTime":{now}}}"#), 1),
            "/v5/market/time" => Answer::ok(messages::bybit(&[], self.now), 1),
            "/0/public/Time" => Answer::ok(format!(r#"{{"error":[],"result":{{"unixtime":{}}}}}"#, now / 1_000), 1),
            "/time" => Answer::ok(format!(r#"{{"iso":"{}"}}"#, self.now), 1),
            "/api/v3/depth" => Answer::ok(messages::snapshot(self.book), 50),
            "/fapi/v1/depth" => Answer::ok(messages::snapshot(self.book), 20),
            "/api/v3/klines" | "/fapi/v1/klines" if !self.knows(target) => Answer::refused("Invalid symbol."),
            "/api/v3/klines" => Answer::ok(messages::binance(&self.binance(target), step), 2),
            "/fapi/v1/klines" => {
                let weight = match target.number("limit").unwrap_or(500) {
                    ..100 => 1,
                    100..500 => 2,
                    500..=1_000 => 5,
                    _ => 10,
                };
                Answer::ok(messages::binance(&self.binance(target), step), weight)
            }
            "/v5/market/kline" => {
                let range = Self::range(target.number("start"), target.number("end").map(|t| t + 1));
                Answer::ok(messages::bybit(&self.newest(range, 1_000), self.now), 1)
            }
            "/0/public/OHLC" => {
                let newest = self.newest(TimeRange::ALL, 720);
                let since = target.number("since").unwrap_or(0) * 1_000;
                let rows: Vec<Candle> = newest.into_iter().filter(|c| c.open_time.ms() > since).collect();
                Answer::ok(messages::kraken(&rows), 1)
            }
            path if path.starts_with("/products/") => self.coinbase(target),
            _ => Answer { status: 404, body: "not here".to_owned(), weight: 1 },
        }
    }

    fn knows(&self, target: &Target<'_>) -> bool {
        let key = self.market.series.key();
        let interval = key.interval.to_string();
        target.get("symbol") == Some(key.symbol.as_str()) && target.get("interval") == Some(interval.as_str())
    }

    fn binance(&mut self, target: &Target<'_>) -> Vec<Candle> {
        let limit = target.number("limit").unwrap_or(500) as usize;
        let mut rows = self.shown(Self::range(target.number("startTime"), None));
        rows.truncate(limit);
        self.arranged(rows)
    }

    fn coinbase(&mut self, target: &Target<'_>) -> Answer {
        let time = |name: &str| target.get(name).and_then(|t| Timestamp::parse(t).ok()).map(Timestamp::ms);
        let (start, end) = (time("start"), time("end"));
        let step = self.market.series.key().interval.ms();
        let points = start.zip(end).map_or(0, |(a, b)| (b - a) / step);
        if points > 300 {
            return Answer::refused("granularity too small for the requested time range");
        }
        let range = Self::range(start, end.map(|t| t + 1));
        Answer::ok(messages::coinbase(&self.newest(range, 300)), 1)
    }

    fn range(from: Option<i64>, to: Option<i64>) -> TimeRange {
        let all = TimeRange::ALL;
        TimeRange { from: from.map_or(all.from, Timestamp), to: to.map_or(all.to, Timestamp) }
    }

    fn newest(&mut self, range: TimeRange, limit: usize) -> Vec<Candle> {
        let mut rows = self.shown(range);
        let surplus = rows.len().saturating_sub(limit);
        rows.drain(..surplus);
        self.arranged(rows)
    }

    /// Candles of `range` as they look now: the last ones unfinished.
    fn shown(&self, range: TimeRange) -> Vec<Candle> {
        let series = &self.market.series;
        let step = series.key().interval.ms();
        let part = series.between(range);
        (0..part.len())
            .map(|i| part.candle(i))
            .take_while(|c| c.open_time <= self.now)
            .map(|c| {
                let settled = c.open_time.ms() + step + UNSETTLED_MS <= self.now.ms();
                if settled { c } else { messages::unfinished(&c) }
            })
            .collect()
    }

    fn arranged(&mut self, rows: Vec<Candle>) -> Vec<Candle> {
        match &mut self.disorder {
            Some(dice) if !rows.is_empty() => dice.disorder(&rows),
            _ => rows,
        }
    }
}
