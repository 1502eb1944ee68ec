//! Aroon up and down.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Aroon { period: i32 } = aroon, aroon_lookback, aroon_open, AroonStream, (high, low) -> 2 (down, up));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "aroon",
    group: Group::Trend,
    summary: "Aroon down and up: how recent the extremes of n + 1 candles are",
    unit: "0-100",
    formula: "100 * (n - candles since the extreme) / n",
    source: "TA-Lib AROON; Chande 1995",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[25]],
    outputs: &["aroon_down", "aroon_up"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Aroon { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};
