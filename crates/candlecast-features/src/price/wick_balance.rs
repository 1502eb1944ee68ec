//! Upper wick less lower wick in units of volatility, of one candle and of the mean of `n`.

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::{Sums, Window};
use crate::scaled::{SCALED_WARMUP, Scaled, bounded, scaled_memory};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

/// What makes the mean of a day's wicks about as wide as the wicks of one candle.
const MEAN_SCALE: f64 = 4.0;

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "wick_balance",
    group: Group::Price,
    summary: "upper wick less lower wick in units of volatility",
    unit: "standard deviations, -4 to 4",
    formula: "clip(w, -4, 4), w = ((high - max(open, close)) - (min(open, close) - low)) / (close sigma), sigma as in scaled_return",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["wick_balance"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, SCALED_WARMUP, scaled_memory(1), Balance { scaled: Scaled::default() })),
};

pub(crate) const MEAN: FeatureSpec = FeatureSpec {
    id: "wick_balance_mean",
    group: Group::Price,
    summary: "mean of upper wick less lower wick over n candles, each in units of its volatility",
    unit: "quarters of a standard deviation, -4 to 4",
    formula: "clip(4 mean(w, n), -4, 4), w as in wick_balance before it is clipped",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["wick_balance_mean"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = Mean {
            balance: Balance { scaled: Scaled::default() },
            window: Window::new(n),
            factor: MEAN_SCALE / n as f64,
        };
        Ok(own(ids, SCALED_WARMUP + n - 1, scaled_memory(n), start))
    },
};

#[derive(Debug, Clone)]
struct Balance {
    scaled: Scaled,
}

impl Balance {
    /// In standard deviations, without bounds.
    #[inline]
    fn push(&mut self, o: &Observation) -> Option<f64> {
        let c = &o.candle;
        let sigma = self.scaled.push(c.close)?.sigma;
        Some(((c.high - c.open.max(c.close)) - (c.open.min(c.close) - c.low)) / c.close / sigma)
    }
}

impl Formula<1> for Balance {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.push(o).map_or(f64::NAN, bounded)]
    }
}

#[derive(Debug, Clone)]
struct Mean {
    balance: Balance,
    window: Window<Sums<1>>,
    factor: f64,
}

impl Formula<1> for Mean {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let sum = self.balance.push(o).and_then(|w| self.window.push(Sums([w])));
        [sum.map_or(f64::NAN, |s| bounded(s.0[0] * self.factor))]
    }
}
