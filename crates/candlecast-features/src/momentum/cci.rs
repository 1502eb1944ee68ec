//! Commodity channel index.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, Ranged, Typical, ta, ta_function};

ta_function!(Cci { period: i32 } = cci, cci_lookback, cci_open, CciStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "cci",
    group: Group::Momentum,
    summary: "commodity channel index; missing where n typical prices are equal (TA-Lib gives a number)",
    unit: "index",
    formula: "(typical - mean(typical, n)) / (0.015 * mean absolute deviation)",
    source: "TA-Lib CCI; Lambert 1980",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[20]],
    outputs: &["cci"],
    cost: "O(n)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Cci { period: p[0] as i32 }, Ranged::new(Typical, p[0] as usize, 1), AsIs, Decay::Window),
};
