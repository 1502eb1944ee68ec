//! Stochastic oscillator.

use ta_lib::MAType;

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, HighLow, Ranged, ta, ta_function};

ta_function!(Stoch { fast_k: i32, slow_k: i32, slow_k_average: MAType, slow_d: i32, slow_d_average: MAType } =
    stoch, stoch_lookback, stoch_open, StochStream, (high, low, close) -> 2 (k, d));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "stoch",
    group: Group::Momentum,
    summary: "slow stochastic %K and %D; missing where n candles have no range (TA-Lib gives a number)",
    unit: "0-100",
    formula: "k = SMA(100 * (close - min(low, n)) / (max(high, n) - min(low, n)), smooth), d = SMA(k, signal)",
    source: "TA-Lib STOCH; Lane",
    params: &[
        ParamRange::candles("n", 2, 10_000),
        ParamRange::candles("smooth", 1, 1_000),
        ParamRange::candles("signal", 1, 1_000),
    ],
    listed: &[&[14, 3, 3]],
    outputs: &["stoch_k", "stoch_d"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let function = Stoch {
            fast_k: p[0] as i32,
            slow_k: p[1] as i32,
            slow_k_average: MAType::SMA,
            slow_d: p[2] as i32,
            slow_d_average: MAType::SMA,
        };
        let smooth = p[1] as usize + p[2] as usize - 1;
        ta(ids, function, Ranged::new(HighLow, p[0] as usize, smooth), AsIs, Decay::Window)
    },
};
