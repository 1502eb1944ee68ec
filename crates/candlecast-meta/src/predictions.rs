//! The prediction log: every served prediction, validated when its target candle is there.

use async_trait::async_trait;
use candlecast_core::{Action, Move, SeriesKey, TimeRange, Timestamp};

use crate::named::named;
use crate::{Cursor, MetaError, Page, PageRequest};

named! {
    /// Whether a prediction has met its outcome.
    PredictionStatus, "status", "pending, validated, unscorable" {
        /// The target candle is not there yet.
        Pending = "pending",
        /// Compared with what came true.
        Validated = "validated",
        /// There is nothing to compare with: a candle that the outcome depends on is missing or filled.
        Unscorable = "unscorable",
    }
}

/// The task of predictions of a price, as rows name it.
pub const PRICE_TASK: &str = "price";
/// The task of predictions of a class.
pub const DIRECTION_TASK: &str = "direction";
/// The task of predictions of a volatility.
pub const VOLATILITY_TASK: &str = "volatility";

/// One step of a price forecast, or the whole of another one. `(model, series, origin, step)` is its identity, a model
/// being of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPrediction {
    /// What is predicted: [`PRICE_TASK`], [`DIRECTION_TASK`] or [`VOLATILITY_TASK`].
    pub task: String,
    /// The model.
    pub model_id: String,
    /// The series.
    pub series: SeriesKey,
    /// Close instant of the candle it was made from.
    pub origin: Timestamp,
    /// Steps ahead, from 1.
    pub step: u32,
    /// Close instant of the target candle.
    pub target_time: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
    /// Close at the origin, quote units.
    pub base_price: f64,
    /// Predicted close, quote units; the class as its [`class_number`]; or the volatility over all steps, the root of
    /// the summed squared log returns.
    pub prediction: f64,
    /// Interval, in the unit of the prediction; a class has none.
    pub interval: Option<PriceInterval>,
    /// What separates the classes; only and always with a class.
    pub borders: Option<ClassBorders>,
    /// Calibrated probability that the direction or the class is right, 0 to 1.
    pub confidence: Option<f64>,
    /// Where the price is to go, which may be told where the predicted close stays that of the origin; only with a price,
    /// and `None` in records of older programs: then it is the side of `base_price` that `prediction` lies on.
    pub direction: Option<Move>,
}

/// Prices that separate the classes of one prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassBorders {
    /// A close at or below it is SELL, quote units.
    pub sell_at: f64,
    /// A close at or above it is BUY, quote units.
    pub buy_at: f64,
}

/// A prediction interval, in the unit of what is predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceInterval {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Coverage it aims at, 0 to 1.
    pub level: f64,
}

/// Names a logged prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PredictionId(pub i64);

/// A prediction as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedPrediction {
    /// Its name.
    pub id: PredictionId,
    /// What was predicted.
    pub made: NewPrediction,
    /// Whether it has met its outcome.
    pub status: PredictionStatus,
    /// What came true, once validated: the close of the target candle, also for a class; the realised volatility for a
    /// volatility.
    pub actual: Option<f64>,
    /// Prediction minus actual, once validated; a class has none.
    pub error: Option<f64>,
    /// When it was settled.
    pub validated_at: Option<Timestamp>,
}

/// What became of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Which.
    pub id: PredictionId,
    /// What came true, as [`LoggedPrediction::actual`]; `None` when there will be nothing to compare with.
    pub actual: Option<f64>,
}

/// Whose predictions are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PredictionsOf {
    /// All.
    #[default]
    All,
    /// One model's.
    Model(String),
    /// Those on one series.
    Series(SeriesKey),
}

/// Which predictions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionFilter {
    /// Whose.
    pub of: PredictionsOf,
    /// Of this task.
    pub task: Option<String>,
    /// With this status.
    pub status: Option<PredictionStatus>,
    /// With a target time in this range.
    pub target: TimeRange,
}

impl Default for PredictionFilter {
    /// All of them.
    fn default() -> Self {
        Self { of: PredictionsOf::All, task: None, status: None, target: TimeRange::ALL }
    }
}

/// The log of predictions.
#[async_trait]
pub trait PredictionStore: Send + Sync {
    /// Logs predictions, all or none. One that is logged already is left as it is: history is not rewritten. So is one
    /// of a model, series and day of the target of which predictions were [rolled up](crate::RollUpStore): it may be
    /// among them. Returns how many are new.
    async fn append_predictions(&self, predictions: &[NewPrediction]) -> Result<u64, MetaError>;

    /// Predictions, last target first.
    async fn predictions(
        &self,
        filter: &PredictionFilter,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError>;

    /// Pending predictions whose target time is not after `now`, first target first.
    async fn due_predictions(
        &self,
        of: &PredictionsOf,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError>;

    /// How many predictions are pending; no more than `at_most` are counted.
    async fn count_pending(&self, at_most: u64) -> Result<u64, MetaError>;

    /// Records outcomes, all or none; one that was settled before stays, unless it was
    /// [reopened](Self::reopen_predictions). Returns how many were pending.
    async fn settle_predictions(&self, settled: &[Settled], now: Timestamp) -> Result<u64, MetaError>;

    /// Lets settled predictions of `series` wait for their outcome again, as if they had never met it: candles that
    /// close in `target` have changed. They are those with a target time there, and volatilities that reach over it.
    /// Returns how many there were. Repeating it is harmless: those whose candles are as they were are settled as they
    /// were. Of those that were rolled up the days are [marked](crate::PredictionDay::corrected).
    async fn reopen_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError>;

    /// [`reopen_predictions`](Self::reopen_predictions) where it is not known that any candle has changed: no day is
    /// marked.
    async fn recheck_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError>;
}

impl LoggedPrediction {
    /// Where a list goes on behind this one.
    pub fn cursor(&self) -> Cursor {
        Cursor { time_ms: self.made.target_time.ms(), seq: self.id.0 }
    }

    /// The class that came true, where a class was predicted and has met its outcome.
    pub fn actual_class(&self) -> Option<Action> {
        Some(self.made.borders?.class(self.actual?))
    }
}

impl NewPrediction {
    /// The class that is predicted; `None` for other tasks.
    pub fn class(&self) -> Option<Action> {
        let is_class = self.task == DIRECTION_TASK;
        Action::ALL.into_iter().find(|&class| is_class && class_number(class) == self.prediction)
    }
}

impl ClassBorders {
    /// The class of a close.
    pub fn class(self, close: f64) -> Action {
        if close <= self.sell_at {
            Action::Sell
        } else if close >= self.buy_at {
            Action::Buy
        } else {
            Action::Hold
        }
    }
}

/// A class as [`NewPrediction::prediction`]: -1 SELL, 0 HOLD, 1 BUY.
pub fn class_number(class: Action) -> f64 {
    match class {
        Action::Sell => -1.0,
        Action::Hold => 0.0,
        Action::Buy => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_on_a_border_lies_beyond_it() {
        let borders = ClassBorders { sell_at: 99.0, buy_at: 101.0 };
        let classes = [98.0, 99.0, 99.5, 101.0, 102.0].map(|close| borders.class(close));
        assert_eq!(classes, [Action::Sell, Action::Sell, Action::Hold, Action::Buy, Action::Buy]);
        assert_eq!(Action::ALL.map(class_number), [-1.0, 0.0, 1.0]);
    }
}
