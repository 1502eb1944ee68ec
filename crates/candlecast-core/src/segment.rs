//! [`FilledSeries`] and [`Segment`]: candles as features see them, short gaps filled, long gaps as borders.

use std::ops::Range;

use crate::{CandleSeries, Columns, SeriesKey, Timestamp};

/// A series on a complete grid within each of its segments.
///
/// A gap of at most `max_fill` candles is filled with flat candles at the last close and volume 0, flagged in
/// `filled`; a longer one ends the segment. Row indices run through all segments, in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct FilledSeries {
    key: SeriesKey,
    columns: Columns,
    filled: Vec<bool>,
    segments: Vec<Range<usize>>,
    segment_of: Vec<u32>,
}

impl FilledSeries {
    /// Fills gaps of up to `max_fill` candles in `series`.
    pub fn new(series: &CandleSeries, max_fill: usize) -> Self {
        let step = series.key().interval.ms();
        let mut columns = Columns::default();
        let mut filled = Vec::with_capacity(series.len());
        let mut segments = Vec::new();
        let mut start = 0;
        for i in 0..series.len() {
            let candle = series.candle(i);
            if let Some(&last) = columns.open_time.last() {
                let missing = ((candle.open_time.0 - last) / step - 1) as usize;
                if missing > max_fill {
                    segments.push(start..columns.len());
                    start = columns.len();
                } else {
                    fill(&mut columns, &mut filled, missing, step);
                }
            }
            columns.push(&candle);
            filled.push(false);
        }
        if columns.len() > start {
            segments.push(start..columns.len());
        }
        let mut segment_of = vec![0; columns.len()];
        for (k, segment) in segments.iter().enumerate() {
            segment_of[segment.clone()].fill(k as u32);
        }
        Self { key: series.key().clone(), columns, filled, segments, segment_of }
    }

    /// Its name.
    pub fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Rows, filled ones included.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// All columns, `[row]`.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// True where a row stands for a missing candle, `[row]`.
    pub fn filled(&self) -> &[bool] {
        &self.filled
    }

    /// Row ranges of the segments, in time order.
    pub fn segment_ranges(&self) -> &[Range<usize>] {
        &self.segments
    }

    /// Rows of the segment that `row` belongs to.
    pub fn segment_of(&self, row: usize) -> Range<usize> {
        self.segments[self.segment_of[row] as usize].clone()
    }

    /// The segments as views.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.segments.iter().map(|r| self.segment(r.clone()))
    }

    /// Rows `range`, which must lie within one segment, as a view.
    pub fn segment(&self, range: Range<usize>) -> Segment<'_> {
        debug_assert!(
            range.is_empty() || self.segment_of[range.start] == self.segment_of[range.end - 1],
            "a segment view must not cross a border"
        );
        let c = &self.columns;
        let optional = |v: &'_ Option<Vec<f64>>| -> Option<Range<usize>> { v.as_ref().map(|_| range.clone()) };
        Segment {
            interval: self.key.interval,
            first_row: range.start,
            open_time: &c.open_time[range.clone()],
            open: &c.open[range.clone()],
            high: &c.high[range.clone()],
            low: &c.low[range.clone()],
            close: &c.close[range.clone()],
            volume: &c.volume[range.clone()],
            quote_volume: optional(&c.quote_volume).and_then(|r| c.quote_volume.as_ref().map(|v| &v[r])),
            trades: optional(&c.trades).and_then(|r| c.trades.as_ref().map(|v| &v[r])),
            taker_buy_base: optional(&c.taker_buy_base).and_then(|r| c.taker_buy_base.as_ref().map(|v| &v[r])),
            filled: &self.filled[range],
        }
    }

    /// Row of the candle that opens at `t`.
    pub fn row_at(&self, t: Timestamp) -> Option<usize> {
        self.columns.open_time.binary_search(&t.0).ok()
    }

    /// First row that opens at or after `t`.
    pub fn first_row_from(&self, t: Timestamp) -> usize {
        self.columns.open_time.partition_point(|&x| x < t.0)
    }

    /// Close instant of a row: when its values become visible.
    pub fn close_time(&self, row: usize) -> Timestamp {
        Timestamp(self.columns.open_time[row] + self.key.interval.ms())
    }
}

