//! Momentum: oscillators.

pub(crate) mod ao;
pub(crate) mod bop;
pub(crate) mod cci;
pub(crate) mod cmo;
pub(crate) mod macd;
pub(crate) mod mfi;
pub(crate) mod ppo;
pub(crate) mod return_sign_ema;
pub(crate) mod rsi;
pub(crate) mod stoch;
pub(crate) mod stoch_rsi;
pub(crate) mod trix;
pub(crate) mod ultosc;
pub(crate) mod willr;
