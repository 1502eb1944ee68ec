//! Windows over the newest candles, at O(1) amortised a candle whatever their length.

mod aggregate;
mod lag;
mod window;

pub(crate) use aggregate::{CoMoments, Extremes, Moments, Sums};
pub(crate) use lag::{Lag, Returns};
pub(crate) use window::{Aggregate, Window};
