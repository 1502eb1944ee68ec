//! Where the close lies in the range of `n` candles.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Extremes, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "range_position",
    group: Group::Price,
    summary: "where the close lies in the range of n candles (-0.5 lowest low, 0.5 highest high; 0 where they have no range)",
    unit: "share, -0.5 to 0.5",
    formula: "(close - min(low, n)) / (max(high, n) - min(low, n)) - 0.5",
    source: "raw stochastic %K of Lane, as a share and centred",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[6], &[24], &[72], &[168]],
    outputs: &["range_position"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), Position { window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct Position {
    window: Window<Extremes>,
}

impl Formula<1> for Position {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let Some(Extremes { high, low }) = self.window.push(Extremes::of(c.high, c.low)) else { return [f64::NAN] };
        [if high > low { (c.close - low) / (high - low) - 0.5 } else { 0.0 }]
    }
}
