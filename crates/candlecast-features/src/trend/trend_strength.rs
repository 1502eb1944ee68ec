//! Return of a window in units of what a driftless walk would have made.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Returns, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "trend_strength",
    group: Group::Trend,
    summary: "return of n candles over its standard error: about standard normal on a driftless walk",
    unit: "standard errors",
    formula: "sum(r, n) / sqrt(sum(r^2, n)), r log returns",
    source: "t statistic of a mean of zero, uncentred",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[24]],
    outputs: &["trend_strength"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = TrendStrength { returns: Returns::default(), window: Window::new(n) };
        Ok(own(ids, n, Memory::Finite(n + 1), start))
    },
};

#[derive(Debug, Clone)]
struct TrendStrength {
    returns: Returns,
    window: Window<Sums<2>>,
}

impl Formula<1> for TrendStrength {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(r) = self.returns.push(o.candle.close) else { return [f64::NAN] };
        [self.window.push(Sums([r, r * r])).map_or(f64::NAN, |s| s.0[0] / s.0[1].sqrt())]
    }
}
