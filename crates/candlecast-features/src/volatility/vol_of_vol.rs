//! How much volatility itself varies.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Moments, Returns, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "vol_of_vol",
    group: Group::Volatility,
    summary: "coefficient of variation of realised volatility over n candles; missing where prices stand still",
    unit: "share",
    formula: "std(v, n) / mean(v, n), v = sqrt(mean(r^2, n)), population standard deviation",
    source: "definition",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[24]],
    outputs: &["vol_of_vol"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = VolOfVol {
            returns: Returns::default(),
            squares: Window::new(n),
            volatilities: Window::new(n),
            n: n as f64,
        };
        Ok(own(ids, 2 * n - 1, Memory::Finite(2 * n), start))
    },
};

#[derive(Debug, Clone)]
struct VolOfVol {
    returns: Returns,
    squares: Window<Sums<1>>,
    volatilities: Window<Moments>,
    n: f64,
}

impl VolOfVol {
    #[inline]
    fn variation(&mut self, close: f64) -> Option<f64> {
        let r = self.returns.push(close)?;
        let volatility = (self.squares.push(Sums([r * r]))?.0[0] / self.n).sqrt();
        let moments = self.volatilities.push(Moments::of(volatility))?;
        Some(moments.variance().sqrt() / moments.mean())
    }
}

impl Formula<1> for VolOfVol {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.variation(o.candle.close).unwrap_or(f64::NAN)]
    }
}
