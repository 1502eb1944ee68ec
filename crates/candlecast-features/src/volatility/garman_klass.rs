//! Volatility from open, high, low and close.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "garman_klass",
    group: Group::Volatility,
    summary: "Garman-Klass volatility of n candles, annualised",
    unit: "per year, share",
    formula: "sqrt(per_year * mean(ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2, n))",
    source: "Garman and Klass 1980",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["garman_klass"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), GarmanKlass { window: Window::new(n), n: n as f64, per_year: 1.0 }))
    },
};

#[derive(Debug, Clone)]
struct GarmanKlass {
    window: Window<Sums<1>>,
    n: f64,
    per_year: f64,
}

impl Formula<1> for GarmanKlass {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let (range, body) = ((c.high / c.low).ln(), (c.close / c.open).ln());
        let variance = 0.5 * range * range - (2.0 * std::f64::consts::LN_2 - 1.0) * body * body;
        let sum = self.window.push(Sums([variance]));
        [sum.map_or(f64::NAN, |s| (s.0[0] / self.n * self.per_year).sqrt())]
    }
}
