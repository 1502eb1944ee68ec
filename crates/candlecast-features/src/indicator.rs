//! [`Indicator`] and [`IndicatorStream`]: a feature over a whole segment, and the same feature candle by candle.

use candlecast_core::{Candle, Segment, Timestamp};

/// Most outputs that one indicator may have.
pub const MAX_OUTPUTS: usize = 8;

/// One market event as an indicator sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The closed candle.
    pub candle: Candle,
    /// True when the candle stands for a missing one (flat at the last close, volume 0).
    pub filled: bool,
}

impl Observation {
    /// Row `row` of `segment`, which must be less than its length.
    #[inline]
    pub fn of(segment: &Segment<'_>, row: usize) -> Self {
        let optional = |column: Option<&[f64]>| column.map(|v| v[row]).filter(|v| !v.is_nan());
        Self {
            candle: Candle {
                open_time: Timestamp(segment.open_time[row]),
                open: segment.open[row],
                high: segment.high[row],
                low: segment.low[row],
                close: segment.close[row],
                volume: segment.volume[row],
                quote_volume: optional(segment.quote_volume),
                trades: optional(segment.trades),
                taker_buy_base: optional(segment.taker_buy_base),
            },
            filled: segment.filled[row],
        }
    }
}

/// Calls `take` with every candle of `segment`, in order.
///
/// The columns are cut to one length before the loop: no bound is checked inside, so what `take` does not look at is
/// not even loaded. With kept scratch memory this took a plain function from 9 to 2 ms over a million candles.
#[allow(clippy::inline_always, reason = "measured: out of line, a whole candle is built for every row")]
#[inline(always)]
pub(crate) fn for_each_candle(segment: &Segment<'_>, mut take: impl FnMut(usize, &Observation)) {
    let n = segment.len();
    let (open_time, filled) = (&segment.open_time[..n], &segment.filled[..n]);
    let (open, high, low) = (&segment.open[..n], &segment.high[..n], &segment.low[..n]);
    let (close, volume) = (&segment.close[..n], &segment.volume[..n]);
    let quote_volume = segment.quote_volume.map(|c| &c[..n]);
    let trades = segment.trades.map(|c| &c[..n]);
    let taker_buy_base = segment.taker_buy_base.map(|c| &c[..n]);
    for row in 0..n {
        let optional = |column: Option<&[f64]>| column.map(|v| v[row]).filter(|v| !v.is_nan());
        let candle = Candle {
            open_time: Timestamp(open_time[row]),
            open: open[row],
            high: high[row],
            low: low[row],
            close: close[row],
            volume: volume[row],
            quote_volume: optional(quote_volume),
            trades: optional(trades),
            taker_buy_base: optional(taker_buy_base),
        };
        take(row, &Observation { candle, filled: filled[row] });
    }
}

/// The first `M` columns, each `n` long, as an array: no bound is checked where it is written by row.
pub(crate) fn columns_of<'a, const M: usize>(out: &'a mut [&mut [f64]], n: usize) -> [&'a mut [f64]; M] {
    let mut columns = out.iter_mut();
    std::array::from_fn(|_| &mut columns.next().expect("one column an output")[..n])
}

/// How far back a value looks: what must be replayed for a value to be the one a full history would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The value depends on this many newest candles only (beyond that, on nothing but rounding).
    Finite(usize),
    /// After this many candles the influence of the start is below 1e-9 of the value's own scale.
    Settles(usize),
    /// The value depends on the whole segment.
    Unbounded,
}

impl Memory {
    /// Candles to replay, `None` for the whole segment.
    pub fn candles(self) -> Option<usize> {
        match self {
            Self::Finite(n) | Self::Settles(n) => Some(n),
            Self::Unbounded => None,
        }
    }

    /// The longer of two memories.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unbounded, _) | (_, Self::Unbounded) => Self::Unbounded,
            (Self::Finite(a), Self::Finite(b)) => Self::Finite(a.max(b)),
            (a, b) => Self::Settles(a.candles().unwrap_or(0).max(b.candles().unwrap_or(0))),
        }
    }

    /// Memory of `passes` exponential smoothings, one over the other, that each keep the share `kept` of their
    /// last value, after a warm-up of `lookback` candles. The bound is 1e-12 rather than 1e-9, as differences and
    /// ratios of smoothings magnify what is left of the start.
    pub(crate) fn decaying(kept: f64, passes: usize, lookback: usize) -> Self {
        if kept <= 0.0 {
            return Self::Finite(lookback + 1);
        }
        let candles = (1e-12_f64.ln() / kept.ln()).ceil() * (1.0 + 0.3 * passes.saturating_sub(1) as f64);
        Self::Settles(candles as usize + lookback + 1)
    }

    /// Memory of `passes` exponential smoothings, one over the other, whose weights halve in `half_life` candles.
    pub(crate) fn halving(half_life: f64, passes: usize, lookback: usize) -> Self {
        Self::decaying(0.5_f64.powf(1.0 / half_life), passes, lookback)
    }
}

/// A causal feature: the value at a candle uses candles of its segment up to and including that one.
pub trait Indicator: Send + Sync {
    /// Ids of the outputs, snake_case with parameters (`rsi_14`), at most [`MAX_OUTPUTS`].
    fn outputs(&self) -> Vec<String>;

    /// Leading candles of a segment that have no value.
    fn warmup(&self) -> usize;

    /// How far back a value looks.
    fn memory(&self) -> Memory;

    /// Writes every row of every output, `out[output][row]`; NaN in the warm-up and where the value is undefined,
    /// never infinite. Each `out[output]` is as long as the segment.
    fn compute(&self, segment: &Segment<'_>, out: &mut [&mut [f64]]);

    /// The state after the last candle of `history`, which may be shorter than the warm-up, or empty. Values are
    /// those of [`Indicator::compute`] when `history` starts where the segment starts.
    fn open(&self, history: &Segment<'_>) -> Box<dyn IndicatorStream>;
}

/// An indicator in live use.
pub trait IndicatorStream: Send {
    /// Takes a closed candle and writes its values, `out[output]`.
    fn update(&mut self, observation: &Observation, out: &mut [f64]);

    /// Writes the values that [`IndicatorStream::update`] would write, for a candle that is still forming; changes
    /// nothing. Costs a copy of the state where there is no cheaper way.
    fn peek(&self, observation: &Observation, out: &mut [f64]);
}

/// Infinite values become NaN: a feature is a number or it is missing.
#[inline]
pub(crate) fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_memory_wins() {
        assert_eq!(Memory::Finite(3).max(Memory::Finite(7)), Memory::Finite(7));
        assert_eq!(Memory::Finite(30).max(Memory::Settles(7)), Memory::Settles(30));
        assert_eq!(Memory::Finite(30).max(Memory::Unbounded), Memory::Unbounded);
        assert_eq!(Memory::Unbounded.candles(), None);
    }

    #[test]
    fn a_smoothing_settles_below_the_bound() {
        let kept = 13.0 / 15.0;
        let Memory::Settles(n) = Memory::decaying(kept, 1, 13) else { panic!("decays") };
        assert!(kept.powi(n as i32 - 14) <= 1e-12);
        assert_eq!(Memory::decaying(0.0, 1, 4), Memory::Finite(5));
        // 40 halvings are 1e-12.
        assert_eq!(Memory::halving(100.0, 1, 4), Memory::Settles(3_987 + 5));
    }
}
