//! Gap between the last close and this open.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "gap",
    group: Group::Price,
    summary: "jump from the last close to this open",
    unit: "log",
    formula: "ln(open[t] / close[t-1])",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["gap"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 1, Memory::Finite(2), Gap::default())),
};

#[derive(Debug, Clone, Default)]
struct Gap {
    close: Option<f64>,
}

impl Formula<1> for Gap {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        [self.close.replace(c.close).map_or(f64::NAN, |close| (c.open / close).ln())]
    }
}
