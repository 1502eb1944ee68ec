//! Scaled return times relative volume: whether a move that many traded goes on otherwise than one that few did.

use super::log_volume_ratio::{HALF_LIFE, LogVolumeRatio};
use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::scaled::{SCALED_WARMUP, SIGMA_HALF_LIFE, Scaled};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "return_times_volume",
    group: Group::Volume,
    summary: "scaled return of one candle times log_volume_ratio, of this candle and of the one before",
    unit: "standard deviations, -12 to 12",
    formula: "v = scaled_return_1 * log_volume_ratio_l, v[t], v[t-1]",
    source: "definition",
    params: &[HALF_LIFE],
    listed: &[&[168]],
    outputs: &["return_volume", "return_volume_previous"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let l = p[0] as usize;
        let start = ReturnTimesVolume { scaled: Scaled::default(), ratio: LogVolumeRatio::new(l), previous: None };
        let warmup = SCALED_WARMUP.max(LogVolumeRatio::warmup(l)) + 1;
        Ok(own(ids, warmup, Memory::halving(SIGMA_HALF_LIFE.max(l as f64), 1, l + 1), start))
    },
};

#[derive(Debug, Clone)]
struct ReturnTimesVolume {
    scaled: Scaled,
    ratio: LogVolumeRatio,
    previous: Option<f64>,
}

impl Formula<2> for ReturnTimesVolume {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let scaled = self.scaled.push(o.candle.close);
        let ratio = self.ratio.push(o.candle.volume);
        let (Some(scaled), Some(ratio)) = (scaled, ratio) else { return [f64::NAN; 2] };
        let now = scaled.z * ratio;
        // Both begin together, so that a row is either complete or missing.
        self.previous.replace(now).map_or([f64::NAN; 2], |previous| [now, previous])
    }
}
