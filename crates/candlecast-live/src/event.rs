//! [`StreamEvent`]: what a stream tells, and [`StreamSummary`]: what it came to.

use std::sync::Arc;

use candlecast_core::{Candle, Forecast, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::BookTop;
use candlecast_pipeline::ModelLabel;

/// Hears of a stream. An error ends the stream; what was told before is stored all the same.
pub trait Listener: Send + Sync {
    /// `event` has happened. Candles are told of once they are stored, forecasts once they are logged, or while the log
    /// fails, as was told before.
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem>;
}

/// The stream begins.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamOpened {
    /// Series under which candles are stored.
    pub key: Arc<SeriesKey>,
    /// Candles of the past that the models begin with.
    pub history: usize,
    /// The models, in the order asked for.
    pub models: Vec<Arc<ModelLabel>>,
    /// What to know before the forecasts are used, for people.
    pub remarks: Vec<String>,
}

/// A candle that has closed and is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedCandle {
    /// Its series.
    pub key: Arc<SeriesKey>,
    /// The candle.
    pub candle: Candle,
    /// True when it came from history, because the stream had missed it.
    pub backfilled: bool,
    /// When it came, by the exchange's clock.
    pub at: Timestamp,
}

/// A forecast made from a candle that has just closed.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveForecast {
    /// The model.
    pub model: Arc<ModelLabel>,
    /// The forecast.
    pub forecast: Forecast,
    /// When it was made, by the exchange's clock.
    pub made_at: Timestamp,
    /// True when it was made before its first target candle closed; one made later is not logged.
    pub in_time: bool,
}

impl LiveForecast {
    /// True when the model learnt from candles after the origin: it has seen what it forecasts. Such a forecast is not
    /// logged.
    pub fn has_seen_future(&self) -> bool {
        self.model.trained_to > self.forecast.origin
    }

    /// True when the prediction log takes it.
    pub fn is_loggable(&self) -> bool {
        self.in_time && !self.has_seen_future()
    }
}

/// What a stream depends on, and waits for when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The exchange: the network, its limits, a firewall before it.
    Exchange,
    /// The store of candles.
    Store,
    /// The prediction log.
    Log,
}

impl Part {
    /// In a word, as documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Store => "store",
            Self::Log => "log",
        }
    }
}

/// What happens in a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// It begins.
    Opened(StreamOpened),
    /// A candle is stored.
    Candle(StreamedCandle),
    /// A forecast was made, and logged if it is loggable; while the log fails it waits to be.
    Forecast(LiveForecast),
    /// The exchange's history lacks candles; they are not waited for.
    Missing {
        /// First open time that is missing, and the first that is not.
        range: TimeRange,
        /// How many there are.
        candles: u64,
    },
    /// Predictions have met their outcomes.
    Settled {
        /// Compared with the actual price.
        validated: u64,
        /// Without an outcome for ever.
        unscorable: u64,
    },
    /// The best prices of the order book.
    Book(BookTop),
    /// The exchange is connected.
    Connected,
    /// The connection was cut; it is made anew.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// An attempt has failed; it is made again, with growing pauses. No candle is lost by it.
    Retrying {
        /// What failed.
        part: Part,
        /// Why.
        reason: String,
    },
    /// What failed works again.
    Healed {
        /// What.
        part: Part,
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
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Interrupted,
    /// The time asked for is over.
    TimeOver,
    /// The replayed files are through.
    Exhausted,
}

impl Ended {
    /// In a word, as documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::TimeOver => "time-over",
            Self::Exhausted => "exhausted",
        }
    }
}

/// What a stream came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSummary {
    /// Series under which candles were stored.
    pub key: SeriesKey,
    /// Why it ended.
    pub ended: Ended,
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
    /// Predictions without an outcome for ever: the target candle is missing, or stood still.
    pub unscorable: u64,
    /// Times that the connection was lost.
    pub disconnects: u64,
    /// Attempts at the exchange, the store or the log that failed and were made again.
    pub retries: u64,
    /// Seconds it took.
    pub seconds: f64,
}
