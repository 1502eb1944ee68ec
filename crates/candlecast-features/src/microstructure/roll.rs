//! Roll's estimate of the bid-ask spread.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{CoMoments, Returns, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "roll_spread",
    group: Group::Microstructure,
    summary: "spread estimate from the serial covariance of log returns; negative where they are positively correlated",
    unit: "share of price, estimate",
    formula: "2 * sign(-c) * sqrt(abs(c)), c = covariance(r[t], r[t-1]) of n pairs",
    source: "Roll 1984, signed as by Harris 1990",
    params: &[ParamRange::candles("n", 3, 10_000)],
    listed: &[&[24]],
    outputs: &["roll_spread"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        let start = Roll { returns: Returns::default(), last: None, window: Window::new(n) };
        Ok(own(ids, n + 1, Memory::Finite(n + 2), start))
    },
};

#[derive(Debug, Clone)]
struct Roll {
    returns: Returns,
    last: Option<f64>,
    window: Window<CoMoments>,
}

impl Roll {
    #[inline]
    fn covariance(&mut self, close: f64) -> Option<f64> {
        let r = self.returns.push(close)?;
        let before = self.last.replace(r)?;
        self.window.push(CoMoments::of(before, r)).map(|m| m.covariance())
    }
}

impl Formula<1> for Roll {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        [self.covariance(o.candle.close).map_or(f64::NAN, |c| -2.0 * c.abs().sqrt().copysign(c))]
    }
}
