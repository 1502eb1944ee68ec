//! Force index, in quote times base units and over close and mean volume.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, OverVolume, ta, ta_function};

ta_function!(Efi { period: i32 } = efi, efi_lookback, efi_open, EfiStream, (close, volume) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "force_index",
    group: Group::Volume,
    summary: "force index: price change times volume, smoothed",
    unit: "quote times base",
    formula: "EMA((close[t] - close[t-1]) * volume, n)",
    source: "TA-Lib EFI; Elder 1993",
    params: PARAMS,
    listed: &[&[13]],
    outputs: &["force_index"],
    cost: "O(1)",
    scale: Scale::TURNOVER,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Efi { period: p[0] as i32 }, Always, AsIs, Decay::Ema(p[0], 1)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "force_index_ratio",
    group: Group::Volume,
    summary: "force index over the close and the mean volume of n candles; missing where there is none",
    unit: "share",
    formula: "EFI / (close * mean(volume, n))",
    source: "TA-Lib EFI; Elder 1993",
    params: PARAMS,
    listed: &[&[13]],
    outputs: &["force_index_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        ta(ids, Efi { period: p[0] as i32 }, Always, OverVolume::new(p[0] as usize, true), Decay::Ema(p[0], 1))
    },
};
