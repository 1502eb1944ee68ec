//! Double exponential moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Dema { period: i32 } = dema, dema_lookback, dema_open, DemaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "dema",
    group: Group::Average,
    summary: "double exponential moving average",
    unit: "quote",
    formula: "2 EMA - EMA(EMA)",
    source: "TA-Lib DEMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["dema"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Dema { period: p[0] as i32 }, Always, AsIs, Decay::Ema(p[0], 2)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "dema_ratio",
    group: Group::Average,
    summary: "distance of the close from the double exponential moving average",
    unit: "share",
    formula: "close / dema - 1",
    source: "TA-Lib DEMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["dema_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Dema { period: p[0] as i32 }, Always, CloseOver, Decay::Ema(p[0], 2)),
};
