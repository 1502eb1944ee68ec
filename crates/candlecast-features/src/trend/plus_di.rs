//! Plus directional indicator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, RangeMoved, ta, ta_function};

ta_function!(PlusDi { period: i32 } = plus_di, plus_di_lookback, plus_di_open, PlusDiStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "plus_di",
    group: Group::Trend,
    summary: "plus directional indicator: upward share of the true range",
    unit: "0-100",
    formula: "100 * Wilder sum of +DM / Wilder sum of true range over n",
    source: "TA-Lib PLUS_DI; Wilder 1978",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["plus_di"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, PlusDi { period: p[0] as i32 }, RangeMoved::default(), AsIs, Decay::Wilder(p[0], 1)),
};
