//! Realised volatility.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Returns, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "realized_vol",
    group: Group::Volatility,
    summary: "realised volatility of n log returns, annualised",
    unit: "per year, share",
    formula: "sqrt(per_year * mean(r^2, n)), r log returns, not centred",
    source: "Andersen and Bollerslev 1998",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24], &[168]],
    outputs: &["realized_vol"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = Realized { returns: Returns::default(), window: Window::new(n), n: n as f64, per_year: 1.0 };
        Ok(own(ids, n, Memory::Finite(n + 1), start))
    },
};

#[derive(Debug, Clone)]
struct Realized {
    returns: Returns,
    window: Window<Sums<1>>,
    n: f64,
    per_year: f64,
}

impl Formula<1> for Realized {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(r) = self.returns.push(o.candle.close) else { return [f64::NAN] };
        let sum = self.window.push(Sums([r * r]));
        [sum.map_or(f64::NAN, |s| (s.0[0] / self.n * self.per_year).sqrt())]
    }
}
