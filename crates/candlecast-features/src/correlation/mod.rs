//! Correlations of returns with volume and with themselves.

pub(crate) mod autocorrelation;
pub(crate) mod hurst;
pub(crate) mod price_volume;
