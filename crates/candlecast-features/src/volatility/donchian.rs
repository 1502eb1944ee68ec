//! Donchian channel, and what is scale-free of it.

use crate::indicator::Observation;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, Finish, HighLow, Ranged, ta, ta_function};

ta_function!(Donchian { period: i32 } =
    donchian, donchian_lookback, donchian_open, DonchianStream, (high, low) -> 3 (upper, middle, lower));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "donchian",
    group: Group::Volatility,
    summary: "Donchian channel: upper, middle, lower",
    unit: "quote",
    formula: "max(high, n), (max + min) / 2, min(low, n)",
    source: "TA-Lib DONCHIAN; Donchian",
    params: PARAMS,
    listed: &[&[20]],
    outputs: &["donchian_upper", "donchian_middle", "donchian_lower"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Donchian { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "donchian_ratio",
    group: Group::Volatility,
    summary: "width of the Donchian channel and the place of the close in it; missing where n candles have no range",
    unit: "share",
    formula: "(upper - lower) / middle, (close - lower) / (upper - lower)",
    source: "TA-Lib DONCHIAN; Donchian",
    params: PARAMS,
    listed: &[&[20]],
    outputs: &["donchian_width", "donchian_position"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        ta(ids, Donchian { period: p[0] as i32 }, Ranged::new(HighLow, n, 1), ChannelPlace, Decay::Window)
    },
};

/// Width of the channel and the place of the close in it.
#[derive(Debug, Clone, Copy)]
struct ChannelPlace;

impl Finish<3, 2> for ChannelPlace {
    #[inline]
    fn step(&mut self, o: &Observation, [upper, middle, lower]: [f64; 3]) -> [f64; 2] {
        let width = upper - lower;
        [width / middle, (o.candle.close - lower) / width]
    }
}
