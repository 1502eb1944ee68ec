//! Average true range.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Atr { period: i32 } = atr, atr_lookback, atr_open, AtrStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "atr",
    group: Group::Volatility,
    summary: "average true range by Wilder",
    unit: "quote",
    formula: "Wilder mean over n of max(high, close[t-1]) - min(low, close[t-1])",
    source: "TA-Lib ATR; Wilder 1978",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["atr"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Atr { period: p[0] as i32 }, Always, AsIs, Decay::Wilder(p[0], 1)),
};
