//! Vortex indicator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, HighLow, Ranged, ta, ta_function};

ta_function!(Vortex { period: i32 } = vortex, vortex_lookback, vortex_open, VortexStream, (high, low, close) -> 2 (plus, minus));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "vortex",
    group: Group::Trend,
    summary: "vortex indicator, upward and downward; missing where n candles have no range",
    unit: "ratio",
    formula: "sum(abs(high[t] - low[t-1]), n) / sum(true range, n), sum(abs(low[t] - high[t-1]), n) / sum(true range, n)",
    source: "TA-Lib VORTEX; Botes and Siepman 2010",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["vortex_plus", "vortex_minus"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        ta(ids, Vortex { period: p[0] as i32 }, Ranged::new(HighLow, p[0] as usize + 1, 1), AsIs, Decay::Window)
    },
};
