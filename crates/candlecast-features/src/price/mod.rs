//! Price: returns, candle shapes, distances, the input of the fast LSTM.

pub(crate) mod candle_logs;
pub(crate) mod candle_shape;
pub(crate) mod day_range;
pub(crate) mod extreme_distance;
pub(crate) mod gap;
pub(crate) mod momentum;
pub(crate) mod ohlcv;
pub(crate) mod returns;
pub(crate) mod roc;
