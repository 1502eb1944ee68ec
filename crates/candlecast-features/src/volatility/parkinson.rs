//! Volatility from highs and lows.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "parkinson",
    group: Group::Volatility,
    summary: "Parkinson volatility of n candles, annualised",
    unit: "per year, share",
    formula: "sqrt(per_year * mean(ln(high / low)^2 / (4 ln 2), n))",
    source: "Parkinson 1980",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["parkinson"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), Parkinson { window: Window::new(n), n: n as f64, per_year: 1.0 }))
    },
};

#[derive(Debug, Clone)]
struct Parkinson {
    window: Window<Sums<1>>,
    n: f64,
    per_year: f64,
}

impl Formula<1> for Parkinson {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let variance = (c.high / c.low).ln().powi(2) / (4.0 * std::f64::consts::LN_2);
        let sum = self.window.push(Sums([variance]));
        [sum.map_or(f64::NAN, |s| (s.0[0] / self.n * self.per_year).sqrt())]
    }
}
