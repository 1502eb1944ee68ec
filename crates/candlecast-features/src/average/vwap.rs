//! Volume-weighted average price of `n` candles, and the distance of the close from it.

use crate::formula::{Formula, own};
use crate::indicator::{Indicator, Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 1, 10_000)];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "vwap",
    group: Group::Average,
    summary: "volume-weighted average price of n candles; missing where they have no volume",
    unit: "quote",
    formula: "sum(typical * volume, n) / sum(volume, n), typical = (high + low + close) / 3",
    source: "definition, rolling",
    params: PARAMS,
    listed: &[&[24]],
    outputs: &["vwap"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p, |_, vwap| vwap)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "vwap_ratio",
    group: Group::Average,
    summary: "distance of the close from the volume-weighted average price of n candles",
    unit: "share",
    formula: "close / vwap - 1",
    source: "definition, rolling",
    params: PARAMS,
    listed: &[&[24]],
    outputs: &["vwap_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p, |close, vwap| close / vwap - 1.0)),
};

fn build(ids: Vec<String>, p: &[u32], of: fn(f64, f64) -> f64) -> Box<dyn Indicator> {
    let n = p[0] as usize;
    own(ids, n - 1, Memory::Finite(n), Vwap { window: Window::new(n), of })
}

#[derive(Debug, Clone)]
struct Vwap {
    window: Window<Sums<2>>,
    of: fn(f64, f64) -> f64,
}

impl Formula<1> for Vwap {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let typical = (c.high + c.low + c.close) / 3.0;
        match self.window.push(Sums([typical * c.volume, c.volume])) {
            Some(Sums([value, volume])) => [(self.of)(c.close, value / volume)],
            None => [f64::NAN],
        }
    }
}
