//! [`SegmentTail`]: the newest rows of the segment under way.

use std::sync::Arc;

use candlecast_core::{Candle, CandleSeries, Columns, FilledSeries, SeriesKey};

use crate::dataset::{Market, Panel};
use crate::har_x::{COLUMNS, HarXRow, HarXState, push_columns};
use crate::state::{MarketState, RowState};

/// A row but for its close and its features.
#[derive(Debug, Clone, Copy)]
struct Row {
    candle: Candle,
    filled: bool,
    state: RowState,
    /// Rows up to this one that have all their features.
    ready_run: u32,
}

/// As many of the newest rows as forecasts and calibration look back on. Memory is bounded: once there are twice as
/// many the older half goes.
#[derive(Debug)]
pub(super) struct SegmentTail {
    /// Rows that must be at hand.
    keep: usize,
    /// Longest gap that is filled, in candles.
    max_fill: usize,
    /// Features a row.
    width: usize,
    /// Number of the first row kept, in the whole series.
    first_row: usize,
    /// Rows of the segment so far, forgotten ones included.
    n_rows: usize,
    rows: Vec<Row>,
    log_close: Vec<f64>,
    /// Row-major `[row, feature]`.
    values: Vec<f32>,
    state: MarketState,
    /// Columns of `har-x`, row-major `[row, column]`.
    har_x: Vec<f32>,
    har_x_state: HarXState,
}

impl SegmentTail {
    /// The end of the last segment of `panel`. `keep` is at least a window and `max_fill` rows.
    pub(super) fn after(panel: &Panel, keep: usize, max_fill: usize) -> Self {
        let market = panel.market();
        let series = market.series();
        let mut tail = Self {
            keep,
            max_fill,
            width: panel.width(),
            first_row: series.len(),
            n_rows: 0,
            rows: Vec::new(),
            log_close: Vec::new(),
            values: Vec::new(),
            state: MarketState::new(series.key().interval),
            har_x: Vec::new(),
            har_x_state: HarXState::new(series.key().interval),
        };
        let Some(segment) = series.segment_ranges().last().cloned() else { return tail };
        tail.n_rows = segment.len();
        tail.first_row = segment.start.max(segment.end.saturating_sub(keep));
        for rows in series.segment_ranges() {
            tail.state.begin_segment();
            tail.har_x_state.begin_segment();
            for row in rows.clone() {
                tail.state.step(market.log_close()[row]);
                let columns = tail.har_x_state.step(&HarXRow::of(market, row));
                if row >= tail.first_row {
                    push_columns(columns.as_ref(), &mut tail.har_x);
                }
            }
        }
        for row in tail.first_row..segment.end {
            tail.rows.push(Row {
                candle: series.columns().candle(row),
                filled: series.filled()[row],
                state: market.state(row),
                ready_run: panel.ready_run(row),
            });
            tail.log_close.push(market.log_close()[row]);
            tail.values.extend_from_slice(panel.row(row));
        }
        tail
    }

    /// A new segment begins with row `next_row`.
    pub(super) fn clear(&mut self, next_row: usize) {
        self.first_row = next_row;
        self.n_rows = 0;
        self.rows.clear();
        self.log_close.clear();
        self.values.clear();
        self.har_x.clear();
        self.state.begin_segment();
        self.har_x_state.begin_segment();
    }

    pub(super) fn push(&mut self, candle: &Candle, filled: bool, features: &[f64]) {
        self.forget();
        let log_close = candle.close.ln();
        let start = self.values.len();
        self.values.extend((0..self.width).map(|k| features.get(k).copied().unwrap_or(f64::NAN) as f32));
        let ready = self.values[start..].iter().all(|v| v.is_finite());
        let run_before = self.rows.last().map_or(0, |row| row.ready_run);
        self.rows.push(Row {
            candle: *candle,
            filled,
            state: self.state.step(log_close),
            ready_run: if ready { run_before.saturating_add(1) } else { 0 },
        });
        let har_x_row = HarXRow {
            open_time: candle.open_time.0,
            high: candle.high,
            low: candle.low,
            log_close,
            volume: candle.volume,
            filled,
        };
        push_columns(self.har_x_state.step(&har_x_row).as_ref(), &mut self.har_x);
        self.log_close.push(log_close);
        self.n_rows += 1;
    }

    fn forget(&mut self) {
        if self.rows.len() >= 2 * self.keep {
            let surplus = self.rows.len() - self.keep;
            self.rows.drain(..surplus);
            self.log_close.drain(..surplus);
            self.values.drain(..surplus * self.width);
            self.har_x.drain(..surplus * COLUMNS);
            self.first_row += surplus;
        }
    }

    /// Number of the first row kept, in the whole series.
    pub(super) fn first_row(&self) -> usize {
        self.first_row
    }

    /// Log closes of the rows kept.
    pub(super) fn log_close(&self) -> &[f64] {
        &self.log_close
    }

    /// The newest candle.
    pub(super) fn newest(&self) -> Option<&Candle> {
        self.rows.last().map(|row| &row.candle)
    }

    /// As [`Panel::is_origin`], for the newest row.
    pub(super) fn is_origin(&self, lookback: usize) -> bool {
        let Some(newest) = self.rows.last() else { return false };
        let enough = if self.width == 0 { self.n_rows >= lookback } else { newest.ready_run as usize >= lookback };
        enough && newest.state.volatility.is_finite() && !newest.filled
    }

    /// The newest `lookback` rows, and those before that a filled first one was filled from; `None` with fewer.
    pub(super) fn panel(&self, key: &SeriesKey, names: &Arc<[String]>, lookback: usize) -> Option<Panel> {
        let mut start = self.rows.len().checked_sub(lookback)?;
        while start > 0 && self.rows[start].filled {
            start -= 1;
        }
        let rows = &self.rows[start..];
        let mut columns = Columns::default();
        rows.iter().filter(|row| !row.filled).for_each(|row| columns.push(&row.candle));
        let series = FilledSeries::new(&CandleSeries::new(key.clone(), columns).ok()?, self.max_fill);
        if series.len() != rows.len() {
            return None;
        }
        let states: Vec<RowState> = rows.iter().map(|row| row.state).collect();
        let har_x = self.har_x[start * COLUMNS..].to_vec();
        let market = Market::from_parts(series, self.log_close[start..].to_vec(), &states, har_x);
        let values = self.values[start * self.width..].to_vec();
        let ready_run = rows.iter().map(|row| row.ready_run).collect();
        Some(Panel::from_rows(Arc::new(market), Arc::clone(names), values, ready_run))
    }
}
