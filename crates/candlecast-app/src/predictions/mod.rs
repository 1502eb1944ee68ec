//! The prediction log: forecasts as they were made, set beside what came true, and how the models did.
//!
//! A forecast is logged when it is made and never rewritten. Its outcome is added once the target candle is stored and
//! has closed, and anew when that candle is corrected. So the log says what a model was worth in use, where a backtest
//! says what it would have been.

mod accuracy;
mod list;
mod log;
mod patience;
mod reopen;
mod settle;

pub(crate) mod evidence;

pub use accuracy::{Accuracy, GroupAccuracy, ModelAccuracy};
pub use candlecast_meta::{
    Cursor, LoggedPrediction, MAX_PAGE, NewPrediction, Page, PageRequest, PredictionFilter, PredictionStatus,
    PredictionsOf,
};
pub use log::rows_of;
pub use settle::Settlement;

pub(crate) use settle::{LATE_CANDLES, outcome_price};
