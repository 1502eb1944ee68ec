//! [`Guard`]: where TA-Lib gives a number for 0/0 (RSI of constant prices), the feature is undefined.

use std::fmt;

use candlecast_core::Candle;

use crate::indicator::Observation;
use crate::rolling::{Extremes, Sums, Window};

/// Watches every candle and says where values are defined.
pub(crate) trait Guard: fmt::Debug + Clone + Send + Sync + 'static {
    /// True if values are defined everywhere, so that nobody need ask.
    const EVERYWHERE: bool = false;

    /// True where the values at this candle are defined. In the warm-up the answer does not matter.
    fn defined(&mut self, o: &Observation) -> bool;
}

/// TA-Lib's values are defined everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Always;

impl Guard for Always {
    const EVERYWHERE: bool = true;

    #[inline]
    fn defined(&mut self, _: &Observation) -> bool {
        true
    }
}

/// Defined once the close has changed: Wilder's averages of gains and losses are both 0 until then.
#[derive(Debug, Clone, Default)]
pub(crate) struct CloseMoved {
    first: Option<f64>,
    moved: bool,
}

impl Guard for CloseMoved {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let first = *self.first.get_or_insert(o.candle.close);
        self.moved |= o.candle.close != first;
        self.moved
    }
}

/// Defined once a true range above 0 was seen, which Wilder's average never forgets entirely.
#[derive(Debug, Clone, Default)]
pub(crate) struct RangeMoved {
    previous: Option<f64>,
    moved: bool,
}

impl Guard for RangeMoved {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let c = &o.candle;
        if let Some(previous) = self.previous.replace(c.close) {
            self.moved |= c.high != c.low || c.close != previous;
        }
        self.moved
    }
}

/// Defined where prices of the newest `len` candles span a range, now and over the `smooth` newest values.
#[derive(Debug, Clone)]
pub(crate) struct Ranged {
    window: Window<Extremes>,
    span: fn(&Candle) -> (f64, f64),
    smooth: usize,
    since_flat: usize,
}

impl Ranged {
    /// Watches highs and lows of `len` candles, for values that are smoothed over `smooth` candles.
    pub(crate) fn high_low(len: usize, smooth: usize) -> Self {
        Self::of(len, smooth, |c| (c.high, c.low))
    }

    /// Watches closes.
    pub(crate) fn close(len: usize, smooth: usize) -> Self {
        Self::of(len, smooth, |c| (c.close, c.close))
    }

    /// Watches typical prices, `(high + low + close) / 3`.
    pub(crate) fn typical(len: usize) -> Self {
        Self::of(len, 1, |c| {
            let typical = (c.high + c.low + c.close) / 3.0;
            (typical, typical)
        })
    }

    fn of(len: usize, smooth: usize, span: fn(&Candle) -> (f64, f64)) -> Self {
        Self { window: Window::new(len), span, smooth, since_flat: usize::MAX }
    }
}

impl Guard for Ranged {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let (high, low) = (self.span)(&o.candle);
        let flat = self.window.push(Extremes::of(high, low)).is_some_and(|e| e.high == e.low);
        self.since_flat = if flat { 0 } else { self.since_flat.saturating_add(1) };
        self.since_flat >= self.smooth
    }
}

/// Defined where the newest `len` candles have volume.
#[derive(Debug, Clone)]
pub(crate) struct Traded {
    volume: Window<Sums<1>>,
}

impl Traded {
    /// Watches `len` candles.
    pub(crate) fn new(len: usize) -> Self {
        Self { volume: Window::new(len) }
    }
}

impl Guard for Traded {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        self.volume.push(Sums([o.candle.volume])).is_none_or(|s| s.0[0] > 0.0)
    }
}

/// Defined where the newest `len` candles have money flow: volume at a typical price that changed.
#[derive(Debug, Clone)]
pub(crate) struct MoneyMoved {
    previous: Option<f64>,
    flow: Window<Sums<1>>,
}

impl MoneyMoved {
    /// Watches `len` flows.
    pub(crate) fn new(len: usize) -> Self {
        Self { previous: None, flow: Window::new(len) }
    }
}

impl Guard for MoneyMoved {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let c = &o.candle;
        let typical = (c.high + c.low + c.close) / 3.0;
        let Some(previous) = self.previous.replace(typical) else { return true };
        let flow = if typical == previous { 0.0 } else { typical * c.volume };
        self.flow.push(Sums([flow])).is_none_or(|s| s.0[0] > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;

    use super::*;

    fn at(price: f64, volume: f64) -> Observation {
        let candle = Candle {
            open_time: Timestamp(0),
            open: price,
            high: price,
            low: price,
            close: price,
            volume,
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        };
        Observation { candle, filled: false }
    }

    fn run(mut guard: impl Guard, candles: &[(f64, f64)]) -> Vec<bool> {
        candles.iter().map(|&(price, volume)| guard.defined(&at(price, volume))).collect()
    }

    #[test]
    fn a_first_move_defines_for_good() {
        let flat_then_move = [(1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (2.0, 1.0)];
        assert_eq!(run(CloseMoved::default(), &flat_then_move), [false, false, true, true]);
        assert_eq!(run(RangeMoved::default(), &flat_then_move), [false, false, true, true]);
    }

    #[test]
    fn flat_windows_are_undefined_as_long_as_they_are_smoothed_over() {
        let prices = [(1.0, 1.0), (2.0, 1.0), (2.0, 1.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0)];
        assert_eq!(run(Ranged::close(3, 1), &prices), [true, true, true, false, true, true]);
        assert_eq!(run(Ranged::close(3, 2), &prices), [true, true, true, false, false, true]);
    }

    #[test]
    fn windows_without_trades_are_undefined() {
        let candles = [(1.0, 0.0), (2.0, 0.0), (3.0, 1.0), (3.0, 1.0), (3.0, 1.0)];
        assert_eq!(run(Traded::new(2), &candles), [true, false, true, true, true]);
        assert_eq!(run(MoneyMoved::new(2), &candles), [true, true, true, true, false]);
    }
}
