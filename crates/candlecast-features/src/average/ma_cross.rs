//! Golden-cross and death-cross state of two simple moving averages.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale, increasing};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ma_cross",
    group: Group::Average,
    summary: "1 while the fast mean is above the slow one (golden cross), -1 while below (death cross), 0 when equal",
    unit: "state",
    formula: "sign(mean(close, fast) - mean(close, slow))",
    source: "definition",
    params: &[ParamRange::candles("fast", 1, 5_000), ParamRange::candles("slow", 2, 10_000)],
    listed: &[&[20, 50], &[50, 200]],
    outputs: &["ma_cross"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        increasing(&ids, p, 0, 1, "fast and slow")?;
        let (fast, slow) = (p[0] as usize, p[1] as usize);
        Ok(own(ids, slow - 1, Memory::Finite(slow), Cross { fast: Mean::new(fast), slow: Mean::new(slow) }))
    },
};

/// Mean of the newest closes.
#[derive(Debug, Clone)]
struct Mean {
    window: Window<Sums<1>>,
    n: f64,
}

impl Mean {
    fn new(n: usize) -> Self {
        Self { window: Window::new(n), n: n as f64 }
    }

    #[inline]
    fn push(&mut self, close: f64) -> Option<f64> {
        self.window.push(Sums([close])).map(|s| s.0[0] / self.n)
    }
}

/// Means nearer than this share are equal: it is the rounding of two sums of one constant price.
const EQUAL: f64 = 1e-12;

#[derive(Debug, Clone)]
struct Cross {
    fast: Mean,
    slow: Mean,
}

impl Formula<1> for Cross {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let (fast, slow) = (self.fast.push(o.candle.close), self.slow.push(o.candle.close));
        let (Some(fast), Some(slow)) = (fast, slow) else { return [f64::NAN] };
        [if (fast - slow).abs() <= EQUAL * slow { 0.0 } else { (fast - slow).signum() }]
    }
}
