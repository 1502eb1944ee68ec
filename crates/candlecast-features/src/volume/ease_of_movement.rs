//! Ease of movement.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Emv { period: i32, divisor: f64 } = emv, emv_lookback, emv_open, EmvStream, (high, low, volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "emv",
    group: Group::Volume,
    summary: "ease of movement: how far the middle of the range moves a unit of volume (0 on candles without volume)",
    unit: "quote squared a base",
    formula: "mean((mid[t] - mid[t-1]) * (high - low) / volume, n)",
    source: "TA-Lib EMV with divisor 1; Arms",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[14]],
    outputs: &["emv"],
    cost: "O(1)",
    scale: Scale { price: 2, volume: -1 },
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Emv { period: p[0] as i32, divisor: 1.0 }, Always, AsIs, Decay::Window),
};
