//! The prediction log: every served prediction, validated when its target candle is there.

use async_trait::async_trait;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};

use crate::named::named;
use crate::{Cursor, MetaError, Page, PageRequest};

named! {
    /// Whether a prediction has met its outcome.
    PredictionStatus, "status", "pending, validated, unscorable" {
        /// The target candle is not there yet.
        Pending = "pending",
        /// Compared with the actual price.
        Validated = "validated",
        /// There is no actual price: the target candle is missing or filled.
        Unscorable = "unscorable",
    }
}

/// One step of one forecast. `(model, series, origin, step)` is its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPrediction {
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
    /// Predicted close, quote units.
    pub prediction: f64,
    /// Interval, quote units.
    pub interval: Option<PriceInterval>,
    /// Calibrated probability that the direction is right, 0 to 1.
    pub confidence: Option<f64>,
}

/// A prediction interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceInterval {
    /// Lower bound, quote units.
    pub lower: f64,
    /// Upper bound, quote units.
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
    /// Close of the target candle, once validated.
    pub actual: Option<f64>,
    /// Prediction minus actual, once validated.
    pub error: Option<f64>,
    /// When it was settled.
    pub validated_at: Option<Timestamp>,
}

/// What became of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// Which.
    pub id: PredictionId,
    /// Close of the target candle; `None` when there will be none.
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
    /// With this status.
    pub status: Option<PredictionStatus>,
    /// With a target time in this range.
    pub target: TimeRange,
}

impl Default for PredictionFilter {
    /// All of them.
    fn default() -> Self {
        Self { of: PredictionsOf::All, status: None, target: TimeRange::ALL }
    }
}

/// How a model's validated predictions did over a time. Shares are 0 to 1, `mape` in percent, errors in quote units.
#[derive(Debug, Clone, PartialEq)]
pub struct RollingAccuracy {
    /// The model.
    pub model_id: String,
    /// The series.
    pub series: SeriesKey,
    /// Validated predictions.
    pub n_predictions: u64,
    /// Mean absolute error.
    pub mae: f64,
    /// Mean absolute error of "the price stays" on the same targets.
    pub mae_naive: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error over the actual price, percent; `None` where all actual prices are zero.
    pub mape: Option<f64>,
    /// Share of right directions, ties left out; `None` without any.
    pub directional_accuracy: Option<f64>,
    /// Predictions with a direction, on both sides.
    pub n_directional: u64,
    /// Share of actual prices inside the interval; `None` without any interval.
    pub coverage: Option<f64>,
    /// Predictions with an interval.
    pub n_intervals: u64,
}

/// The log of predictions.
#[async_trait]
pub trait PredictionStore: Send + Sync {
    /// Logs predictions, all or none. One that is logged already is left as it is: history is not rewritten.
    /// Returns how many are new.
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

    /// Records outcomes, all or none; one that was settled before stays, unless it was
    /// [reopened](Self::reopen_predictions). Returns how many were pending.
    async fn settle_predictions(&self, settled: &[Settled], now: Timestamp) -> Result<u64, MetaError>;

    /// Lets settled predictions of `series` with a target time in `target` wait for their outcome again, as if they
    /// had never met it: candles there have changed. Returns how many there were. Repeating it is harmless: those
    /// whose candle is as it was are settled as they were.
    async fn reopen_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError>;

    /// Accuracy by model and series over predictions with a target time in `target`, optionally of one step ahead.
    async fn rolling_accuracy(
        &self,
        of: &PredictionsOf,
        target: TimeRange,
        step: Option<u32>,
    ) -> Result<Vec<RollingAccuracy>, MetaError>;

    /// Forgets settled predictions with a target time before `before`; returns how many.
    async fn forget_predictions(&self, before: Timestamp) -> Result<u64, MetaError>;
}

impl LoggedPrediction {
    /// Where a list goes on behind this one.
    pub fn cursor(&self) -> Cursor {
        Cursor { time_ms: self.made.target_time.ms(), seq: self.id.0 }
    }
}
