//! Volume over its mean.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "volume_ratio",
    group: Group::Volume,
    summary: "volume over the mean volume of n candles, this one included; missing where they have none",
    unit: "ratio",
    formula: "volume / mean(volume, n)",
    source: "definition",
    params: &[ParamRange::candles("n", 2, 10_000)],
    listed: &[&[20]],
    outputs: &["volume_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), VolumeRatio { window: Window::new(n), n: n as f64 }))
    },
};

#[derive(Debug, Clone)]
struct VolumeRatio {
    window: Window<Sums<1>>,
    n: f64,
}

impl Formula<1> for VolumeRatio {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let volume = o.candle.volume;
        [self.window.push(Sums([volume])).map_or(f64::NAN, |s| volume * self.n / s.0[0])]
    }
}