fn fill(columns: &mut Columns, filled: &mut Vec<bool>, missing: usize, step: i64) {
    for _ in 0..missing {
        let mut flat = columns.candle(columns.len() - 1);
        flat.open_time.0 += step;
        (flat.open, flat.high, flat.low, flat.volume) = (flat.close, flat.close, flat.close, 0.0);
        flat.quote_volume = flat.quote_volume.map(|_| 0.0);
        flat.trades = flat.trades.map(|_| 0.0);
        flat.taker_buy_base = flat.taker_buy_base.map(|_| 0.0);
        columns.push(&flat);
        filled.push(true);
    }
}

/// Consecutive candles without a gap; what an indicator is computed over.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Candle length.
    pub interval: crate::Interval,
    /// Row of the first candle in the [`FilledSeries`].
    pub first_row: usize,
    /// Open times in ms, `[row]`.
    pub open_time: &'a [i64],
    /// First prices.
    pub open: &'a [f64],
    /// Highest prices.
    pub high: &'a [f64],
    /// Lowest prices.
    pub low: &'a [f64],
    /// Last prices.
    pub close: &'a [f64],
    /// Base volumes.
    pub volume: &'a [f64],
    /// Quote volumes; NaN where missing.
    pub quote_volume: Option<&'a [f64]>,
    /// Trade counts; NaN where missing.
    pub trades: Option<&'a [f64]>,
    /// Taker-buy base volumes; NaN where missing.
    pub taker_buy_base: Option<&'a [f64]>,
    /// Filled rows.
    pub filled: &'a [bool],
}

impl<'a> Segment<'a> {
    /// Number of candles.
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// True without candles.
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }

    /// The first `n` candles.
    #[must_use]
    pub fn prefix(&self, n: usize) -> Segment<'a> {
        self.rows(0..n)
    }

    /// The candles `range`, counted from the first.
    #[must_use]
    pub fn rows(&self, range: Range<usize>) -> Segment<'a> {
        let optional = |column: Option<&'a [f64]>| column.map(|v| &v[range.clone()]);
        Segment {
            interval: self.interval,
            first_row: self.first_row + range.start,
            open_time: &self.open_time[range.clone()],
            open: &self.open[range.clone()],
            high: &self.high[range.clone()],
            low: &self.low[range.clone()],
            close: &self.close[range.clone()],
            volume: &self.volume[range.clone()],
            quote_volume: optional(self.quote_volume),
            trades: optional(self.trades),
            taker_buy_base: optional(self.taker_buy_base),
            filled: &self.filled[range.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candle, Interval, Symbol, Venue};

    #[test]
    fn short_gaps_are_filled_and_long_ones_split() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let mut c = Columns::default();
        for h in [0i64, 1, 4, 5, 10, 11] {
            let p = 100.0 + h as f64;
            c.push(&Candle {
                open_time: Timestamp(h * 3_600_000),
                open: p,
                high: p,
                low: p,
                close: p,
                volume: 1.0,
                quote_volume: Some(p),
                trades: None,
                taker_buy_base: None,
            });
        }
        let filled = FilledSeries::new(&CandleSeries::new(key, c).unwrap(), 3);
        assert_eq!(filled.segment_ranges(), [0..6, 6..8]);
        assert_eq!(filled.filled(), [false, false, true, true, false, false, false, false]);
        assert_eq!(filled.columns().close[2..4], [101.0, 101.0]);
        assert_eq!(filled.columns().volume[2..4], [0.0, 0.0]);
        assert_eq!(filled.segment_of(7), 6..8);
        assert_eq!(filled.segments().map(|s| s.len()).collect::<Vec<_>>(), [6, 2]);
    }
}
