//! Share of the variance of closes that a line through them explains.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{CoMoments, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "linreg_r2",
    group: Group::Trend,
    summary: "R2 of the least-squares line through n closes; missing where they are equal",
    unit: "0-1",
    formula: "correlation(i, close)^2 over n candles",
    source: "definition",
    params: &[ParamRange::candles("n", 3, 10_000)],
    listed: &[&[20]],
    outputs: &["linreg_r2"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), R2 { window: Window::new(n), i: 0.0 }))
    },
};

#[derive(Debug, Clone)]
struct R2 {
    window: Window<CoMoments>,
    i: f64,
}

impl Formula<1> for R2 {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        self.i += 1.0;
        let joint = self.window.push(CoMoments::of(self.i, o.candle.close));
        [joint.map_or(f64::NAN, |m| m.correlation().powi(2))]
    }
}
