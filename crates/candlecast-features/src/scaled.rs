//! [`Scaled`]: one-candle log returns in units of the volatility that targets are measured in.

use candlecast_core::SigmaState;

use crate::indicator::Memory;
use crate::rolling::Returns;

/// Candles of a segment before the first volatility: it needs 32 returns.
pub(crate) const SCALED_WARMUP: usize = 32;
/// Candles in which the weights of [`SigmaState`] halve.
pub(crate) const SIGMA_HALF_LIFE: f64 = 72.0;

/// Bounds what is measured in standard deviations to -4 to 4, so that no single candle decides a fit; NaN stays.
#[inline]
pub(crate) fn bounded(z: f64) -> f64 {
    z.clamp(-4.0, 4.0)
}

/// Memory of what rests on the volatility of the newest `lookback` candles.
pub(crate) fn scaled_memory(lookback: usize) -> Memory {
    Memory::halving(SIGMA_HALF_LIFE, 1, lookback)
}

/// Volatility and scaled return, close by close.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scaled {
    sigma: SigmaState,
    returns: Returns,
}

/// What [`Scaled`] knows at a candle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScaledStep {
    /// Volatility of one-candle returns, at least [`candlecast_core::SIGMA_FLOOR`].
    pub(crate) sigma: f64,
    /// Log return of the candle over `sigma`, -4 to 4.
    pub(crate) z: f64,
}

impl Scaled {
    /// Takes a close; `None` over the first [`SCALED_WARMUP`] ones.
    #[inline]
    pub(crate) fn push(&mut self, close: f64) -> Option<ScaledStep> {
        let sigma = self.sigma.step(close.ln());
        let r = self.returns.push(close)?;
        (!sigma.is_nan()).then(|| ScaledStep { sigma, z: bounded(r / sigma) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_are_in_units_of_their_volatility_and_bounded() {
        let mut scaled = Scaled::default();
        let mut close = 100.0;
        for i in 0..200 {
            let step = scaled.push(close);
            assert_eq!(step.is_some(), i >= SCALED_WARMUP, "{i}");
            if let Some(step) = step {
                // Returns of one size and turning sign have that size as their volatility.
                assert!((step.sigma - 0.01).abs() < 1e-12 && (step.z.abs() - 1.0).abs() < 1e-9, "{step:?}");
            }
            close *= if i % 2 == 0 { 0.01_f64.exp() } else { (-0.01_f64).exp() };
        }
        assert_eq!(scaled.push(close * 2.0).map(|s| s.z), Some(4.0));
    }
}
