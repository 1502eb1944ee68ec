//! Rate of change over `n` candles.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Roc { period: i32 } = roc, roc_lookback, roc_open, RocStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "roc",
    group: Group::Price,
    summary: "rate of change over n candles",
    unit: "percent",
    formula: "100 * (close[t] / close[t-n] - 1)",
    source: "TA-Lib ROC",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[10]],
    outputs: &["roc"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Roc { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};
