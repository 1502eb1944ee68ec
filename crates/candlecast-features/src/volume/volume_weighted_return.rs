//! Mean of scaled returns weighted by volume.

use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::{Sums, Window};
use crate::scaled::{SCALED_WARMUP, Scaled, bounded, scaled_memory};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "volume_weighted_return",
    group: Group::Volume,
    summary: "mean scaled return of n candles weighted by volume, in units of such a mean's deviation; 0 where they have no volume",
    unit: "standard deviations, -4 to 4",
    formula: "clip(sqrt(n) sum(scaled_return_1 * volume, n) / sum(volume, n), -4, 4)",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[6], &[24], &[168]],
    outputs: &["volume_weighted_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = Weighted { scaled: Scaled::default(), window: Window::new(n), root: (n as f64).sqrt() };
        Ok(own(ids, SCALED_WARMUP + n - 1, scaled_memory(n), start))
    },
};

#[derive(Debug, Clone)]
struct Weighted {
    scaled: Scaled,
    window: Window<Sums<2>>,
    root: f64,
}

impl Weighted {
    #[inline]
    fn mean(&mut self, o: &Observation) -> Option<f64> {
        let z = self.scaled.push(o.candle.close)?.z;
        let volume = o.candle.volume;
        let Sums([weighted, traded]) = self.window.push(Sums([z * volume, volume]))?;
        Some(if traded > 0.0 { bounded(self.root * (weighted / traded)) } else { 0.0 })
    }
}

impl Formula<1> for Weighted {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.mean(o).unwrap_or(f64::NAN)]
    }
}
