//! Chande momentum oscillator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{AsIs, CloseMoved, Decay, ta, ta_function};

ta_function!(Cmo { period: i32 } = cmo, cmo_lookback, cmo_open, CmoStream, (close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "cmo",
    group: Group::Momentum,
    summary: "Chande momentum oscillator; missing until the close first changes",
    unit: "-100 to 100",
    formula: "100 * (gain - loss) / (gain + loss), smoothed by Wilder over n",
    source: "TA-Lib CMO; Chande 1994",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[14]],
    outputs: &["cmo"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, Cmo { period: p[0] as i32 }, CloseMoved::default(), AsIs, Decay::Wilder(p[0], 1)),
};
