//! Price change over `n` candles.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Mom { period: i32 } = mom, mom_lookback, mom_open, MomStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "mom",
    group: Group::Price,
    summary: "price change over n candles (momentum)",
    unit: "quote",
    formula: "close[t] - close[t-n]",
    source: "TA-Lib MOM",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[10], &[1]],
    outputs: &["mom"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Mom { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};
