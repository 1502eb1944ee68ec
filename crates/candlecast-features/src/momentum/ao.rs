//! Awesome oscillator, in quote units and over the close.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{Always, AsIs, Decay, OverClose, ta, ta_function};

ta_function!(Ao { fast: i32, slow: i32 } = ao, ao_lookback, ao_open, AoStream, (high, low) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("fast", 2, 1_000), ParamRange::candles("slow", 3, 5_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "ao",
    group: Group::Momentum,
    summary: "awesome oscillator",
    unit: "quote",
    formula: "SMA(median, fast) - SMA(median, slow), median = (high + low) / 2",
    source: "TA-Lib AO; Williams",
    params: PARAMS,
    listed: &[&[5, 34]],
    outputs: &["ao"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(ids, Ao { fast: p[0] as i32, slow: p[1] as i32 }, Always, AsIs, Decay::Window)
    },
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "ao_ratio",
    group: Group::Momentum,
    summary: "awesome oscillator over the close",
    unit: "share",
    formula: "AO / close",
    source: "TA-Lib AO; Williams",
    params: PARAMS,
    listed: &[&[5, 34]],
    outputs: &["ao_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(ids, Ao { fast: p[0] as i32, slow: p[1] as i32 }, Always, OverClose, Decay::Window)
    },
};
