//! Minus directional indicator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, RangeMoved, ta, ta_function};

ta_function!(MinusDi { period: i32 } = minus_di, minus_di_lookback, minus_di_open, MinusDiStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "minus_di",
    group: Group::Trend,
    summary: "minus directional indicator: downward share of the true range",
    unit: "0-100",
    formula: "100 * Wilder sum of -DM / Wilder sum of true range over n",
    source: "TA-Lib MINUS_DI; Wilder 1978",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["minus_di"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, MinusDi { period: p[0] as i32 }, RangeMoved::default(), AsIs, Decay::Wilder(p[0], 1)),
};
