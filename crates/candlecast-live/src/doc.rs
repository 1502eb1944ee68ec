//! Documents of `fetch` and `stream`. A stream prints one document a line, told apart by `event`.

use candlecast_core::{GapsDoc, TimeRange, Timestamp};
use candlecast_pipeline::doc::OutlookDoc;
use serde::Serialize;

use crate::event::{LiveForecast, StreamEvent, StreamOpened, StreamSummary, StreamedCandle};
use crate::fetch::Fetched;

/// One fetched series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchDoc {
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Candles that the exchange sent and that are stored.
    pub received: usize,
    /// Those of them that were not stored before.
    pub added: usize,
    /// Candles that the exchange sent but that are not valid, left out.
    pub rejected: usize,
    /// Start of what was asked for but is older than what the exchange hands out.
    pub out_of_reach_from: Option<Timestamp>,
    /// Its end.
    pub out_of_reach_to: Option<Timestamp>,
    /// Candles stored now.
    pub rows: usize,
    /// First open time stored now.
    pub from: Option<Timestamp>,
    /// Close of the last candle stored now.
    pub to: Option<Timestamp>,
    /// What is missing between them.
    pub gaps: GapsDoc,
    /// Requests sent to the exchange.
    pub requests: u64,
    /// False when every candle was stored already.
    pub changed: bool,
}

impl From<&Fetched> for FetchDoc {
    fn from(f: &Fetched) -> Self {
        let from = |range: Option<TimeRange>| range.map(|r| r.from);
        let to = |range: Option<TimeRange>| range.map(|r| r.to);
        Self {
            venue: f.key.venue.to_string(),
            symbol: f.key.symbol.to_string(),
            interval: f.key.interval.to_string(),
            received: f.received,
            added: f.added,
            rejected: f.rejected,
            out_of_reach_from: from(f.out_of_reach),
            out_of_reach_to: to(f.out_of_reach),
            rows: f.rows,
            from: from(f.stored),
            to: to(f.stored),
            gaps: f.gaps.into(),
            requests: f.requests,
            changed: f.changed.is_some(),
        }
    }
}

/// A line of a stream.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum StreamDoc {
    /// The stream begins.
    Opened(StreamOpenedDoc),
    /// A candle has closed and is stored.
    Candle(StreamedCandleDoc),
    /// A forecast from a candle that has just closed.
    Forecast(LiveForecastDoc),
    /// Candles that the exchange's history lacks.
    Missing {
        /// First open time that is missing.
        from: Timestamp,
        /// First open time that is not.
        to: Timestamp,
        /// How many there are.
        candles: u64,
    },
    /// Logged predictions have met their outcomes.
    Settled {
        /// Compared with the actual price.
        validated: u64,
        /// Without an outcome for ever.
        unscorable: u64,
    },
    /// Best prices of the order book.
    Book(BookDoc),
    /// The exchange is connected.
    Connected {},
    /// The connection was cut; it is made anew.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// An attempt has failed and is made again.
    Retrying {
        /// `exchange`, `store` or `log`.
        part: &'static str,
        /// Why.
        reason: String,
    },
    /// What failed works again.
    Healed {
        /// `exchange`, `store` or `log`.
        part: &'static str,
        /// Attempts that had failed.
        tries: u64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// Forecasts that were told of will not be in the log.
    Unlogged {
        /// How many.
        forecasts: u64,
        /// Why.
        reason: String,
    },
    /// The stream has ended.
    Summary(StreamSummaryDoc),
}

/// The beginning of a stream.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamOpenedDoc {
    /// Venue under which candles are stored.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Candles of the past that the models begin with.
    pub history: usize,
    /// Ids of the models.
    pub models: Vec<String>,
    /// What to know before the forecasts are used.
    pub remarks: Vec<String>,
}

/// A candle. Prices in quote units, volume in base units.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamedCandleDoc {
    /// Venue under which it is stored.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// First instant.
    pub open_time: Timestamp,
    /// First instant after it.
    pub close_time: Timestamp,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume.
    pub volume: f64,
    /// True when it came from history, because the stream had missed it.
    pub backfilled: bool,
}

/// A forecast.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveForecastDoc {
    /// Venue of the series.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Kebab-case id of the model's type.
    pub model: String,
    /// Its version.
    pub model_version: String,
    /// Its id.
    pub model_id: String,
    /// Close of the candle that it was made from.
    pub origin: Timestamp,
    /// Price there.
    pub origin_price: f64,
    /// When it was made, by the exchange's clock.
    pub made_at: Timestamp,
    /// Share of outcomes that intervals are to cover.
    pub interval_level: f64,
    /// True when the model learnt from candles after the origin.
    pub seen_future: bool,
    /// True when it was made before its first target candle closed.
    pub in_time: bool,
    /// What it says.
    #[serde(flatten)]
    pub outlook: OutlookDoc,
}

/// Best prices.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookDoc {
    /// Symbol.
    pub symbol: String,
    /// When the book changed; null for a snapshot without a time.
    pub time: Option<Timestamp>,
    /// Highest bid, in quote units.
    pub bid: Option<f64>,
    /// What is offered at it, in base units.
    pub bid_quantity: Option<f64>,
    /// Lowest ask, in quote units.
    pub ask: Option<f64>,
    /// What is offered at it, in base units.
    pub ask_quantity: Option<f64>,
}

