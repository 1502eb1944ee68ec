//! On-balance volume.

use crate::spec::{FeatureSpec, Group, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Obv {} = obv, obv_lookback, obv_open, ObvStream, (close, volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "obv",
    group: Group::Volume,
    summary: "on-balance volume since the segment started",
    unit: "base",
    formula: "sum(volume * sign(close[t] - close[t-1])), beginning with the first volume",
    source: "TA-Lib OBV; Granville 1963",
    params: &[],
    listed: &[&[]],
    outputs: &["obv"],
    cost: "O(1)",
    scale: Scale::VOLUME,
    requires: &[],
    version: 1,
    build: |ids, _| ta(ids, Obv {}, Always, AsIs, Decay::Never),
};
