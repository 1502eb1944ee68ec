//! Stochastic of the relative strength index.

use ta_lib::MAType;

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Close, Decay, Ranged, ta, ta_function};

ta_function!(Stochrsi { rsi: i32, fast_k: i32, fast_d: i32, average: MAType } =
    stochrsi, stochrsi_lookback, stochrsi_open, StochrsiStream, (close) -> 2 (k, d));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "stoch_rsi",
    group: Group::Momentum,
    summary: "fast stochastic of RSI; missing where the close does not move over k candles (TA-Lib gives a number)",
    unit: "0-100",
    formula: "k = 100 * (RSI - min(RSI, k)) / (max(RSI, k) - min(RSI, k)), d = SMA(k, d)",
    source: "TA-Lib STOCHRSI; Chande and Kroll 1994",
    params: &[
        ParamRange::candles("rsi", 2, 1_000),
        ParamRange::candles("k", 2, 1_000),
        ParamRange::candles("d", 1, 1_000),
    ],
    listed: &[&[14, 14, 3]],
    outputs: &["stoch_rsi_k", "stoch_rsi_d"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let function = Stochrsi { rsi: p[0] as i32, fast_k: p[1] as i32, fast_d: p[2] as i32, average: MAType::SMA };
        ta(ids, function, Ranged::new(Close, p[1] as usize, p[2] as usize), AsIs, Decay::Wilder(p[0], 1))
    },
};
