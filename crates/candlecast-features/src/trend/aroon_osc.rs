//! Aroon oscillator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Aroonosc { period: i32 } = aroonosc, aroonosc_lookback, aroonosc_open, AroonoscStream, (high, low) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "aroon_osc",
    group: Group::Trend,
    summary: "Aroon up minus Aroon down",
    unit: "-100 to 100",
    formula: "100 * (candles since the lowest low - candles since the highest high) / n over n + 1 candles",
    source: "TA-Lib AROONOSC; Chande 1995",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[25]],
    outputs: &["aroon_osc"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Aroonosc { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};
