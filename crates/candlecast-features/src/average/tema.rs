//! Triple exponential moving average, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Tema { period: i32 } = tema, tema_lookback, tema_open, TemaStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];
const LISTED: &[&[u32]] = &[&[20]];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "tema",
    group: Group::Average,
    summary: "triple exponential moving average",
    unit: "quote",
    formula: "3 EMA - 3 EMA(EMA) + EMA(EMA(EMA))",
    source: "TA-Lib TEMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["tema"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Tema { period: p[0] as i32 }, Always, AsIs, Decay::Ema(p[0], 3)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "tema_ratio",
    group: Group::Average,
    summary: "distance of the close from the triple exponential moving average",
    unit: "share",
    formula: "close / tema - 1",
    source: "TA-Lib TEMA",
    params: PARAMS,
    listed: LISTED,
    outputs: &["tema_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Tema { period: p[0] as i32 }, Always, CloseOver, Decay::Ema(p[0], 3)),
};
