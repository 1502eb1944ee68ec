//! Mean cube of scaled returns: on which side the large moves were.

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::{Sums, Window};
use crate::scaled::{SCALED_WARMUP, Scaled, scaled_memory};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

/// Bound on either side.
const LIMIT: f64 = 6.0;

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "return_third_moment",
    group: Group::Volatility,
    summary: "mean cube of the scaled returns of n candles: positive where the large moves went up",
    unit: "-6 to 6",
    formula: "clip(mean(scaled_return_1^3, n), -6, 6)",
    source: "third moment about zero",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24], &[168]],
    outputs: &["return_third_moment"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = ThirdMoment { scaled: Scaled::default(), window: Window::new(n), n: n as f64 };
        Ok(own(ids, SCALED_WARMUP + n - 1, scaled_memory(n), start))
    },
};

#[derive(Debug, Clone)]
struct ThirdMoment {
    scaled: Scaled,
    window: Window<Sums<1>>,
    n: f64,
}

impl Formula<1> for ThirdMoment {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let step = self.scaled.push(o.candle.close);
        let sum = step.and_then(|step| self.window.push(Sums([step.z * step.z * step.z])));
        [sum.map_or(f64::NAN, |s| (s.0[0] / self.n).clamp(-LIMIT, LIMIT))]
    }
}
