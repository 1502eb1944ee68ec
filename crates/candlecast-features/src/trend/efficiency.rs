//! Kaufman's efficiency ratio.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Close, Decay, Ranged, ta, ta_function};

ta_function!(Er { period: i32 } = er, er_lookback, er_open, ErStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "er",
    group: Group::Trend,
    summary: "Kaufman's efficiency ratio; missing where the close does not move (TA-Lib gives a number)",
    unit: "0-1",
    formula: "abs(close[t] - close[t-n]) / sum(abs(close[i] - close[i-1]), n)",
    source: "TA-Lib ER; Kaufman 1995",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[10]],
    outputs: &["er"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Er { period: p[0] as i32 }, Ranged::new(Close, p[0] as usize + 1, 1), AsIs, Decay::Window),
};
