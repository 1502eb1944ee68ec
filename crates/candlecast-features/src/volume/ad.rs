//! Accumulation/distribution line.

use crate::spec::{FeatureSpec, Group, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Ad {} = ad, ad_lookback, ad_open, AdStream, (high, low, close, volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ad",
    group: Group::Volume,
    summary: "accumulation/distribution line since the segment started",
    unit: "base",
    formula: "sum(((close - low) - (high - close)) / (high - low) * volume)",
    source: "TA-Lib AD; Chaikin",
    params: &[],
    listed: &[&[]],
    outputs: &["ad"],
    cost: "O(1)",
    scale: Scale::VOLUME,
    requires: &[],
    version: 1,
    build: |ids, _| ta(ids, Ad {}, Always, AsIs, Decay::Never),
};
