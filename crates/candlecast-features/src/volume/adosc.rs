//! Chaikin oscillator, in base units and over the mean volume.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{Always, AsIs, Decay, OverVolume, ta, ta_function};

ta_function!(Adosc { fast: i32, slow: i32 } = adosc, adosc_lookback, adosc_open, AdoscStream, (high, low, close, volume) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("fast", 2, 1_000), ParamRange::candles("slow", 3, 5_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "adosc",
    group: Group::Volume,
    summary: "Chaikin oscillator: fast minus slow average of the A/D line",
    unit: "base",
    formula: "EMA(AD, fast) - EMA(AD, slow), both seeded by the first value",
    source: "TA-Lib ADOSC",
    params: PARAMS,
    listed: &[&[3, 10]],
    outputs: &["adosc"],
    cost: "O(1)",
    scale: Scale::VOLUME,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(ids, Adosc { fast: p[0] as i32, slow: p[1] as i32 }, Always, AsIs, Decay::Ema(p[1], 2))
    },
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "adosc_ratio",
    group: Group::Volume,
    summary: "Chaikin oscillator over the mean volume; missing where there is none",
    unit: "share",
    formula: "ADOSC / mean(volume, slow)",
    source: "TA-Lib ADOSC",
    params: PARAMS,
    listed: &[&[3, 10]],
    outputs: &["adosc_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(
            ids,
            Adosc { fast: p[0] as i32, slow: p[1] as i32 },
            Always,
            OverVolume::new(p[1] as usize, false),
            Decay::Ema(p[1], 2),
        )
    },
};
