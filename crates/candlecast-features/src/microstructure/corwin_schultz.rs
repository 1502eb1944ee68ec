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
    last: Option<Extremes>,
    window: Window<Sums<1>>,
    n: f64,
}

/// The spread that two successive ranges speak of.
fn spread(a: Extremes, b: Extremes) -> f64 {
    let squared = |e: Extremes| (e.high / e.low).ln().powi(2);
    let k = 3.0 - 2.0 * std::f64::consts::SQRT_2;
    let beta = squared(a) + squared(b);
    let gamma = squared(a.join(b));
    let alpha = ((2.0 * beta).sqrt() - beta.sqrt()) / k - (gamma / k).sqrt();
    // 2 (e^a - 1) / (1 + e^a) without overflow.
    (2.0 * (alpha / 2.0).tanh()).max(0.0)
}

impl Formula<1> for CorwinSchultz {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let candle = Extremes::of(o.candle.high, o.candle.low);
        let Some(last) = self.last.replace(candle) else { return [f64::NAN] };
        let sum = self.window.push(Sums([spread(last, candle)]));
        [sum.map_or(f64::NAN, |s| s.0[0] / self.n)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_all_spread_is_found() {
        // Without volatility every candle spans exactly bid to ask.
        let candle = Extremes::of(100.5, 99.5);
        assert!((spread(candle, candle) - 0.01).abs() < 1e-4);
        assert_eq!(spread(Extremes::of(101.0, 100.0), Extremes::of(104.0, 103.0)), 0.0);
    }
}
