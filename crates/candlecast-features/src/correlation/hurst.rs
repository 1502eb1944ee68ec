//! Hurst exponent.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Aggregate, CoMoments, Lag, Moments, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "hurst",
    group: Group::Correlation,
    summary: "Hurst exponent: 0.5 for a random walk, above for persistence, below for reversion; missing where prices stand still",
    unit: "exponent",
    formula: "slope of ln(std(ln(close[t] / close[t-k]), n)) on ln(k), k = 1, 2, 4, 8, 16, population standard deviation",
    source: "generalised Hurst exponent of order 2, Di Matteo 2007",
    params: &[ParamRange::candles("n", 20, 10_000)],
    listed: &[&[128]],
    outputs: &["hurst"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let longest = LAGS[LAGS.len() - 1];
        Ok(own(ids, n - 1 + longest, Memory::Finite(n + longest), Hurst { scales: LAGS.map(|k| LagSpread::new(k, n)) }))
    },
};

/// Lags over which the spread of differences is compared.
const LAGS: [usize; 5] = [1, 2, 4, 8, 16];

/// Standard deviation of differences over a lag.
#[derive(Debug, Clone)]
struct LagSpread {
    lag: f64,
    past: Lag,
    window: Window<Moments>,
}

impl LagSpread {
    fn new(lag: usize, n: usize) -> Self {
        Self { lag: lag as f64, past: Lag::new(lag), window: Window::new(n) }
    }

    #[inline]
    fn push(&mut self, close: f64) -> Option<f64> {
        let past = self.past.push(close)?;
        self.window.push(Moments::of((close / past).ln())).map(|m| m.variance().sqrt())
    }
}

#[derive(Debug, Clone)]
struct Hurst {
    scales: [LagSpread; LAGS.len()],
}

impl Formula<1> for Hurst {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let mut line = CoMoments::EMPTY;
        let mut complete = true;
        for scale in &mut self.scales {
            match scale.push(o.candle.close) {
                Some(spread) => line = line.join(CoMoments::of(scale.lag.ln(), spread.ln())),
                None => complete = false,
            }
        }
        [if complete { line.slope() } else { f64::NAN }]
    }
}
