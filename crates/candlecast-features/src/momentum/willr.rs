//! Williams' %R.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, HighLow, Ranged, ta, ta_function};

ta_function!(Willr { period: i32 } = willr, willr_lookback, willr_open, WillrStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "willr",
    group: Group::Momentum,
    summary: "Williams' %R; missing where n candles have no range (TA-Lib gives a number)",
    unit: "-100 to 0",
    formula: "-100 * (max(high, n) - close) / (max(high, n) - min(low, n))",
    source: "TA-Lib WILLR",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["willr"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Willr { period: p[0] as i32 }, Ranged::new(HighLow, p[0] as usize, 1), AsIs, Decay::Window),
};
