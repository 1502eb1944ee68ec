//! Autocorrelation of returns.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{CoMoments, Lag, Returns, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "autocorr",
    group: Group::Correlation,
    summary: "autocorrelation of log returns at a lag, over n pairs; missing where prices stand still",
    unit: "-1 to 1",
    formula: "correlation(r[t], r[t-lag]) over n pairs",
    source: "Pearson",
    params: &[ParamRange::candles("lag", 1, 1_000), ParamRange::candles("n", 3, 10_000)],
    listed: &[&[1, 48], &[2, 48], &[5, 48], &[10, 48]],
    outputs: &["autocorr"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let (lag, n) = (p[0] as usize, p[1] as usize);
        let start = Autocorrelation { returns: Returns::default(), past: Lag::new(lag), window: Window::new(n) };
        Ok(own(ids, lag + n, Memory::Finite(lag + n + 1), start))
    },
};

#[derive(Debug, Clone)]
struct Autocorrelation {
    returns: Returns,
    past: Lag,
    window: Window<CoMoments>,
}

impl Autocorrelation {
    #[inline]
    fn correlation(&mut self, close: f64) -> Option<f64> {
        let r = self.returns.push(close)?;
        let before = self.past.push(r)?;
        self.window.push(CoMoments::of(before, r)).map(|m| m.correlation())
    }
}

impl Formula<1> for Autocorrelation {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.correlation(o.candle.close).unwrap_or(f64::NAN)]
    }
}
