//! Volume over its exponential average.

use crate::indicator::Observation;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, Decay, Finish, ta, ta_function};

ta_function!(VolumeEma { period: i32 } = ema, ema_lookback, ema_open, EmaStream, (volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "volume_ema_ratio",
    group: Group::Volume,
    summary: "volume over its exponential average; missing until there is volume",
    unit: "ratio",
    formula: "volume / EMA(volume, n)",
    source: "TA-Lib EMA",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[20]],
    outputs: &["volume_ema_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, VolumeEma { period: p[0] as i32 }, Always, VolumeOver, Decay::Ema(p[0], 1)),
};

/// Volume over a volume.
#[derive(Debug, Clone, Copy)]
struct VolumeOver;

impl Finish<1, 1> for VolumeOver {
    #[inline]
    fn step(&mut self, o: &Observation, [average]: [f64; 1]) -> [f64; 1] {
        [o.candle.volume / average]
    }
}
