//! Kaufman adaptive moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Kama { period: i32 } = kama, kama_lookback, kama_open, KamaStream, (close) -> 1 (value));

/// Share of the last value that the slowest smoothing keeps, `1 - (2 / 31)^2`.
const SLOWEST: f64 = 1.0 - (2.0 / 31.0) * (2.0 / 31.0);

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[10]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "kama",
    group: Group::Average,
    summary: "Kaufman adaptive moving average, smoothing constants 2 and 30",
    unit: "quote",
    formula: "kama + sc^2 (close - kama), sc between 2/31 and 2/3 by the efficiency ratio of n candles",
    source: "TA-Lib KAMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["kama"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Kama { period: p[0] as i32 }, Always, AsIs, Decay::Kept(SLOWEST, 1)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "kama_ratio",
    group: Group::Average,
    summary: "distance of the close from the Kaufman adaptive moving average",
    unit: "share",
    formula: "close / kama - 1",
    source: "TA-Lib KAMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["kama_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Kama { period: p[0] as i32 }, Always, CloseOver, Decay::Kept(SLOWEST, 1)),
};
