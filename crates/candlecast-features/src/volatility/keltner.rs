//! Keltner channel, and what is scale-free of it.

use crate::indicator::Observation;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, Finish, ta, ta_function};

ta_function!(Keltner { period: i32, range: i32, multiple: f64 } =
    kc, kc_lookback, kc_open, KcStream, (high, low, close) -> 3 (upper, middle, lower));

const PARAMS: &[ParamRange] = &[
    ParamRange::candles("n", 2, 10_000),
    ParamRange::candles("true range", 1, 10_000),
    ParamRange { name: "multiple", min: 1, max: 10 },
];

fn keltner(p: &[u32]) -> Keltner {
    Keltner { period: p[0] as i32, range: p[1] as i32, multiple: f64::from(p[2]) }
}

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "keltner",
    group: Group::Volatility,
    summary: "Keltner channel: upper, middle, lower",
    unit: "quote",
    formula: "EMA(typical, n) + k * ATR(range), EMA, EMA - k * ATR",
    source: "TA-Lib KC; Keltner, Raschke",
    params: PARAMS,
    listed: &[&[20, 10, 2]],
    outputs: &["keltner_upper", "keltner_middle", "keltner_lower"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, keltner(p), Always, AsIs, slowest(p)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "keltner_ratio",
    group: Group::Volatility,
    summary: "close over the Keltner bands, and their width",
    unit: "share",
    formula: "close / upper - 1, close / lower - 1, (upper - lower) / middle",
    source: "TA-Lib KC; Keltner, Raschke",
    params: PARAMS,
    listed: &[&[20, 10, 2]],
    outputs: &["keltner_upper_ratio", "keltner_lower_ratio", "keltner_width"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, keltner(p), Always, ChannelRatios, slowest(p)),
};

/// The slower of the exponential average of n and Wilder's average of the true range.
fn slowest(p: &[u32]) -> Decay {
    let (n, range) = (f64::from(p[0]), f64::from(p[1]));
    Decay::Kept(((n - 1.0) / (n + 1.0)).max((range - 1.0) / range), 1)
}

/// Distances of the close from the bands, and their width.
#[derive(Debug, Clone, Copy)]
struct ChannelRatios;

impl Finish<3, 3> for ChannelRatios {
    #[inline]
    fn step(&mut self, o: &Observation, [upper, middle, lower]: [f64; 3]) -> [f64; 3] {
        let close = o.candle.close;
        [close / upper - 1.0, close / lower - 1.0, (upper - lower) / middle]
    }
}
