//! Body, wicks and range of a candle as logs: defined on every candle, 0 on a flat one.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "candle_logs",
    group: Group::Price,
    summary: "body (signed), upper wick, lower wick and range as log ratios",
    unit: "log",
    formula: "ln(close / open), ln(high / max(open, close)), ln(min(open, close) / low), ln(high / low)",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["body_log", "upper_wick_log", "lower_wick_log", "range_log"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Logs)),
};

#[derive(Debug, Clone)]
struct Logs;

impl Formula<4> for Logs {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 4] {
        let c = &o.candle;
        [
            (c.close / c.open).ln(),
            (c.high / c.open.max(c.close)).ln(),
            (c.open.min(c.close) / c.low).ln(),
            (c.high / c.low).ln(),
        ]
    }
}
