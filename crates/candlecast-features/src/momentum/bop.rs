//! Balance of power.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

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
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Bop)),
};

#[derive(Debug, Clone)]
struct Bop;

impl Formula<1> for Bop {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        // 0 / 0 without a range: not a number, as it should be.
        [(c.close - c.open) / (c.high - c.low)]
    }
}
