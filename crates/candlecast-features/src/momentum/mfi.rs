//! Money flow index.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, Decay, MoneyMoved, ta, ta_function};

ta_function!(Mfi { period: i32 } = mfi, mfi_lookback, mfi_open, MfiStream, (high, low, close, volume) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "mfi",
    group: Group::Momentum,
    summary: "money flow index; missing where n candles have no money flow (TA-Lib gives a number)",
    unit: "0-100",
    formula: "100 * positive / (positive + negative) money flow over n, flow = typical * volume signed by the change of typical",
    source: "TA-Lib MFI",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["mfi"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Mfi { period: p[0] as i32 }, MoneyMoved::new(p[0] as usize), AsIs, Decay::Window),
};
