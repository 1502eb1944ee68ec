//! Distance of the log close from its exponential average, in units of volatility.

use candlecast_core::SigmaState;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::Returns;
use crate::scaled::{SCALED_WARMUP, SIGMA_HALF_LIFE, bounded};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "scaled_ema_distance",
    group: Group::Average,
    summary: "log close less its exponential average of span n, in units of the volatility of n candles",
    unit: "standard deviations, -4 to 4",
    formula: "clip((ln close - ewma(ln close)) / (sigma sqrt(n)), -4, 4), weights (1 - 2 / (n + 1))^k that sum to 1, sigma as in scaled_return",
    source: "definition",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[20], &[50], &[200]],
    outputs: &["scaled_ema_distance"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = f64::from(p[0]);
        let kept = (n - 1.0) / (n + 1.0);
        let start = Distance {
            sigma: SigmaState::default(),
            returns: Returns::default(),
            weight: 1.0,
            distance: 0.0,
            kept,
            root: n.sqrt(),
        };
        let memory = Memory::decaying(kept, 1, 1).max(Memory::halving(SIGMA_HALF_LIFE, 1, 1));
        Ok(own(ids, SCALED_WARMUP, memory, start))
    },
};

/// The average is not kept, only the distance from it: that neither depends on the price level nor loses digits to it.
#[derive(Debug, Clone)]
struct Distance {
    sigma: SigmaState,
    returns: Returns,
    /// Sum of the weights of the closes so far.
    weight: f64,
    distance: f64,
    kept: f64,
    root: f64,
}

impl Formula<1> for Distance {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let close = o.candle.close;
        let sigma = self.sigma.step(close.ln());
        if let Some(r) = self.returns.push(close) {
            let older = self.kept * self.weight;
            self.weight = older + 1.0;
            // The new average is (older average * older + log close) / weight.
            self.distance = (self.distance + r) * (older / self.weight);
        }
        [bounded(self.distance / (sigma * self.root))]
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Candle, Ewma, Timestamp};

    use super::*;

    #[test]
    fn the_distance_is_that_from_a_weighted_mean_of_log_closes() {
        let kept = 19.0 / 21.0;
        let mut average = Ewma::new(0.5_f64.ln() / f64::ln(kept));
        let mut state = Distance {
            sigma: SigmaState::default(),
            returns: Returns::default(),
            weight: 1.0,
            distance: 0.0,
            kept,
            root: 1.0,
        };
        for i in 0..300_u32 {
            let close = 100.0 + f64::from(i * i % 17);
            average.push(close.ln());
            let (open, high, low) = (close, close, close);
            let candle = Candle {
                open_time: Timestamp(0),
                open,
                high,
                low,
                close,
                volume: 1.0,
                quote_volume: None,
                trades: None,
                taker_buy_base: None,
            };
            state.step(&Observation { candle, filled: false });
            assert!((state.distance - (close.ln() - average.mean())).abs() < 1e-13, "{i}");
        }
    }
}
