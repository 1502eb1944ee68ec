//! Moving average convergence and divergence, in quote units and over the close.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{Always, AsIs, Decay, OverClose, ta, ta_function};

ta_function!(Macd { fast: i32, slow: i32, signal: i32 } =
    macd, macd_lookback, macd_open, MacdStream, (close) -> 3 (line, signal, histogram));

const PARAMS: &[ParamRange] = &[
    ParamRange::candles("fast", 2, 1_000),
    ParamRange::candles("slow", 3, 5_000),
    ParamRange::candles("signal", 1, 1_000),
];

fn macd(p: &[u32]) -> Macd {
    Macd { fast: p[0] as i32, slow: p[1] as i32, signal: p[2] as i32 }
}

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "macd",
    group: Group::Momentum,
    summary: "moving average convergence/divergence: line, signal, histogram",
    unit: "quote",
    formula: "line = EMA(fast) - EMA(slow), signal = EMA(line, signal), histogram = line - signal",
    source: "TA-Lib MACD; Appel",
    params: PARAMS,
    listed: &[&[12, 26, 9]],
    outputs: &["macd_line", "macd_signal", "macd_hist"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(ids, macd(p), Always, AsIs, Decay::Ema(p[1].max(p[2]), 2))
    },
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "macd_ratio",
    group: Group::Momentum,
    summary: "moving average convergence/divergence over the close: line, signal, histogram",
    unit: "share",
    formula: "MACD / close",
    source: "TA-Lib MACD; Appel",
    params: PARAMS,
    listed: &[&[12, 26, 9]],
    outputs: &["macd_line_ratio", "macd_signal_ratio", "macd_hist_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        ta(ids, macd(p), Always, OverClose, Decay::Ema(p[1].max(p[2]), 2))
    },
};
