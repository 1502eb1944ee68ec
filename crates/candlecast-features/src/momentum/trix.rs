//! Rate of change of a triple exponential average.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Trix { period: i32 } = trix, trix_lookback, trix_open, TrixStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "trix",
    group: Group::Momentum,
    summary: "one-candle rate of change of a triple exponential average",
    unit: "percent",
    formula: "100 * (EMA3[t] / EMA3[t-1] - 1), EMA3 = EMA(EMA(EMA(close, n), n), n)",
    source: "TA-Lib TRIX; Hutson 1983",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[15]],
    outputs: &["trix"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Trix { period: p[0] as i32 }, Always, AsIs, Decay::Ema(p[0], 3)),
};
