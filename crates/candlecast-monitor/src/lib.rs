//! The prediction log: forecasts as they were made, set beside what came true, and how the models did.
//!
//! A forecast is logged when it is made and never rewritten. Its outcome is added once the target candle is stored and
//! has closed, and anew when that candle is corrected. So the log says what a model was worth in use, where a backtest
//! says what it would have been.

pub mod doc;

mod accuracy;
mod list;
mod log;
mod serving;
mod settle;

pub use accuracy::prediction_accuracy;
pub use candlecast_meta::{
    Cursor, LoggedPrediction, MAX_PAGE, NewPrediction, Page, PageRequest, PredictionFilter, PredictionStatus,
    PredictionsOf,
};
pub use list::predictions;
pub use log::{MadeForecast, log_forecasts, rows_of};
pub use serving::{active_models, identity, load_active};
pub use settle::{
    LATE_CANDLES, Settlement, after_candles, count_pending_predictions, outcome_price, revalidate_predictions,
    validate_predictions,
};
