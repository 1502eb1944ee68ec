//! Body and wicks as shares of the candle's range.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "candle_shape",
    group: Group::Price,
    summary: "body (signed), upper and lower wick as shares of the range; missing on a candle without range",
    unit: "share",
    formula: "(close - open) / (high - low), (high - max(open, close)) / (high - low), (min(open, close) - low) / (high - low)",
    source: "definition; the body share is TA-Lib's BOP",
    params: &[],
    listed: &[&[]],
    outputs: &["body_share", "upper_wick_share", "lower_wick_share"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Shape)),
};

#[derive(Debug, Clone)]
struct Shape;

impl Formula<3> for Shape {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 3] {
        let c = &o.candle;
        let range = c.high - c.low;
        if range <= 0.0 {
            return [f64::NAN; 3];
        }
        [(c.close - c.open) / range, (c.high - c.open.max(c.close)) / range, (c.open.min(c.close) - c.low) / range]
    }
}
