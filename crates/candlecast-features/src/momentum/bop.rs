//! Balance of power.

use crate::spec::{FeatureSpec, Group, Scale};
use crate::talib::{AsIs, Decay, Ranged, ta, ta_function};

ta_function!(Bop {} = bop, bop_lookback, bop_open, BopStream, (open, high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "bop",
    group: Group::Momentum,
    summary: "balance of power; missing on a candle without range (TA-Lib gives a number)",
    unit: "-1 to 1",
    formula: "(close - open) / (high - low)",
    source: "TA-Lib BOP; Livshin",
    params: &[],
    listed: &[&[]],
    outputs: &["bop"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| ta(ids, Bop {}, Ranged::high_low(1, 1), AsIs, Decay::Window),
};
