//! Relative strength index.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, CloseMoved, Decay, ta, ta_function};

ta_function!(Rsi { period: i32 } = rsi, rsi_lookback, rsi_open, RsiStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "rsi",
    group: Group::Momentum,
    summary: "relative strength index by Wilder; missing until the close first changes (TA-Lib gives a number)",
    unit: "0-100",
    formula: "100 * gain / (gain + loss), gain and loss smoothed by Wilder over n",
    source: "TA-Lib RSI; Wilder 1978",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["rsi"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Rsi { period: p[0] as i32 }, CloseMoved::default(), AsIs, Decay::Wilder(p[0], 1)),
};
