//! Volume and money flow.

pub(crate) mod ad;
pub(crate) mod adosc;
pub(crate) mod cmf;
pub(crate) mod ease_of_movement;
pub(crate) mod force_index;
pub(crate) mod log_volume_ratio;
pub(crate) mod obv;
pub(crate) mod obv_flow;
pub(crate) mod quote_per_trade;
pub(crate) mod return_times_volume;
pub(crate) mod taker_buy_share;
pub(crate) mod volume_ema_ratio;
pub(crate) mod volume_momentum;
pub(crate) mod volume_ratio;
pub(crate) mod volume_weighted_return;
pub(crate) mod volume_zscore;
