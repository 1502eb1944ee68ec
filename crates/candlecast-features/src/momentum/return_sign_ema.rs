//! How one-sided the newest candles were, whatever the size of their moves.

use candlecast_core::Ewma;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::scaled::{SCALED_WARMUP, SIGMA_HALF_LIFE, Scaled};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "return_sign_ema",
    group: Group::Momentum,
    summary: "exponential average of the softened sign of returns, weights halving in l candles",
    unit: "-sqrt(l) to sqrt(l)",
    formula: "sqrt(l) ewma(tanh(3 scaled_return_1)), weights that halve in l candles and sum to 1",
    source: "definition",
    params: &[ParamRange::candles("l", 1, 1_000)],
    listed: &[&[2], &[6], &[24]],
    outputs: &["return_sign_ema"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let half_life = f64::from(p[0]);
        let start = SignEma { scaled: Scaled::default(), signs: Ewma::new(half_life), root: half_life.sqrt() };
        // The signs rest on a volatility that settles itself.
        let memory = Memory::halving(half_life.max(SIGMA_HALF_LIFE), 2, 1);
        Ok(own(ids, SCALED_WARMUP, memory, start))
    },
};

#[derive(Debug, Clone)]
struct SignEma {
    scaled: Scaled,
    signs: Ewma,
    root: f64,
}

impl Formula<1> for SignEma {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(step) = self.scaled.push(o.candle.close) else { return [f64::NAN] };
        self.signs.push((3.0 * step.z).tanh());
        [self.root * self.signs.mean()]
    }
}
