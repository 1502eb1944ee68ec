//! Parabolic stop and reverse, and the distance of the close from it.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Sar { acceleration: f64, maximum: f64 } = sar, sar_lookback, sar_open, SarStream, (high, low) -> 1 (value));

const PARAMS: &[ParamRange] = &[
    ParamRange { name: "acceleration in hundredths", min: 1, max: 50 },
    ParamRange { name: "maximum in hundredths", min: 1, max: 100 },
];

fn sar(p: &[u32]) -> Sar {
    Sar { acceleration: f64::from(p[0]) / 100.0, maximum: f64::from(p[1]) / 100.0 }
}

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "sar",
    group: Group::Trend,
    summary: "parabolic stop and reverse; acceleration and maximum in hundredths",
    unit: "quote",
    formula: "sar + acceleration * (extreme - sar), reversed where a candle touches it",
    source: "TA-Lib SAR; Wilder 1978",
    params: PARAMS,
    listed: &[&[2, 20]],
    outputs: &["sar"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, sar(p), Always, AsIs, Decay::Never),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "sar_ratio",
    group: Group::Trend,
    summary: "distance of the close from the parabolic stop (positive in an uptrend)",
    unit: "share",
    formula: "close / SAR - 1",
    source: "TA-Lib SAR; Wilder 1978",
    params: PARAMS,
    listed: &[&[2, 20]],
    outputs: &["sar_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, sar(p), Always, CloseOver, Decay::Never),
};
