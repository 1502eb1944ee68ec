//! Hull moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Hma { period: i32 } = hma, hma_lookback, hma_open, HmaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "hma",
    group: Group::Average,
    summary: "Hull moving average",
    unit: "quote",
    formula: "WMA(2 WMA(close, n/2) - WMA(close, n), sqrt(n))",
    source: "TA-Lib HMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["hma"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Hma { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "hma_ratio",
    group: Group::Average,
    summary: "distance of the close from the Hull moving average",
    unit: "share",
    formula: "close / hma - 1",
    source: "TA-Lib HMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["hma_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Hma { period: p[0] as i32 }, Always, CloseOver, Decay::Window),
};
