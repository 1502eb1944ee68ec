//! The scaled return of one candle some candles ago, plain and with large ones compressed.

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::Lag;
use crate::scaled::{SCALED_WARMUP, Scaled, scaled_memory};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

const PARAMS: &[ParamRange] = &[ParamRange::candles("lag", 1, 10_000)];

pub(crate) const PLAIN: FeatureSpec = FeatureSpec {
    id: "scaled_return_lag",
    group: Group::Price,
    summary: "scaled return of one candle, as it was some candles ago",
    unit: "standard deviations, -4 to 4",
    formula: "scaled_return_1[t-lag]",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[2], &[23], &[167]],
    outputs: &["scaled_return_lag"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], |z| z)),
};

pub(crate) const TANH: FeatureSpec = FeatureSpec {
    id: "scaled_return_lag_tanh",
    group: Group::Price,
    summary: "scaled return of one candle, as it was some candles ago, moves beyond one volatility compressed",
    unit: "-1 to 1",
    formula: "tanh(2 scaled_return_1[t-lag])",
    source: "definition",
    params: PARAMS,
    listed: &[&[1], &[2], &[23]],
    outputs: &["scaled_return_lag_tanh"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0], |z| (2.0 * z).tanh())),
};

fn build(ids: Vec<String>, lag: u32, of: fn(f64) -> f64) -> Box<dyn crate::Indicator> {
    let lag = lag as usize;
    let start = Lagged { scaled: Scaled::default(), past: Lag::new(lag), of };
    own(ids, SCALED_WARMUP + lag, scaled_memory(lag + 1), start)
}

#[derive(Debug, Clone)]
struct Lagged {
    scaled: Scaled,
    past: Lag,
    of: fn(f64) -> f64,
}

impl Formula<1> for Lagged {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let past = self.scaled.push(o.candle.close).and_then(|step| self.past.push(step.z));
        [past.map_or(f64::NAN, self.of)]
    }
}
