//! Normalised average true range.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, ta, ta_function};

ta_function!(Natr { period: i32 } = natr, natr_lookback, natr_open, NatrStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "natr",
    group: Group::Volatility,
    summary: "average true range as a percentage of the close",
    unit: "percent",
    formula: "100 * ATR / close",
    source: "TA-Lib NATR",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["natr"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Natr { period: p[0] as i32 }, Always, AsIs, Decay::Wilder(p[0], 1)),
};
