//! Time of day and week. The instant is the close of the candle, when its values become known.

pub(crate) mod clock;
pub(crate) mod seasonal_return;
