//! Bollinger bands, and what is scale-free of them.

use ta_lib::MAType;

use crate::indicator::Observation;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Close, Decay, Finish, Ranged, ta, ta_function};

ta_function!(Bbands { period: i32, up: f64, down: f64, average: MAType } =
    bbands, bbands_lookback, bbands_open, BbandsStream, (close) -> 3 (upper, middle, lower));

const PARAMS: &[ParamRange] =
    &[ParamRange::candles("n", 2, 10_000), ParamRange { name: "standard deviations", min: 1, max: 10 }];

fn bands(p: &[u32]) -> Bbands {
    let deviations = f64::from(p[1]);
    Bbands { period: p[0] as i32, up: deviations, down: deviations, average: MAType::SMA }
}

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "bb",
    group: Group::Volatility,
    summary: "Bollinger bands: upper, middle, lower",
    unit: "quote",
    formula: "SMA(close, n) + k * std, SMA, SMA - k * std; population standard deviation of n closes",
    source: "TA-Lib BBANDS; Bollinger",
    params: PARAMS,
    listed: &[&[20, 2]],
    outputs: &["bb_upper", "bb_middle", "bb_lower"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, bands(p), Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "bb_ratio",
    group: Group::Volatility,
    summary: "close over the Bollinger bands, band width and %B; missing where n closes are equal",
    unit: "share",
    formula: "close / upper - 1, close / lower - 1, (upper - lower) / middle, (close - lower) / (upper - lower)",
    source: "TA-Lib BBANDS; Bollinger",
    params: PARAMS,
    listed: &[&[20, 2]],
    outputs: &["bb_upper_ratio", "bb_lower_ratio", "bb_width", "bb_pct_b"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, bands(p), Ranged::new(Close, p[0] as usize, 1), BandRatios, Decay::Window),
};

/// Distances of the close from the bands, their width and the place of the close between them.
#[derive(Debug, Clone, Copy)]
struct BandRatios;

impl Finish<3, 4> for BandRatios {
    #[inline]
    fn step(&mut self, o: &Observation, [upper, middle, lower]: [f64; 3]) -> [f64; 4] {
        let close = o.candle.close;
        let width = upper - lower;
        [close / upper - 1.0, close / lower - 1.0, width / middle, (close - lower) / width]
    }
}
