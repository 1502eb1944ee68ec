//! Trend: direction and its strength.

pub(crate) mod adx;
pub(crate) mod aroon;
pub(crate) mod aroon_osc;
pub(crate) mod efficiency;
pub(crate) mod ichimoku;
pub(crate) mod linreg_r2;
pub(crate) mod linreg_slope;
pub(crate) mod minus_di;
pub(crate) mod plus_di;
pub(crate) mod sar;
pub(crate) mod supertrend;
pub(crate) mod trend_strength;
pub(crate) mod vortex;
