//! Volatility that allows for drift and for gaps between candles.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Moments, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "yang_zhang",
    group: Group::Volatility,
    summary: "Yang-Zhang volatility of n candles, annualised",
    unit: "per year, share",
    formula: "sqrt(per_year * (var(ln(open[t] / close[t-1])) + k var(ln(close / open)) + (1 - k) RS)), k = 0.34 / (1.34 + (n + 1) / (n - 1)), sample variances over n, RS the mean of Rogers-Satchell",
    source: "Yang and Zhang 2000",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[24]],
    outputs: &["yang_zhang"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n, Memory::Finite(n + 1), YangZhang::new(n)))
    },
};

#[derive(Debug, Clone)]
struct YangZhang {
    close: Option<f64>,
    gaps: Window<Moments>,
    bodies: Window<Moments>,
    ranges: Window<Moments>,
    body_share: f64,
    per_year: f64,
}

impl YangZhang {
    fn new(n: usize) -> Self {
        let candles = n as f64;
        Self {
            close: None,
            gaps: Window::new(n),
            bodies: Window::new(n),
            ranges: Window::new(n),
            body_share: 0.34 / (1.34 + (candles + 1.0) / (candles - 1.0)),
            per_year: 1.0,
        }
    }
}

impl Formula<1> for YangZhang {
    fn begin(&mut self, interval: Interval) {
        self.per_year = interval.per_year();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let Some(close) = self.close.replace(c.close) else { return [f64::NAN] };
        let range = (c.high / c.close).ln() * (c.high / c.open).ln() + (c.low / c.close).ln() * (c.low / c.open).ln();
        let gaps = self.gaps.push(Moments::of((c.open / close).ln()));
        let bodies = self.bodies.push(Moments::of((c.close / c.open).ln()));
        let ranges = self.ranges.push(Moments::of(range));
        let (Some(gaps), Some(bodies), Some(ranges)) = (gaps, bodies, ranges) else { return [f64::NAN] };
        let inside = self.body_share * bodies.sample_variance() + (1.0 - self.body_share) * ranges.mean();
        [((gaps.sample_variance() + inside) * self.per_year).sqrt()]
    }
}
