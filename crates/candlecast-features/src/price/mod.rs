//! Price: returns, candle shapes, distances, the input of the fast LSTM.

pub(crate) mod candle_logs;
pub(crate) mod candle_shape;
pub(crate) mod close_location;
pub(crate) mod day_range;
pub(crate) mod extreme_distance;
pub(crate) mod gap;
pub(crate) mod momentum;
pub(crate) mod ohlcv;
pub(crate) mod range_position;
pub(crate) mod returns;
pub(crate) mod roc;
pub(crate) mod scaled_return;
pub(crate) mod scaled_return_lag;
pub(crate) mod signed_square_return;
pub(crate) mod wick_balance;
