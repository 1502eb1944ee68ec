//! Share of volume that takers bought.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "taker_buy_share",
    group: Group::Volume,
    summary: "share of the volume of n candles that takers bought; missing without volume or taker-buy column",
    unit: "0-1",
    formula: "sum(taker_buy_base, n) / sum(volume, n)",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24], &[1]],
    outputs: &["taker_buy_share"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &["taker_buy_base"],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), TakerBuyShare { window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct TakerBuyShare {
    window: Window<Sums<2>>,
}

impl Formula<1> for TakerBuyShare {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        // A missing value makes every window missing that holds it: sums of NaN are NaN, and nothing is subtracted.
        let bought = c.taker_buy_base.unwrap_or(f64::NAN);
        [self.window.push(Sums([bought, c.volume])).map_or(f64::NAN, |s| s.0[0] / s.0[1])]
    }
}
