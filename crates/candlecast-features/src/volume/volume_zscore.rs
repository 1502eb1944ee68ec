//! Volume in standard deviations from its mean.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Moments, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "volume_zscore",
    group: Group::Volume,
    summary: "volume less the mean of n candles over their standard deviation; missing where they are equal",
    unit: "standard deviations",
    formula: "(volume - mean(volume, n)) / std(volume, n), population standard deviation",
    source: "definition",
    params: &[ParamRange::candles("n", 3, 10_000)],
    listed: &[&[20]],
    outputs: &["volume_zscore"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), ZScore { window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct ZScore {
    window: Window<Moments>,
}

impl Formula<1> for ZScore {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let volume = o.candle.volume;
        let moments = self.window.push(Moments::of(volume));
        [moments.map_or(f64::NAN, |m| (volume - m.mean()) / m.variance().sqrt())]
    }
}
