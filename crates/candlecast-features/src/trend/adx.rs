//! Average directional movement index.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, RangeMoved, ta, ta_function};

ta_function!(Adx { period: i32 } = adx, adx_lookback, adx_open, AdxStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "adx",
    group: Group::Trend,
    summary: "average directional movement index: strength of a trend in either direction",
    unit: "0-100",
    formula: "Wilder mean over n of 100 * abs(+DI - -DI) / (+DI + -DI)",
    source: "TA-Lib ADX; Wilder 1978",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["adx"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Adx { period: p[0] as i32 }, RangeMoved::default(), AsIs, Decay::Wilder(p[0], 2)),
};
