//! [`PlanError`]: why data cannot be split as asked.

use candlecast_core::Timestamp;

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too little data.
    #[error(
        "{have} candles are too few: {need} are needed ({min_candles} to train on, the rest to forecast {horizon} steps and score them); import more, for example a longer file, or use a finer interval"
    )]
    TooFewCandles {
        /// There are.
        have: usize,
        /// Needed.
        need: usize,
        /// To train on.
        min_candles: usize,
        /// Steps ahead.
        horizon: usize,
    },
    /// The range asked for lies outside the data.
    #[error("{asked} has no candles: the data reach from {from} to {to}")]
    OutsideData {
        /// As asked.
        asked: String,
        /// First candle.
        from: Timestamp,
        /// End of the last candle.
        to: Timestamp,
    },
    /// Ranges that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}
