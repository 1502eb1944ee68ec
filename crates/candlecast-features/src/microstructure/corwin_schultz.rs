//! Estimate of the bid-ask spread from highs and lows by Corwin and Schultz.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Aggregate, Extremes, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "corwin_schultz",
    group: Group::Microstructure,
    summary: "mean spread estimate from the highs and lows of n pairs of candles, negative estimates as 0",
    unit: "share of price, estimate",
    formula: "mean(max(0, 2 (e^a - 1) / (1 + e^a)), n), a = (sqrt(2 b) - sqrt(b)) / (3 - 2 sqrt(2)) - sqrt(g / (3 - 2 sqrt(2))), b the sum of two squared log ranges, g the squared log range of both",
    source: "Corwin and Schultz 2012, without the overnight adjustment (markets never close)",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["corwin_schultz"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n, Memory::Finite(n + 1), CorwinSchultz { last: None, window: Window::new(n), n: n as f64 }))
    },
};

#[derive(Debug, Clone)]
struct CorwinSchultz {
    /// The last candle, and its squared log range.
    last: Option<(Extremes, f64)>,
    window: Window<Sums<1>>,
    n: f64,
}

/// Squared log range.
#[inline]
fn squared_range(e: Extremes) -> f64 {
    (e.high / e.low).ln().powi(2)
}

/// The spread that two successive ranges speak of, from the sum of their squared log ranges and that of both.
#[inline]
fn spread(beta: f64, gamma: f64) -> f64 {
    let k = 3.0 - 2.0 * std::f64::consts::SQRT_2;
    let alpha = ((2.0 * beta).sqrt() - beta.sqrt()) / k - (gamma / k).sqrt();
    // 2 (e^a - 1) / (1 + e^a) without overflow; negative for half of all pairs, which are 0.
    if alpha > 0.0 { 2.0 * (alpha / 2.0).tanh() } else { 0.0 }
}

impl Formula<1> for CorwinSchultz {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let candle = Extremes::of(o.candle.high, o.candle.low);
        let squared = squared_range(candle);
        let Some((last, last_squared)) = self.last.replace((candle, squared)) else { return [f64::NAN] };
        let sum = self.window.push(Sums([spread(last_squared + squared, squared_range(last.join(candle)))]));
        [sum.map_or(f64::NAN, |s| s.0[0] / self.n)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_all_spread_is_found() {
        // Without volatility every candle spans exactly bid to ask.
        let squared = squared_range(Extremes::of(100.5, 99.5));
        assert!((spread(2.0 * squared, squared) - 0.01).abs() < 1e-4);
        let (low, high) = (Extremes::of(101.0, 100.0), Extremes::of(104.0, 103.0));
        assert_eq!(spread(squared_range(low) + squared_range(high), squared_range(low.join(high))), 0.0);
    }
}
