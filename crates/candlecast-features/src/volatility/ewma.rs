//! Exponentially weighted volatility.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::Returns;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ewma_vol",
    group: Group::Volatility,
    summary: "exponentially weighted volatility, annualised; the parameter is lambda in hundredths",
    unit: "per year, share",
    formula: "sqrt(per_year * v), v = lambda v + (1 - lambda) r^2, seeded by the first squared return",
    source: "RiskMetrics 1996 (lambda 0.94)",
    params: &[ParamRange { name: "lambda in hundredths", min: 50, max: 99 }],
    listed: &[&[94]],
    outputs: &["ewma_vol"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let lambda = f64::from(p[0]) / 100.0;
        let start = Ewma { returns: Returns::default(), variance: None, lambda, per_year: 1.0 };
        Ok(own(ids, 1, Memory::decaying(lambda, 1, 1), start))
    },
};

#[derive(Debug, Clone)]
struct Ewma {
    returns: Returns,
    variance: Option<f64>,
    lambda: f64,
    per_year: f64,
}

impl Formula<1> for Ewma {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(r) = self.returns.push(o.candle.close) else { return [f64::NAN] };
        let variance = self.variance.map_or(r * r, |v| self.lambda * v + (1.0 - self.lambda) * r * r);
        self.variance = Some(variance);
        [(variance * self.per_year).sqrt()]
    }
}
