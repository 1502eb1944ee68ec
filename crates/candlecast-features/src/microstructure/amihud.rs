//! Illiquidity by Amihud: how far a unit of traded value moves the price.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Aggregate, Moments, Returns, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "amihud",
    group: Group::Microstructure,
    summary: "mean absolute return per traded quote unit over n candles; those without trades are left out",
    unit: "share per quote unit, estimate",
    formula: "mean(abs(r) / quote_volume, n), volume * close where the source has no quote volume",
    source: "Amihud 2002",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["amihud"],
    cost: "O(1)",
    scale: Scale { price: -1, volume: -1 },
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n, Memory::Finite(n + 1), Amihud { returns: Returns::default(), window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct Amihud {
    returns: Returns,
    window: Window<Moments>,
}

impl Formula<1> for Amihud {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let Some(r) = self.returns.push(c.close) else { return [f64::NAN] };
        let value = c.quote_volume.unwrap_or(c.volume * c.close);
        let item = if value > 0.0 { Moments::of(r.abs() / value) } else { Moments::EMPTY };
        [self.window.push(item).map_or(f64::NAN, |m| m.mean())]
    }
}
