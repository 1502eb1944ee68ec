//! The five scale-free inputs of the fast LSTM: candle prices over the last close, and volume over its mean.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Sums, Window};
use crate::spec::{FeatureSpec, Group, Scale};

/// Candles of the mean volume.
const VOLUME_CANDLES: usize = 24;

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "ohlcv",
    group: Group::Price,
    summary: "open, high, low and close over the last close, and volume over its mean of 24 candles",
    unit: "log",
    formula: "ln(x[t] / close[t-1]) for x in open, high, low, close; ln(1 + volume / mean(volume, 24))",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["ohlcv_open", "ohlcv_high", "ohlcv_low", "ohlcv_close", "ohlcv_volume"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| {
        let start = Ohlcv { close: None, volume: Window::new(VOLUME_CANDLES) };
        Ok(own(ids, VOLUME_CANDLES - 1, Memory::Finite(VOLUME_CANDLES), start))
    },
};

#[derive(Debug, Clone)]
struct Ohlcv {
    close: Option<f64>,
    volume: Window<Sums<1>>,
}

impl Formula<5> for Ohlcv {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 5] {
        let c = &o.candle;
        let previous = self.close.replace(c.close);
        let sum = self.volume.push(Sums([c.volume]));
        // All five begin together, so that a row is either complete or missing.
        let (Some(previous), Some(Sums([sum]))) = (previous, sum) else { return [f64::NAN; 5] };
        let over = |price: f64| (price / previous).ln();
        let volume = (c.volume * VOLUME_CANDLES as f64 / sum).ln_1p();
        [over(c.open), over(c.high), over(c.low), over(c.close), volume]
    }
}
