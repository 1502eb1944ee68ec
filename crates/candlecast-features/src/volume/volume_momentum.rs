//! Volume against the volume before.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Lag, Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "volume_momentum",
    group: Group::Volume,
    summary: "volume of n candles over that of the n before; missing where either has none",
    unit: "log",
    formula: "ln(sum(volume, n)[t] / sum(volume, n)[t-n])",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[12]],
    outputs: &["volume_momentum"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = VolumeMomentum { window: Window::new(n), past: Lag::new(n) };
        Ok(own(ids, 2 * n - 1, Memory::Finite(2 * n), start))
    },
};

#[derive(Debug, Clone)]
struct VolumeMomentum {
    window: Window<Sums<1>>,
    past: Lag,
}

impl VolumeMomentum {
    #[inline]
    fn change(&mut self, volume: f64) -> Option<f64> {
        let Sums([sum]) = self.window.push(Sums([volume]))?;
        let before = self.past.push(sum)?;
        Some((sum / before).ln())
    }
}

impl Formula<1> for VolumeMomentum {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.change(o.candle.volume).unwrap_or(f64::NAN)]
    }
}
