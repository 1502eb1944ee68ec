//! Volume over its exponential average as a log, of one candle and of the mean of `n`.

use candlecast_core::Ewma;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

/// Bound on either side: a twentieth or twentyfold of the usual volume.
const LIMIT: f64 = 3.0;

pub(super) const HALF_LIFE: ParamRange = ParamRange::candles("l", 1, 1_000);

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "log_volume_ratio",
    group: Group::Volume,
    summary: "log of volume over its exponential average, this candle included, weights halving in l candles; -3 without volume, 0 where there never was any",
    unit: "log, -3 to 3",
    formula: "clip(ln(volume / ewma(volume)), -3, 3), weights that halve in l candles and sum to 1",
    source: "definition",
    params: &[HALF_LIFE],
    listed: &[&[168]],
    outputs: &["log_volume_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let l = p[0] as usize;
        let start = Newest { ratio: LogVolumeRatio::new(l) };
        Ok(own(ids, LogVolumeRatio::warmup(l), Memory::halving(l as f64, 1, l), start))
    },
};

pub(crate) const MEAN: FeatureSpec = FeatureSpec {
    id: "log_volume_ratio_mean",
    group: Group::Volume,
    summary: "mean of log_volume_ratio over n candles",
    unit: "log, -3 to 3",
    formula: "mean(log_volume_ratio_l, n)",
    source: "definition",
    params: &[HALF_LIFE, ParamRange::candles("n", 1, 10_000)],
    listed: &[&[168, 24]],
    outputs: &["log_volume_ratio_mean"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let (l, n) = (p[0] as usize, p[1] as usize);
        let start = Mean { ratio: LogVolumeRatio::new(l), window: Window::new(n), n: n as f64 };
        Ok(own(ids, LogVolumeRatio::warmup(l) + n - 1, Memory::halving(l as f64, 1, l + n), start))
    },
};

/// The ratio, volume by volume.
#[derive(Debug, Clone)]
pub(super) struct LogVolumeRatio {
    usual: Ewma,
    half_life: usize,
}

impl LogVolumeRatio {
    /// With weights that halve in `half_life` candles, at least 1.
    pub(super) fn new(half_life: usize) -> Self {
        Self { usual: Ewma::new(half_life as f64), half_life }
    }

    /// Candles before the first ratio: an average of fewer than the half-life's is no level yet.
    pub(super) fn warmup(half_life: usize) -> usize {
        half_life - 1
    }

    /// Takes a volume; its ratio once the warm-up is over.
    #[inline]
    pub(super) fn push(&mut self, volume: f64) -> Option<f64> {
        self.usual.push(volume);
        if self.usual.count() < self.half_life {
            return None;
        }
        let usual = self.usual.mean();
        Some(if usual > 0.0 { (volume / usual).ln().clamp(-LIMIT, LIMIT) } else { 0.0 })
    }
}

#[derive(Debug, Clone)]
struct Newest {
    ratio: LogVolumeRatio,
}

impl Formula<1> for Newest {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.ratio.push(o.candle.volume).unwrap_or(f64::NAN)]
    }
}

#[derive(Debug, Clone)]
struct Mean {
    ratio: LogVolumeRatio,
    window: Window<Sums<1>>,
    n: f64,
}

impl Formula<1> for Mean {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let sum = self.ratio.push(o.candle.volume).and_then(|ratio| self.window.push(Sums([ratio])));
        [sum.map_or(f64::NAN, |s| s.0[0] / self.n)]
    }
}
