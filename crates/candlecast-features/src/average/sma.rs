//! Simple moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Sma { period: i32 } = sma, sma_lookback, sma_open, SmaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20], &[5], &[10], &[50]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "sma",
    group: Group::Average,
    summary: "simple moving average",
    unit: "quote",
    formula: "mean(close, n)",
    source: "TA-Lib SMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["sma"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Sma { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "sma_ratio",
    group: Group::Average,
    summary: "distance of the close from the simple moving average",
    unit: "share",
    formula: "close / sma - 1",
    source: "TA-Lib SMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["sma_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Sma { period: p[0] as i32 }, Always, CloseOver, Decay::Window),
};
