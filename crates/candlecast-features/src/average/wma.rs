//! Linearly weighted moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Wma { period: i32 } = wma, wma_lookback, wma_open, WmaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "wma",
    group: Group::Average,
    summary: "linearly weighted moving average",
    unit: "quote",
    formula: "sum(i * close[t-n+i], i = 1..n) / (n (n + 1) / 2)",
    source: "TA-Lib WMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["wma"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Wma { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "wma_ratio",
    group: Group::Average,
    summary: "distance of the close from the linearly weighted moving average",
    unit: "share",
    formula: "close / wma - 1",
    source: "TA-Lib WMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["wma_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Wma { period: p[0] as i32 }, Always, CloseOver, Decay::Window),
};
