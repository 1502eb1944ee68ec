//! Ultimate oscillator.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{AsIs, Decay, HighLow, Ranged, ta, ta_function};

ta_function!(Ultosc { short: i32, middle: i32, long: i32 } =
    ultosc, ultosc_lookback, ultosc_open, UltoscStream, (high, low, close) -> 1 (value));

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ultosc",
    group: Group::Momentum,
    summary: "ultimate oscillator; missing where the short window has no range",
    unit: "0-100",
    formula: "100 * (4 A(short) + 2 A(middle) + A(long)) / 7, A(n) = sum(buying pressure, n) / sum(true range, n)",
    source: "TA-Lib ULTOSC; Williams 1985",
    params: &[
        ParamRange::candles("short", 1, 1_000),
        ParamRange::candles("middle", 2, 2_000),
        ParamRange::candles("long", 3, 5_000),
    ],
    listed: &[&[7, 14, 28]],
    outputs: &["ultosc"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "short and middle")?;
        increasing(&ids, p, 1, 2, "middle and long")?;
        let function = Ultosc { short: p[0] as i32, middle: p[1] as i32, long: p[2] as i32 };
        ta(ids, function, Ranged::new(HighLow, p[0] as usize + 1, 1), AsIs, Decay::Window)
    },
};
