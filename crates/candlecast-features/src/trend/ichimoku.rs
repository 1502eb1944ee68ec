//! Ichimoku lines without forward shift, and distances of the close from them.

use crate::error::FeatureError;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};
use crate::talib::{Always, AsIs, CloseOver, Decay, ta, ta_function};

ta_function!(Ichimoku { conversion: i32, base: i32, span: i32 } =
    ichimoku, ichimoku_lookback, ichimoku_open, IchimokuStream, (high, low) -> 4 (tenkan, kijun, span_a, span_b));

const PARAMS: &[ParamRange] = &[
    ParamRange::candles("conversion", 2, 1_000),
    ParamRange::candles("base", 3, 2_000),
    ParamRange::candles("span", 4, 5_000),
];

fn ichimoku(ids: &[String], p: &[u32]) -> Result<Ichimoku, FeatureError> {
    increasing(ids, p, 0, 1, "conversion and base")?;
    increasing(ids, p, 1, 2, "base and span")?;
    Ok(Ichimoku { conversion: p[0] as i32, base: p[1] as i32, span: p[2] as i32 })
}

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "ichimoku",
    group: Group::Trend,
    summary: "Ichimoku conversion line, base line and leading spans, as of the candle (no forward shift)",
    unit: "quote",
    formula: "mid(n) = (max(high, n) + min(low, n)) / 2; mid(conversion), mid(base), (mid(conversion) + mid(base)) / 2, mid(span)",
    source: "TA-Lib ICHIMOKU; Hosoda",
    params: PARAMS,
    listed: &[&[9, 26, 52]],
    outputs: &["ichimoku_tenkan", "ichimoku_kijun", "ichimoku_span_a", "ichimoku_span_b"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let function = ichimoku(&ids, p)?;
        ta(ids, function, Always, AsIs, Decay::Window)
    },
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "ichimoku_ratio",
    group: Group::Trend,
    summary: "distances of the close from the Ichimoku lines (no forward shift)",
    unit: "share",
    formula: "close / line - 1",
    source: "TA-Lib ICHIMOKU; Hosoda",
    params: PARAMS,
    listed: &[&[9, 26, 52]],
    outputs: &["ichimoku_tenkan_ratio", "ichimoku_kijun_ratio", "ichimoku_span_a_ratio", "ichimoku_span_b_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let function = ichimoku(&ids, p)?;
        ta(ids, function, Always, CloseOver, Decay::Window)
    },
};
