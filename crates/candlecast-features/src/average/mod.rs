//! Moving averages, and distances of the close from them.

pub(crate) mod dema;
pub(crate) mod ema;
pub(crate) mod hma;
pub(crate) mod kama;
pub(crate) mod ma_cross;
pub(crate) mod scaled_ema_distance;
pub(crate) mod session_vwap;
pub(crate) mod sma;
pub(crate) mod tema;
pub(crate) mod vwap;
pub(crate) mod wma;
