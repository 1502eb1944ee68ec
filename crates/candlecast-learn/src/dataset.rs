//! [`Market`], [`Panel`], [`Dataset`] and [`Samples`]: training data as views, never as copies.
//!
//! A [`Market`] is one filled series with what every forecaster and interval needs of it. A [`Panel`] is a
//! feature matrix over its rows. A [`Samples`] names origins in panels; windows and targets are read in place.

use std::ops::Range;
use std::sync::Arc;

use candlecast_core::{FeatureTable, FilledSeries};

use crate::volatility::Volatility;
use crate::{Task, Thresholds};

/// A filled series, its log closes and its causal volatility.
#[derive(Debug)]
pub struct Market {
    series: FilledSeries,
    log_close: Vec<f64>,
    volatility: Vec<f64>,
}

impl Market {
    /// Prepares `series`.
    pub fn new(series: FilledSeries) -> Self {
        let log_close: Vec<f64> = series.columns().close.iter().map(|c| c.ln()).collect();
        let mut volatility = Vec::with_capacity(series.len());
        for segment in series.segment_ranges() {
            let mut state = Volatility::new();
            volatility.extend(log_close[segment.clone()].iter().map(|&close| state.step(close)));
        }
        Self { series, log_close, volatility }
    }

    /// The rows of `series`, of which the log closes and the volatility are known from a longer past, `[row]`.
    pub(crate) fn from_parts(series: FilledSeries, log_close: Vec<f64>, volatility: Vec<f64>) -> Self {
        debug_assert!(series.len() == log_close.len() && series.len() == volatility.len(), "one value a row");
        Self { series, log_close, volatility }
    }

    /// The candles.
    pub fn series(&self) -> &FilledSeries {
        &self.series
    }

    /// Natural logarithms of the closes, `[row]`.
    pub fn log_close(&self) -> &[f64] {
        &self.log_close
    }

    /// Standard deviation of one-step log returns at each row, exponentially weighted over the candles of its
    /// segment up to and including the row; NaN over the first 32 candles of a segment.
    pub fn volatility(&self) -> &[f64] {
        &self.volatility
    }

    /// True when a forecast from `row` over `horizon` steps has all its targets: same segment, none filled.
    pub fn has_targets(&self, row: usize, horizon: usize) -> bool {
        let end = row + horizon;
        end < self.series.len()
            && end < self.series.segment_of(row).end
            && !self.series.filled()[row + 1..=end].iter().any(|&f| f)
    }
}

/// Feature values over a range of a market's rows: f32, row-major `[row, feature]`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Panel {
    market: Arc<Market>,
    names: Arc<[String]>,
    rows: Range<usize>,
    values: Arc<Vec<f32>>,
    ready_run: Arc<[u32]>,
}

impl Panel {
    /// Lays the columns of `table`, computed over `market`, out by rows.
    pub fn new(market: Arc<Market>, table: &FeatureTable) -> Self {
        let (n, width) = (market.series().len(), table.width());
        let mut values = vec![0.0_f32; n * width];
        for (k, column) in table.columns.iter().enumerate() {
            for (row, &v) in column.iter().enumerate() {
                values[row * width + k] = v as f32;
            }
        }
        let mut ready_run = vec![0_u32; n];
        for segment in market.series().segment_ranges() {
            let mut run = 0;
            for row in segment.clone() {
                let ready = values[row * width..(row + 1) * width].iter().all(|v| v.is_finite());
                run = if ready { run + 1 } else { 0 };
                ready_run[row] = run;
            }
        }
        Self {
            market,
            names: table.names.clone().into(),
            rows: 0..n,
            values: Arc::new(values),
            ready_run: ready_run.into(),
        }
    }

    /// All rows of `market` with `values`, row-major `[row, feature]`; `ready_run` counts, `[row]`, the rows up to this
    /// one that have all their features.
    pub(crate) fn from_rows(
        market: Arc<Market>,
        names: Arc<[String]>,
        values: Vec<f32>,
        ready_run: Arc<[u32]>,
    ) -> Self {
        let n = market.series().len();
        debug_assert!(values.len() == n * names.len() && ready_run.len() == n, "one value a row and feature");
        Self { market, names, rows: 0..n, values: Arc::new(values), ready_run }
    }

