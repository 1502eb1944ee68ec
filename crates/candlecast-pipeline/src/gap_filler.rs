//! [`GapFiller`]: where a candle stands in its series: behind the last one, behind a gap that is filled, behind a border.

use candlecast_core::{Candle, CandleSeries, Columns, FilledSeries, SeriesKey};

/// What comes before a candle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// True when the candle begins a segment.
    pub(crate) begins_segment: bool,
    /// Flat candles for those that are missing before it.
    pub(crate) fills: Vec<Candle>,
}

/// Progress along a series; gaps are filled as [`FilledSeries`] does it, by the same code.
#[derive(Debug, Clone)]
pub(crate) struct GapFiller {
    key: SeriesKey,
    max_fill: usize,
    last: Option<Candle>,
}

impl GapFiller {
    /// Behind `last`, the last candle there is.
    pub(crate) fn new(key: SeriesKey, max_fill: usize, last: Option<Candle>) -> Self {
        Self { key, max_fill, last }
    }

    /// Takes the next candle; `None` for one that is not valid or not newer than the last.
    pub(crate) fn place(&mut self, candle: &Candle) -> Option<Placed> {
        candle.check(self.key.interval).ok()?;
        let placed = match &self.last {
            None => Placed { begins_segment: true, fills: Vec::new() },
            Some(last) if candle.open_time <= last.open_time => return None,
            Some(last) if candle.open_time == last.open_time.plus_ms(self.key.interval.ms()) => {
                Placed { begins_segment: false, fills: Vec::new() }
            }
            Some(last) => self.behind_a_gap(last, candle),
        };
        self.last = Some(*candle);
        Some(placed)
    }

    fn behind_a_gap(&self, last: &Candle, next: &Candle) -> Placed {
        let mut columns = Columns::default();
        columns.push(last);
        columns.push(next);
        let series = CandleSeries::new(self.key.clone(), columns).expect("both are valid, the second is newer");
        let filled = FilledSeries::new(&series, self.max_fill);
        let begins_segment = filled.segment_ranges().len() > 1;
        let fills = (1..filled.len() - 1).map(|row| filled.columns().candle(row)).collect();
        Placed { begins_segment, fills }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::market::random_walk;
    use candlecast_core::{Seed, Timestamp};

    #[test]
    fn a_series_gone_through_candle_by_candle_is_the_filled_one() {
        let whole = random_walk(60, Seed(3), 0.0);
        let mut columns = Columns::default();
        for i in (0..60).filter(|i| ![5, 20, 21, 22, 40, 41, 42, 43].contains(i)) {
            columns.push(&whole.candle(i));
        }
        let series = CandleSeries::new(whole.key().clone(), columns).unwrap();
        let expected = FilledSeries::new(&series, 3);
        let mut gaps = GapFiller::new(series.key().clone(), 3, None);
        let (mut rows, mut starts) = (Vec::new(), Vec::new());
        for i in 0..series.len() {
            let candle = series.candle(i);
            let placed = gaps.place(&candle).unwrap();
            if placed.begins_segment {
                starts.push(rows.len());
            }
            rows.extend(placed.fills);
            rows.push(candle);
        }
        let all: Vec<Candle> = (0..expected.len()).map(|row| expected.columns().candle(row)).collect();
        assert_eq!(rows, all);
        assert_eq!(starts, expected.segment_ranges().iter().map(|range| range.start).collect::<Vec<_>>());
        assert_eq!(starts.len(), 2);
    }

    #[test]
    fn what_is_not_newer_or_not_valid_is_left_out() {
        let whole = random_walk(4, Seed(3), 0.0);
        let mut gaps = GapFiller::new(whole.key().clone(), 3, Some(whole.candle(1)));
        assert_eq!(gaps.place(&whole.candle(0)), None);
        assert_eq!(gaps.place(&whole.candle(1)), None);
        let crooked = Candle { open_time: Timestamp(whole.candle(2).open_time.ms() + 1), ..whole.candle(2) };
        assert_eq!(gaps.place(&crooked), None);
        assert_eq!(gaps.place(&whole.candle(2)), Some(Placed { begins_segment: false, fills: vec![] }));
    }
}
