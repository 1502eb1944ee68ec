//! Exponential moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Ema { period: i32 } = ema, ema_lookback, ema_open, EmaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20], &[5], &[10], &[50]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "ema",
    group: Group::Average,
    summary: "exponential moving average",
    unit: "quote",
    formula: "EMA with k = 2 / (n + 1), seeded by the mean of the first n closes",
    source: "TA-Lib EMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["ema"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Ema { period: p[0] as i32 }, Always, AsIs, Decay::Ema(p[0], 1)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "ema_ratio",
    group: Group::Average,
    summary: "distance of the close from the exponential moving average",
    unit: "share",
    formula: "close / ema - 1",
    source: "TA-Lib EMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["ema_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Ema { period: p[0] as i32 }, Always, CloseOver, Decay::Ema(p[0], 1)),
};
