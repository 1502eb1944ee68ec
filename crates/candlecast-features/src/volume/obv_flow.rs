//! Change of on-balance volume as a share of volume.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "obv_flow",
    group: Group::Volume,
    summary: "change of on-balance volume over n candles as a share of their volume; missing where they have none",
    unit: "-1 to 1",
    formula: "sum(volume * sign(close[t] - close[t-1]), n) / sum(volume, n)",
    source: "OBV of Granville 1963, differenced",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[20]],
    outputs: &["obv_flow"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n, Memory::Finite(n + 1), ObvFlow { close: None, window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct ObvFlow {
    close: Option<f64>,
    window: Window<Sums<2>>,
}

impl Formula<1> for ObvFlow {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let Some(close) = self.close.replace(c.close) else { return [f64::NAN] };
        let sign = f64::from(i8::from(c.close > close) - i8::from(c.close < close));
        let sums = self.window.push(Sums([sign * c.volume, c.volume]));
        [sums.map_or(f64::NAN, |s| s.0[0] / s.0[1])]
    }
}