/// What a stream came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamSummaryDoc {
    /// Venue under which candles were stored.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// `interrupted`, `time-over` or `exhausted`.
    pub ended: String,
    /// Candles stored.
    pub candles: u64,
    /// Those of them that the stream had missed.
    pub backfilled: u64,
    /// Candles that the exchange's history lacks.
    pub missing: u64,
    /// Forecasts made.
    pub forecasts: u64,
    /// Predictions logged that were not logged before, one a step.
    pub logged: u64,
    /// Forecasts not logged, since the log failed for too long or did not take them.
    pub unlogged: u64,
    /// Forecasts not logged, since their model has seen the future of their origin.
    pub seen_future: u64,
    /// Forecasts not logged, since they were made when their first target was known.
    pub too_late: u64,
    /// Predictions compared with the actual price.
    pub validated: u64,
    /// Predictions without an outcome for ever.
    pub unscorable: u64,
    /// Times that the connection was lost.
    pub disconnects: u64,
    /// Attempts at the exchange, the store or the log that failed and were made again.
    pub retries: u64,
    /// Seconds it took.
    pub seconds: f64,
}

impl From<&StreamEvent> for StreamDoc {
    fn from(event: &StreamEvent) -> Self {
        match event {
            StreamEvent::Opened(opened) => Self::Opened(opened.into()),
            StreamEvent::Candle(candle) => Self::Candle(candle.into()),
            StreamEvent::Forecast(forecast) => Self::Forecast(forecast.into()),
            StreamEvent::Settled { validated, unscorable } => {
                Self::Settled { validated: *validated, unscorable: *unscorable }
            }
            StreamEvent::Book(top) => Self::Book(BookDoc {
                symbol: top.symbol.to_string(),
                time: top.time,
                bid: top.bid.map(|level| level.price),
                bid_quantity: top.bid.map(|level| level.quantity),
                ask: top.ask.map(|level| level.price),
                ask_quantity: top.ask.map(|level| level.quantity),
            }),
            StreamEvent::Missing { range, candles } => {
                Self::Missing { from: range.from, to: range.to, candles: *candles }
            }
            StreamEvent::Connected => Self::Connected {},
            StreamEvent::Disconnected { reason } => Self::Disconnected { reason: reason.clone() },
            StreamEvent::Retrying { part, reason } => Self::Retrying { part: part.as_str(), reason: reason.clone() },
            StreamEvent::Healed { part, tries, seconds } => {
                Self::Healed { part: part.as_str(), tries: *tries, seconds: *seconds }
            }
            StreamEvent::Unlogged { forecasts, reason } => {
                Self::Unlogged { forecasts: *forecasts, reason: reason.clone() }
            }
        }
    }
}

impl From<&StreamSummary> for StreamDoc {
    fn from(summary: &StreamSummary) -> Self {
        Self::Summary(summary.into())
    }
}

impl From<&StreamOpened> for StreamOpenedDoc {
    fn from(opened: &StreamOpened) -> Self {
        Self {
            venue: opened.key.venue.to_string(),
            symbol: opened.key.symbol.to_string(),
            interval: opened.key.interval.to_string(),
            history: opened.history,
            models: opened.models.iter().map(|model| model.id.clone()).collect(),
            remarks: opened.remarks.clone(),
        }
    }
}

impl From<&StreamedCandle> for StreamedCandleDoc {
    fn from(streamed: &StreamedCandle) -> Self {
        let (key, candle) = (&streamed.key, &streamed.candle);
        Self {
            venue: key.venue.to_string(),
            symbol: key.symbol.to_string(),
            interval: key.interval.to_string(),
            open_time: candle.open_time,
            close_time: candle.open_time.plus_ms(key.interval.ms()),
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
            backfilled: streamed.backfilled,
        }
    }
}

impl From<&LiveForecast> for LiveForecastDoc {
    fn from(live: &LiveForecast) -> Self {
        let (key, forecast) = (&live.forecast.key, &live.forecast);
        Self {
            venue: key.venue.to_string(),
            symbol: key.symbol.to_string(),
            interval: key.interval.to_string(),
            model: live.model.model.clone(),
            model_version: live.model.version.clone(),
            model_id: live.model.id.clone(),
            origin: forecast.origin,
            origin_price: forecast.origin_price,
            made_at: live.made_at,
            interval_level: forecast.level,
            seen_future: live.has_seen_future(),
            in_time: live.in_time,
            outlook: OutlookDoc::from(forecast),
        }
    }
}

impl From<&StreamSummary> for StreamSummaryDoc {
    fn from(s: &StreamSummary) -> Self {
        Self {
            venue: s.key.venue.to_string(),
            symbol: s.key.symbol.to_string(),
            interval: s.key.interval.to_string(),
            ended: s.ended.as_str().to_owned(),
            candles: s.candles,
            backfilled: s.backfilled,
            missing: s.missing,
            forecasts: s.forecasts,
            logged: s.logged,
            unlogged: s.unlogged,
            seen_future: s.seen_future,
            too_late: s.too_late,
            validated: s.validated,
            unscorable: s.unscorable,
            disconnects: s.disconnects,
            retries: s.retries,
            seconds: s.seconds,
        }
    }
}
