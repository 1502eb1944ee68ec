//! Distance of the close from the highest high and the lowest low of `n` candles.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Extremes, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "extreme_distance",
    group: Group::Price,
    summary: "log distance of the close from the highest high (at most 0) and lowest low (at least 0) of n candles",
    unit: "log",
    formula: "ln(close / max(high, n)), ln(close / min(low, n))",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24], &[50]],
    outputs: &["distance_high", "distance_low"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), Distance { window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct Distance {
    window: Window<Extremes>,
}

impl Formula<2> for Distance {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let c = &o.candle;
        match self.window.push(Extremes::of(c.high, c.low)) {
            Some(e) => [(c.close / e.high).ln(), (c.close / e.low).ln()],
            None => [f64::NAN; 2],
        }
    }
}
