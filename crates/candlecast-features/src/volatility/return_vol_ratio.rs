//! Scaled return times the ratio of two volatilities: whether moves go on otherwise while volatility rises.

use super::log_vol_ratio::{HALF_LIFE, LogVolRatio};
use crate::formula::{Formula, own};
use crate::indicator::Observation;
use crate::rolling::Lag;
use crate::scaled::{SCALED_WARMUP, bounded};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "return_vol_ratio",
    group: Group::Volatility,
    summary: "scaled return over n candles times log_vol_ratio of half-life l",
    unit: "standard deviations, -8 to 8",
    formula: "scaled_return_n * log_vol_ratio_l",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000), HALF_LIFE],
    listed: &[&[1, 6], &[4, 6], &[24, 720]],
    outputs: &["return_vol_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let (n, half_life) = (p[0] as usize, f64::from(p[1]));
        let start = ReturnVolRatio { ratio: LogVolRatio::new(half_life), past: Lag::new(n), root: (n as f64).sqrt() };
        Ok(own(ids, n.max(SCALED_WARMUP), LogVolRatio::memory(half_life, n), start))
    },
};

#[derive(Debug, Clone)]
struct ReturnVolRatio {
    ratio: LogVolRatio,
    past: Lag,
    root: f64,
}

impl Formula<1> for ReturnVolRatio {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let close = o.candle.close;
        let past = self.past.push(close);
        let (Some((sigma, ratio)), Some(past)) = (self.ratio.push(close), past) else { return [f64::NAN] };
        [bounded((close / past).ln() / (sigma * self.root)) * ratio]
    }
}
