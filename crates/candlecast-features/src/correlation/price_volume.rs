//! Correlation of returns with volume.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{CoMoments, Returns, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "price_volume_corr",
    group: Group::Correlation,
    summary: "correlation of log returns with volume over n candles; missing where either does not vary",
    unit: "-1 to 1",
    formula: "correlation(r, volume) over n candles",
    source: "Pearson",
    params: &[ParamRange::candles("n", 3, 10_000)],
    listed: &[&[24]],
    outputs: &["price_volume_corr"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = PriceVolume { returns: Returns::default(), window: Window::new(n) };
        Ok(own(ids, n, Memory::Finite(n + 1), start))
    },
};

#[derive(Debug, Clone)]
struct PriceVolume {
    returns: Returns,
    window: Window<CoMoments>,
}

impl Formula<1> for PriceVolume {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(r) = self.returns.push(o.candle.close) else { return [f64::NAN] };
        let joint = self.window.push(CoMoments::of(r, o.candle.volume));
        [joint.map_or(f64::NAN, |m| m.correlation())]
    }
}
