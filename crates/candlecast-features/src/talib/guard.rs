//! [`Guard`]: where TA-Lib gives a number for 0/0 (RSI of constant prices), the feature is undefined.

use std::fmt;
use std::marker::PhantomData;

use candlecast_core::{Candle, Segment};

use crate::indicator::Observation;

/// Watches every candle and says where values are defined.
pub(crate) trait Guard: fmt::Debug + Clone + Send + Sync + 'static {
    /// True where the values at this candle are defined. In the warm-up the answer does not matter.
    fn defined(&mut self, o: &Observation) -> bool;

    /// Takes all candles of `block` at once if it can be told that values are defined at each of them; else false,
    /// and nothing is taken. What one look over a column can answer need not be asked row by row.
    fn pass(&mut self, block: &Segment<'_>) -> bool;
}

/// TA-Lib's values are defined everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Always;

impl Guard for Always {
    #[inline]
    fn defined(&mut self, _: &Observation) -> bool {
        true
    }

    fn pass(&mut self, _: &Segment<'_>) -> bool {
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

    fn pass(&mut self, _: &Segment<'_>) -> bool {
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

    fn pass(&mut self, _: &Segment<'_>) -> bool {
        // Once moved, the previous close is not asked for any more.
        self.moved
    }
}

/// What a guard looks at: one item spans `low..=high`.
pub(crate) trait Span: fmt::Debug + Copy + Send + Sync + 'static {
    /// High and low of a candle.
    fn of(c: &Candle) -> (f64, f64);

    /// How many candles in a row, up to any candle of `block`, are at one price, if it is as many at each of them and
    /// a look over the columns tells. The price before the block is `level`, NaN if there is none.
    fn equal_in_a_row(block: &Segment<'_>, level: f64) -> Option<usize>;
}

/// True if any flag is; asks for all of them, so that no branch keeps the loop from being vectorised.
fn any(flags: impl Iterator<Item = bool>) -> bool {
    let mut any = false;
    flags.for_each(|flag| any |= flag);
    any
}

/// True if no two neighbours are equal, nor `before` and the first.
fn neighbours_differ(before: f64, values: &[f64]) -> bool {
    values.first().is_none_or(|first| *first != before)
        && !any(values.iter().zip(values.iter().skip(1)).map(|(a, b)| a == b))
}

/// Highs and lows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HighLow;

impl Span for HighLow {
    #[inline]
    fn of(c: &Candle) -> (f64, f64) {
        (c.high, c.low)
    }

    fn equal_in_a_row(block: &Segment<'_>, _: f64) -> Option<usize> {
        (!any(block.high.iter().zip(block.low).map(|(high, low)| high == low))).then_some(0)
    }
}

/// Closes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Close;

impl Span for Close {
    #[inline]
    fn of(c: &Candle) -> (f64, f64) {
        (c.close, c.close)
    }

    fn equal_in_a_row(block: &Segment<'_>, level: f64) -> Option<usize> {
        neighbours_differ(level, block.close).then_some(1)
    }
}

/// Typical prices, `(high + low + close) / 3`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typical;

impl Span for Typical {
    #[inline]
    fn of(c: &Candle) -> (f64, f64) {
        let typical = (c.high + c.low + c.close) / 3.0;
        (typical, typical)
    }

    fn equal_in_a_row(block: &Segment<'_>, level: f64) -> Option<usize> {
        let mut previous = level;
        let mut any = false;
        for ((high, low), close) in block.high.iter().zip(block.low).zip(block.close) {
            let typical = (high + low + close) / 3.0;
            any |= typical == previous;
            previous = typical;
        }
        (!any).then_some(1)
    }
}

/// Defined where prices of the newest `len` candles span a range, now and over the `smooth` newest values.
///
/// A window has no range where all its prices are one, so counting equal prices in a row says the same as the
/// window's extremes would, at a fraction of their cost. The span is a type, not a function pointer: a call in the
/// loop over the rows would cost more than the rest of the guard.
#[derive(Debug, Clone)]
pub(crate) struct Ranged<S> {
    len: usize,
    smooth: usize,
    level: f64,
    /// Candles in a row, up to the newest, at one price.
    flat: usize,
    since_flat: usize,
    span: PhantomData<S>,
}

impl<S: Span> Ranged<S> {
    /// Watches the newest `len` candles, for values that are smoothed over `smooth` candles.
    pub(crate) fn new(_: S, len: usize, smooth: usize) -> Self {
        Self { len: len.max(1), smooth, level: f64::NAN, flat: 0, since_flat: usize::MAX, span: PhantomData }
    }
}

impl<S: Span> Guard for Ranged<S> {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let (high, low) = S::of(&o.candle);
        let goes_on = if low == self.level { self.flat + 1 } else { 1 };
        self.flat = if high == low { goes_on } else { 0 };
        self.level = low;
        self.since_flat = if self.flat >= self.len { 0 } else { self.since_flat.saturating_add(1) };
        self.since_flat >= self.smooth
    }

    fn pass(&mut self, block: &Segment<'_>) -> bool {
        // Values are missing for a while after a flat window.
        let settled = self.since_flat >= self.smooth;
        let Some(flat) = S::equal_in_a_row(block, self.level).filter(|&flat| settled && flat < self.len) else {
            return false;
        };
        if let Some(last) = block.len().checked_sub(1) {
            self.flat = flat;
            self.level = S::of(&Observation::of(block, last).candle).1;
            self.since_flat = self.since_flat.saturating_add(block.len());
        }
        true
    }
}

/// Defined where the newest `len` candles have volume: volumes are not negative, so their sum is 0 where all are.
#[derive(Debug, Clone)]
pub(crate) struct Traded {
    len: usize,
    idle: usize,
}

impl Traded {
    /// Watches `len` candles.
    pub(crate) fn new(len: usize) -> Self {
        Self { len: len.max(1), idle: 0 }
    }
}

impl Guard for Traded {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        self.idle = if o.candle.volume == 0.0 { self.idle + 1 } else { 0 };
        self.idle < self.len
    }

