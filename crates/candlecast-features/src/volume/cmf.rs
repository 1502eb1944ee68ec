//! Chaikin money flow.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, Traded, ta, ta_function};

ta_function!(Cmf { period: i32 } = cmf, cmf_lookback, cmf_open, CmfStream, (high, low, close, volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "cmf",
    group: Group::Volume,
    summary: "Chaikin money flow: A/D flow of n candles over their volume; missing where they have none",
    unit: "-1 to 1",
    formula: "sum(((close - low) - (high - close)) / (high - low) * volume, n) / sum(volume, n)",
    source: "TA-Lib CMF",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[20]],
    outputs: &["cmf"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Cmf { period: p[0] as i32 }, Traded::new(p[0] as usize), AsIs, Decay::Window),
};
