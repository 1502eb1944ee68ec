//! Volatility of the newest candles, or of a long time, against the one that returns are scaled by.

use candlecast_core::{Ewma, SigmaState};

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::Returns;
use crate::scaled::{SCALED_WARMUP, SIGMA_HALF_LIFE};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

/// Bound on either side: a seventh or sevenfold.
const LIMIT: f64 = 2.0;
/// Added to the other volatility, so that a standstill has a logarithm.
const FLOOR: f64 = 1e-5;

pub(super) const HALF_LIFE: ParamRange = ParamRange::candles("l", 1, 10_000);

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "log_vol_ratio",
    group: Group::Volatility,
    summary: "log of the faster over the slower of two exponential volatilities: the one of half-life 72 that returns are scaled by, and one of half-life l",
    unit: "log, -2 to 2",
    formula: "clip(x, -2, 2), x = ln((s + 0.00001) / sigma) for l below 72, otherwise -x; s = sqrt(ewma(r^2)), weights that halve in l candles and sum to 1, sigma as in scaled_return",
    source: "definition",
    params: &[HALF_LIFE],
    listed: &[&[6], &[720]],
    outputs: &["log_vol_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let start = Newest { ratio: LogVolRatio::new(f64::from(p[0])) };
        Ok(own(ids, SCALED_WARMUP, LogVolRatio::memory(f64::from(p[0]), 1), start))
    },
};

/// The ratio, close by close.
#[derive(Debug, Clone)]
pub(super) struct LogVolRatio {
    sigma: SigmaState,
    returns: Returns,
    other: Ewma,
    /// 1 where the other volatility is the faster one, otherwise -1.
    sign: f64,
}

impl LogVolRatio {
    /// Beside the volatility whose weights halve in `half_life` candles, at least 1.
    pub(super) fn new(half_life: f64) -> Self {
        let sign = if half_life < SIGMA_HALF_LIFE { 1.0 } else { -1.0 };
        Self { sigma: SigmaState::default(), returns: Returns::default(), other: Ewma::new(half_life), sign }
    }

    /// Memory of the ratios of the newest `lookback` candles.
    pub(super) fn memory(half_life: f64, lookback: usize) -> Memory {
        Memory::halving(half_life.max(SIGMA_HALF_LIFE), 1, lookback)
    }

    /// Takes a close; volatility and ratio, `None` over the first [`SCALED_WARMUP`] closes.
    #[inline]
    pub(super) fn push(&mut self, close: f64) -> Option<(f64, f64)> {
        let sigma = self.sigma.step(close.ln());
        let r = self.returns.push(close)?;
        self.other.push(r * r);
        let ratio = self.sign * ((self.other.mean().sqrt() + FLOOR) / sigma).ln();
        (!sigma.is_nan()).then(|| (sigma, ratio.clamp(-LIMIT, LIMIT)))
    }
}

#[derive(Debug, Clone)]
struct Newest {
    ratio: LogVolRatio,
}

impl Formula<1> for Newest {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.ratio.push(o.candle.close).map_or(f64::NAN, |(_, ratio)| ratio)]
    }
}
