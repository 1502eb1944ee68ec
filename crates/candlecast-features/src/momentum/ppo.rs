//! Percentage price oscillator.

use ta_lib::MAType;

use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Ppo { fast: i32, slow: i32, average: MAType } =
    ppo, ppo_lookback, ppo_open, PpoStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ppo",
    group: Group::Momentum,
    summary: "percentage price oscillator of exponential averages",
    unit: "percent",
    formula: "100 * (EMA(fast) - EMA(slow)) / EMA(slow)",
    source: "TA-Lib PPO",
    params: &[ParamRange::candles("fast", 2, 1_000), ParamRange::candles("slow", 3, 5_000)],
    listed: &[&[12, 26]],
    outputs: &["ppo"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        let function = Ppo { fast: p[0] as i32, slow: p[1] as i32, average: MAType::EMA };
        ta(ids, function, Always, AsIs, Decay::Ema(p[1], 1))
    },
};
