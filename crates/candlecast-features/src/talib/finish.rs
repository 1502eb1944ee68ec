//! [`Finish`]: what becomes of TA-Lib's values, such as a ratio to close in place of a price.

use std::fmt;

use crate::indicator::Observation;
use crate::rolling::{Sums, Window};

/// A step from `N` values of TA-Lib to `M` values of the feature. It sees every candle from the first on. Its state
/// may depend on candles only, not on TA-Lib's values: a stream that opens on a history passes NaN for those.
pub(crate) trait Finish<const N: usize, const M: usize>: fmt::Debug + Clone + Send + Sync + 'static {
    /// True if TA-Lib's values are the feature's.
    const AS_IS: bool = false;

    /// Candles that it needs itself, less one.
    fn lookback(&self) -> usize {
        0
    }

    /// The values at one candle.
    fn step(&mut self, o: &Observation, raw: [f64; N]) -> [f64; M];
}

/// TA-Lib's values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsIs;

impl<const N: usize> Finish<N, N> for AsIs {
    const AS_IS: bool = true;

    #[inline]
    fn step(&mut self, _: &Observation, raw: [f64; N]) -> [f64; N] {
        raw
    }
}

/// Distance of the close from a price level: `close / level - 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseOver;

impl<const N: usize> Finish<N, N> for CloseOver {
    #[inline]
    fn step(&mut self, o: &Observation, raw: [f64; N]) -> [f64; N] {
        raw.map(|level| o.candle.close / level - 1.0)
    }
}

/// A difference of prices as a share of the close: `value / close`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverClose;

impl<const N: usize> Finish<N, N> for OverClose {
    #[inline]
    fn step(&mut self, o: &Observation, raw: [f64; N]) -> [f64; N] {
        raw.map(|value| value / o.candle.close)
    }
}

/// A volume flow over the mean volume of the newest candles, and over the close where the flow is weighted by price.
#[derive(Debug, Clone)]
pub(crate) struct OverVolume {
    volume: Window<Sums<1>>,
    len: usize,
    by_close: bool,
}

impl OverVolume {
    /// Divides by the mean volume of `len` candles, and by the close where `by_close`.
    pub(crate) fn new(len: usize, by_close: bool) -> Self {
        Self { volume: Window::new(len), len, by_close }
    }
}

impl Finish<1, 1> for OverVolume {
    fn lookback(&self) -> usize {
        self.len - 1
    }

    #[inline]
    fn step(&mut self, o: &Observation, raw: [f64; 1]) -> [f64; 1] {
        let Some(Sums([sum])) = self.volume.push(Sums([o.candle.volume])) else { return [f64::NAN] };
        let unit = if self.by_close { o.candle.close } else { 1.0 };
        [raw[0] / (sum / self.len as f64 * unit)]
    }
}
