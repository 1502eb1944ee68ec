//! The prediction log: forecasts as they were made, set beside what came true, and how the models did.
//!
//! A forecast is logged when it is made and never rewritten, whatever its task. Its outcome is added once the target
//! candle is stored and has closed, and anew when that candle is corrected. So the log says what a model was worth in
//! use, where a backtest says what it would have been. Of predictions that were settled long ago sums by day are left,
//! which say the same.

pub mod doc;

mod accuracy;
mod list;
mod log;
#[cfg(test)]
mod made;
mod outcome;
mod roll_up;
mod serving;
mod settle;

pub use accuracy::{Gathered, gather, prediction_accuracy, range_accuracy, sum_up, task_accuracy};
pub use candlecast_meta::{
    ClassBorders, Cursor, DIRECTION_TASK, LoggedPrediction, MAX_PAGE, NewPrediction, PRICE_TASK, Page, PageRequest,
    PredictionFilter, PredictionId, PredictionStatus, PredictionsOf, PriceInterval, VOLATILITY_TASK,
};
pub use list::predictions;
pub use log::{MadeForecast, log_forecasts, rows_of};
pub use outcome::{Outcome, outcome};
pub use roll_up::{OldPredictions, RolledUp, roll_up_predictions};
pub use serving::{active_models, family, identity, load_active, load_serving, load_version, read_serving};
pub use settle::{
    LATE_CANDLES, Settlement, after_candles, count_pending_predictions, revalidate_predictions, settle_reopened,
    validate_predictions,
};
