//! Mean size of a trade.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "quote_per_trade",
    group: Group::Volume,
    summary: "quote volume a trade over n candles; missing without trades or their columns",
    unit: "quote",
    formula: "sum(quote_volume, n) / sum(trades, n)",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 10_000)],
    listed: &[&[24]],
    outputs: &["quote_per_trade"],
    cost: "O(1)",
    scale: Scale::TURNOVER,
    requires: &["quote_volume", "trades"],
    version: 1,
    build: |ids, p| {
        let n = p[0] as usize;
        Ok(own(ids, n - 1, Memory::Finite(n), QuotePerTrade { window: Window::new(n) }))
    },
};

#[derive(Debug, Clone)]
struct QuotePerTrade {
    window: Window<Sums<2>>,
}

impl Formula<1> for QuotePerTrade {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let (quote, trades) = (o.candle.quote_volume, o.candle.trades);
        let item = Sums([quote.unwrap_or(f64::NAN), trades.unwrap_or(f64::NAN)]);
        [self.window.push(item).map_or(f64::NAN, |s| s.0[0] / s.0[1])]
    }
}
