//! Volatility of rises and of falls.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Returns, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "semivol",
    group: Group::Volatility,
    summary: "upside and downside semideviation of n log returns, annualised",
    unit: "per year, share",
    formula: "sqrt(per_year * mean(max(r, 0)^2, n)), sqrt(per_year * mean(min(r, 0)^2, n))",
    source: "Barndorff-Nielsen, Kinnebrock and Shephard 2010",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["upside_vol", "downside_vol"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = Semivariance { returns: Returns::default(), window: Window::new(n), n: n as f64, per_year: 1.0 };
        Ok(own(ids, n, Memory::Finite(n + 1), start))
    },
};

#[derive(Debug, Clone)]
struct Semivariance {
    returns: Returns,
    window: Window<Sums<2>>,
    n: f64,
    per_year: f64,
}

impl Formula<2> for Semivariance {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let Some(r) = self.returns.push(o.candle.close) else { return [f64::NAN; 2] };
        let (rise, fall) = (r.max(0.0), r.min(0.0));
        match self.window.push(Sums([rise * rise, fall * fall])) {
            Some(sums) => sums.0.map(|s| (s / self.n * self.per_year).sqrt()),
            None => [f64::NAN; 2],
        }
    }
}