    /// The market it lies over.
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// Feature ids.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Features a row.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// Rows that have values here.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Values of one row, `[feature]`.
    pub fn row(&self, row: usize) -> &[f32] {
        self.window(row, 1)
    }

    /// Values of the `n` rows that end with `row`, row-major `[n, feature]`.
    pub fn window(&self, row: usize, n: usize) -> &[f32] {
        let (width, at) = (self.width(), row - self.rows.start + 1);
        &self.values[(at - n) * width..at * width]
    }

    /// Rows up to `row`, within its segment, that have all their features without a break.
    pub(crate) fn ready_run(&self, row: usize) -> u32 {
        self.ready_run[row]
    }

    /// True when all features of the `lookback` rows ending with `row` are finite, the volatility is known, and
    /// `row` is a real candle: when a forecast can start there.
    pub fn is_origin(&self, row: usize, lookback: usize) -> bool {
        let market = &self.market;
        let enough = if self.width() == 0 {
            row - market.series().segment_of(row).start + 1 >= lookback
        } else {
            self.ready_run[row] as usize >= lookback
        };
        enough && market.volatility()[row].is_finite() && !market.series().filled()[row]
    }

    /// A panel over `rows` whose features are those listed in `keep`, each passed through `f(feature, value)`,
    /// where `feature` counts within `keep`.
    #[must_use]
    pub fn mapped(&self, rows: Range<usize>, keep: &[usize], f: impl Fn(usize, f32) -> f32) -> Self {
        let mut values = Vec::with_capacity(rows.len() * keep.len());
        for row in rows.clone() {
            let from = self.row(row);
            values.extend(keep.iter().enumerate().map(|(k, &j)| f(k, from[j])));
        }
        Self {
            market: Arc::clone(&self.market),
            names: keep.iter().map(|&j| self.names[j].clone()).collect(),
            rows,
            values: Arc::new(values),
            ready_run: Arc::clone(&self.ready_run),
        }
    }
}

/// One or more panels that share their features: what samples point into.
#[derive(Debug, Clone)]
pub struct Dataset {
    panels: Vec<Panel>,
}

impl Dataset {
    /// A dataset of one series.
    pub fn single(panel: Panel) -> Self {
        Self { panels: vec![panel] }
    }

    /// The panels.
    pub fn panels(&self) -> &[Panel] {
        &self.panels
    }

    /// Features a row.
    pub fn width(&self) -> usize {
        self.panels.first().map_or(0, Panel::width)
    }
}

/// Names one origin: a row of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleId {
    /// Panel in the dataset.
    pub panel: u32,
    /// Row of its market.
    pub row: u32,
}

/// A view of origins with their inputs and, where the future is known, their targets.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    data: &'a Dataset,
    ids: &'a [SampleId],
    lookback: usize,
    task: Task,
    thresholds: Option<Thresholds>,
}

impl<'a> Samples<'a> {
    /// Origins `ids` of `data`, with windows of `lookback` rows. The caller has checked each with
    /// [`Panel::is_origin`], and with [`Market::has_targets`] where targets will be read.
    pub fn new(
        data: &'a Dataset,
        ids: &'a [SampleId],
        lookback: usize,
        task: Task,
        thresholds: Option<Thresholds>,
    ) -> Self {
        Self { data, ids, lookback, task, thresholds }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What is predicted.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Rows in a window.
    pub fn lookback(&self) -> usize {
        self.lookback
    }

    /// Features a row.
    pub fn width(&self) -> usize {
        self.data.width()
    }

    /// Feature ids.
    pub fn feature_names(&self) -> &'a [String] {
        self.data.panels.first().map_or(&[], |p| p.names())
    }