    fn pass(&mut self, block: &Segment<'_>) -> bool {
        if any(block.volume.iter().map(|volume| *volume == 0.0)) {
            return false;
        }
        self.idle = 0;
        true
    }
}

/// Defined where the newest `len` candles have money flow: volume at a typical price that changed.
#[derive(Debug, Clone)]
pub(crate) struct MoneyMoved {
    len: usize,
    previous: f64,
    idle: usize,
}

impl MoneyMoved {
    /// Watches `len` flows.
    pub(crate) fn new(len: usize) -> Self {
        Self { len: len.max(1), previous: f64::NAN, idle: 0 }
    }
}

impl Guard for MoneyMoved {
    #[inline]
    fn defined(&mut self, o: &Observation) -> bool {
        let c = &o.candle;
        let (typical, _) = Typical::of(c);
        // The first candle has no flow to count; its previous price is NaN, which equals nothing.
        let counts = !self.previous.is_nan();
        let flows = typical != self.previous && typical * c.volume > 0.0;
        self.previous = typical;
        self.idle = if flows || !counts { 0 } else { self.idle + 1 };
        self.idle < self.len
    }

    fn pass(&mut self, block: &Segment<'_>) -> bool {
        let mut previous = self.previous;
        let mut any = false;
        for (((high, low), close), volume) in block.high.iter().zip(block.low).zip(block.close).zip(block.volume) {
            let typical = (high + low + close) / 3.0;
            any |= typical == previous || typical * volume == 0.0;
            previous = typical;
        }
        if any {
            return false;
        }
        (self.previous, self.idle) = (previous, 0);
        true
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{CandleSeries, Columns, FilledSeries, Interval, SeriesKey, Timestamp, Venue};
    use proptest::prelude::*;

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
        assert_eq!(run(Ranged::new(Close, 3, 1), &prices), [true, true, true, false, true, true]);
        assert_eq!(run(Ranged::new(Close, 3, 2), &prices), [true, true, true, false, false, true]);
    }

    /// The guard's answers block by block, as the adapter asks for them.
    fn by_blocks(mut guard: impl Guard, series: &FilledSeries, len: usize) -> Vec<bool> {
        let mut answers = Vec::new();
        for start in (0..series.len()).step_by(len) {
            let block = series.segment(start..series.len().min(start + len));
            if guard.pass(&block) {
                answers.extend(vec![true; block.len()]);
            } else {
                answers.extend((0..block.len()).map(|row| guard.defined(&Observation::of(&block, row))));
            }
        }
        answers
    }

    fn agrees(guard: &impl Guard, series: &FilledSeries) {
        let whole = series.segment(0..series.len());
        let mut alone = guard.clone();
        let row_by_row: Vec<bool> = (0..whole.len()).map(|row| alone.defined(&Observation::of(&whole, row))).collect();
        for len in [1, 2, 3, 7, 64] {
            assert_eq!(by_blocks(guard.clone(), series, len), row_by_row, "{guard:?} by {len}");
        }
    }

    proptest! {
        /// Few prices and volumes, so that they repeat.
        #[test]
        fn a_look_over_a_block_says_what_every_row_says(
            candles in proptest::collection::vec((1_u8..4, 0_u8..3, 0_u8..3), 1..120),
            len in 1_usize..5,
            smooth in 1_usize..4,
        ) {
            let mut columns = Columns::default();
            for (i, &(low, range, volume)) in candles.iter().enumerate() {
                let (low, high) = (f64::from(low), f64::from(low + range));
                columns.push(&Candle {
                    open_time: Timestamp(i as i64 * 60_000),
                    open: low,
                    high,
                    low,
                    close: if i % 2 == 0 { high } else { low },
                    volume: f64::from(volume),
                    quote_volume: None,
                    trades: None,
                    taker_buy_base: None,
                });
            }
            let key = SeriesKey::new(Venue::binance(), "BTCUSDT".parse().unwrap(), Interval::M1);
            let series = FilledSeries::new(&CandleSeries::new(key, columns).unwrap(), 3);
            agrees(&Always, &series);
            agrees(&CloseMoved::default(), &series);
            agrees(&RangeMoved::default(), &series);
            agrees(&Ranged::new(HighLow, len, smooth), &series);
            agrees(&Ranged::new(Close, len + 1, smooth), &series);
            agrees(&Ranged::new(Typical, len + 1, smooth), &series);
            agrees(&Traded::new(len), &series);
            agrees(&MoneyMoved::new(len), &series);
        }
    }

    #[test]
    fn windows_without_trades_are_undefined() {
        let candles = [(1.0, 0.0), (2.0, 0.0), (3.0, 1.0), (3.0, 1.0), (3.0, 1.0)];
        assert_eq!(run(Traded::new(2), &candles), [true, false, true, true, true]);
        assert_eq!(run(MoneyMoved::new(2), &candles), [true, true, true, true, false]);
    }
}
