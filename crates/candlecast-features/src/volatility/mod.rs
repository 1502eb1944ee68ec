//! Volatility: ranges, bands and estimates. Estimates are annualised by the candles of a year of 365 days.

pub(crate) mod atr;
pub(crate) mod bollinger;
pub(crate) mod donchian;
pub(crate) mod ewma;
pub(crate) mod garman_klass;
pub(crate) mod keltner;
pub(crate) mod log_vol_ratio;
pub(crate) mod natr;
pub(crate) mod parkinson;
pub(crate) mod realized;
pub(crate) mod return_third_moment;
pub(crate) mod return_vol_ratio;
pub(crate) mod rogers_satchell;
pub(crate) mod semivariance;
pub(crate) mod vol_of_vol;
pub(crate) mod yang_zhang;
