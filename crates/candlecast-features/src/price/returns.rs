//! Simple and log returns over `n` candles.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::Lag;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 1, 10_000)];

pub(crate) const SIMPLE: FeatureSpec = FeatureSpec {
    id: "simple_return",
    group: Group::Price,
    summary: "simple return over n candles",
    unit: "share",
    formula: "close[t] / close[t-n] - 1",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[4], &[12], &[24]],
    outputs: &["simple_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], |ratio| ratio - 1.0)),
};

pub(crate) const LOG: FeatureSpec = FeatureSpec {
    id: "log_return",
    group: Group::Price,
    summary: "log return over n candles",
    unit: "log",
    formula: "ln(close[t] / close[t-n])",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[4], &[12], &[24]],
    outputs: &["log_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], f64::ln)),
};

fn build(ids: Vec<String>, n: u32, of: fn(f64) -> f64) -> Box<dyn crate::Indicator> {
    let n = n as usize;
    own(ids, n, Memory::Finite(n + 1), Return { past: Lag::new(n), of })
}

#[derive(Debug, Clone)]
struct Return {
    past: Lag,
    of: fn(f64) -> f64,
}

impl Formula<1> for Return {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let close = o.candle.close;
        [self.past.push(close).map_or(f64::NAN, |past| (self.of)(close / past))]
    }
}