    /// The dataset behind the view.
    pub fn data(&self) -> &'a Dataset {
        self.data
    }

    /// The origins.
    pub fn ids(&self) -> &'a [SampleId] {
        self.ids
    }

    /// The same samples cut to `range`.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { ids: &self.ids[range], ..*self }
    }

    fn panel(&self, i: usize) -> (&'a Panel, usize) {
        let id = self.ids[i];
        (&self.data.panels[id.panel as usize], id.row as usize)
    }

    /// Inputs of sample `i`, row-major `[lookback, feature]`, oldest row first.
    pub fn window(&self, i: usize) -> &'a [f32] {
        let (panel, row) = self.panel(i);
        panel.window(row, self.lookback)
    }

    /// Features at the origin of sample `i`, `[feature]`.
    pub fn last(&self, i: usize) -> &'a [f32] {
        let (panel, row) = self.panel(i);
        panel.row(row)
    }

    /// Log closes up to the origin of sample `i`: at most `n`, as many as its segment has, oldest first.
    pub fn log_closes(&self, i: usize, n: usize) -> &'a [f64] {
        let (panel, row) = self.panel(i);
        let market = panel.market();
        let start = market.series().segment_of(row).start.max((row + 1).saturating_sub(n));
        &market.log_close()[start..=row]
    }

    /// Volatility of one-step log returns at the origin of sample `i`.
    pub fn volatility(&self, i: usize) -> f64 {
        let (panel, row) = self.panel(i);
        panel.market().volatility()[row]
    }

    /// Log returns from the origin of sample `i` to each of the next `out.len()` closes.
    pub fn returns_into(&self, i: usize, out: &mut [f64]) {
        let (panel, row) = self.panel(i);
        let log_close = panel.market().log_close();
        for (h, y) in out.iter_mut().enumerate() {
            *y = log_close[row + 1 + h] - log_close[row];
        }
    }

    /// Log return of sample `i` over the task's whole horizon.
    pub fn return_over_horizon(&self, i: usize) -> f64 {
        let (panel, row) = self.panel(i);
        let log_close = panel.market().log_close();
        log_close[row + self.task.horizon()] - log_close[row]
    }

    /// Class of sample `i` (direction task): 0 SELL, 1 HOLD, 2 BUY. Without thresholds, the sign of the return.
    pub fn class(&self, i: usize) -> usize {
        self.thresholds.unwrap_or(Thresholds { sell: 0.0, buy: 0.0 }).class(self.return_over_horizon(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::market::{MarketConfig, generate};

    fn market() -> Arc<Market> {
        let g = generate(&MarketConfig { n_candles: 300, ..MarketConfig::default() });
        Arc::new(Market::new(FilledSeries::new(&g[0].series, 3)))
    }

    #[test]
    fn windows_and_targets_are_read_in_place() {
        let market = market();
        let n = market.series().len();
        let table = FeatureTable {
            names: vec!["a".into(), "b".into()],
            columns: vec![
                (0..n).map(|i| if i < 10 { f64::NAN } else { i as f64 }).collect(),
                (0..n).map(|i| -(i as f64)).collect(),
            ],
        };
        let data = Dataset::single(Panel::new(Arc::clone(&market), &table));
        let panel = &data.panels()[0];
        assert!(!panel.is_origin(40, 32) && panel.is_origin(41, 32));
        assert!(market.has_targets(n - 4, 3) && !market.has_targets(n - 3, 3));
        let ids = [SampleId { panel: 0, row: 50 }];
        let samples = Samples::new(&data, &ids, 2, Task::Price { horizon: 3 }, None);
        assert_eq!(samples.window(0), [49.0, -49.0, 50.0, -50.0]);
        let mut y = [0.0; 3];
        samples.returns_into(0, &mut y);
        let c = &market.series().columns().close;
        assert!((y[2] - (c[53] / c[50]).ln()).abs() < 1e-12);
        let scaled = panel.mapped(40..60, &[1], |_, v| v * 2.0);
        assert_eq!(scaled.row(50), [-100.0]);
    }

    #[test]
    fn volatility_looks_only_back() {
        let g = generate(&MarketConfig { n_candles: 300, ..MarketConfig::default() });
        let whole = Market::new(FilledSeries::new(&g[0].series, 3));
        let cut = g[0].series.columns().slice(0..200);
        let cut = candlecast_core::CandleSeries::new(g[0].series.key().clone(), cut).unwrap();
        let part = Market::new(FilledSeries::new(&cut, 3));
        for row in 0..200 {
            assert!(whole.volatility()[row].to_bits() == part.volatility()[row].to_bits());
        }
    }
}
