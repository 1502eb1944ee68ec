//! Slope of the regression line of closes, in quote units and over the close.

use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, AsIs, Decay, OverClose, ta, ta_function};

ta_function!(LinregSlope { period: i32 } =
    linearreg_slope, linearreg_slope_lookback, linearreg_slope_open, LinearregSlopeStream, (close) -> 1 (value));

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "linreg_slope",
    group: Group::Trend,
    summary: "slope of the least-squares line through n closes",
    unit: "quote per candle",
    formula: "cov(i, close) / var(i) over n candles",
    source: "TA-Lib LINEARREG_SLOPE",
    params: PARAMS,
    listed: &[&[20]],
    outputs: &["linreg_slope"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, LinregSlope { period: p[0] as i32 }, Always, AsIs, Decay::Window),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "linreg_slope_ratio",
    group: Group::Trend,
    summary: "slope of the least-squares line through n closes over the close",
    unit: "share per candle",
    formula: "linreg_slope / close",
    source: "TA-Lib LINEARREG_SLOPE",
    params: PARAMS,
    listed: &[&[20]],
    outputs: &["linreg_slope_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, LinregSlope { period: p[0] as i32 }, Always, OverClose, Decay::Window),
};
