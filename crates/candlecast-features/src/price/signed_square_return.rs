//! The square of the scaled return with the return's sign: large moves apart from small ones.

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::scaled::{SCALED_WARMUP, Scaled, scaled_memory};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "signed_square_return",
    group: Group::Price,
    summary: "half the square of the scaled return of one candle, with its sign",
    unit: "variances, -8 to 8",
    formula: "z abs(z) / 2, z = scaled_return_1",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["signed_square_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, SCALED_WARMUP, scaled_memory(1), SignedSquare { scaled: Scaled::default() })),
};

#[derive(Debug, Clone)]
struct SignedSquare {
    scaled: Scaled,
}

impl Formula<1> for SignedSquare {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.scaled.push(o.candle.close).map_or(f64::NAN, |step| step.z * step.z.abs() / 2.0)]
    }
}
