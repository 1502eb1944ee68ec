//! Log returns over `n` candles in units of their volatility, plain and with large ones compressed.

use candlecast_core::SigmaState;

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::Lag;
use crate::scaled::{SCALED_WARMUP, bounded, scaled_memory};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 1, 10_000)];

pub(crate) const PLAIN: FeatureSpec = FeatureSpec {
    id: "scaled_return",
    group: Group::Price,
    summary: "log return over n candles in units of its volatility",
    unit: "standard deviations, -4 to 4",
    formula: "clip(ln(close[t] / close[t-n]) / (sigma sqrt(n)), -4, 4), beyond 168 candles 0 where the segment has fewer, sigma = max(0.0001, sqrt(ewma(r^2))), weights that halve in 72 candles and sum to 1",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[2], &[4], &[8], &[12], &[24], &[48], &[72], &[168], &[336], &[720]],
    outputs: &["scaled_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], |z| z)),
};

pub(crate) const TANH: FeatureSpec = FeatureSpec {
    id: "scaled_return_tanh",
    group: Group::Price,
    summary: "log return over n candles in units of its volatility, moves beyond one of them compressed",
    unit: "-1 to 1",
    formula: "tanh(2 scaled_return_n)",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[2], &[4], &[8], &[12], &[24], &[72]],
    outputs: &["scaled_return_tanh"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], |z| (2.0 * z).tanh())),
};

/// Candles beyond which a return that reaches further back than the segment is said to be 0 rather than missing: a week
/// of hours. A gap of hours would else silence a model for a month, for the sake of the weakest of its inputs.
const LONG: usize = 168;

fn build(ids: Vec<String>, n: u32, of: fn(f64) -> f64) -> Box<dyn crate::Indicator> {
    let n = n as usize;
    let start = ScaledReturn { sigma: SigmaState::default(), past: Lag::new(n), root: (n as f64).sqrt(), n, of };
    own(ids, if n > LONG { LONG } else { n.max(SCALED_WARMUP) }, scaled_memory(n), start)
}

#[derive(Debug, Clone)]
struct ScaledReturn {
    sigma: SigmaState,
    past: Lag,
    root: f64,
    n: usize,
    of: fn(f64) -> f64,
}

impl Formula<1> for ScaledReturn {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let close = o.candle.close;
        // Not a number until there are returns enough, which the value then is not either.
        let sigma = self.sigma.step(close.ln());
        let Some(past) = self.past.push(close) else {
            return [if self.n > LONG && self.past.len() > LONG { 0.0 } else { f64::NAN }];
        };
        [(self.of)(bounded((close / past).ln() / (sigma * self.root)))]
    }
}
