//! [`Market`], [`Panel`], [`Dataset`] and [`Samples`]: training data as views, never as copies.
//!
//! A [`Market`] is one filled series with what every forecaster and interval needs of it. A [`Panel`] is a
//! feature matrix over its rows. A [`Samples`] names origins in panels; windows and targets are read in place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use candlecast_core::{FeatureTable, FilledSeries, Timestamp};

use crate::conformal::Origin;
use crate::har_x::scale::ScaleFits;
use crate::har_x::{COLUMNS, columns_of};
use crate::state::{MarketState, RowState};
use crate::{Task, ThresholdUnit, Thresholds};

/// Least volatility of one step that counts: returns are divided by it, and a market may stand still.
const VOLATILITY_FLOOR: f64 = 1e-5;

/// The least variance of one step that counts.
const VARIANCE_FLOOR: f64 = 1e-10;

/// Bound on a log variance relative to its base, e^8 or 3,000 times more or less: beyond it lie bad ticks and
/// standstills, of which there is nothing to learn.
pub(crate) const RELATIVE_BOUND: f64 = 8.0;

/// Expected size of a return over `horizon` steps at the volatility of one; above 0.
pub(crate) fn return_scale(volatility: f64, horizon: usize) -> f64 {
    volatility.max(VOLATILITY_FLOOR) * (horizon as f64).sqrt()
}

/// Natural logarithm of the variance that the volatility of one step stands for over `horizon` of them.
pub(crate) fn base_log_variance(volatility: f64, horizon: usize) -> f64 {
    floored_log_variance(horizon as f64 * volatility.powi(2), horizon)
}

/// Natural logarithm of a variance summed over `steps`; below [`VARIANCE_FLOOR`] a step it counts as that much.
pub(crate) fn floored_log_variance(variance: f64, steps: usize) -> f64 {
    variance.max(steps as f64 * VARIANCE_FLOOR).ln()
}

/// A filled series, its log closes and its causal volatility.
#[derive(Debug)]
pub struct Market {
    series: FilledSeries,
    log_close: Vec<f64>,
    volatility: Vec<f64>,
    sigma: Vec<f64>,
    tercile: Vec<u8>,
    trending: Vec<bool>,
    /// Columns of `har-x`, row-major `[row, column]`; computed when they are first asked for.
    har_x: OnceLock<Vec<f32>>,
    /// Fits of the scale of errors by horizon; made when they are first asked for.
    scales: Mutex<BTreeMap<usize, Arc<ScaleFits>>>,
}

impl Market {
    /// Prepares `series`.
    pub fn new(series: FilledSeries) -> Self {
        let log_close: Vec<f64> = series.columns().close.iter().map(|c| c.ln()).collect();
        let mut state = MarketState::new(series.key().interval);
        let mut states = Vec::with_capacity(series.len());
        for segment in series.segment_ranges() {
            state.begin_segment();
            states.extend(log_close[segment.clone()].iter().map(|&close| state.step(close)));
        }
        Self::of(series, log_close, &states, OnceLock::new())
    }

    /// The rows of `series`, of which the log closes and the states, `[row]`, and the columns of `har-x`, row-major
    /// `[row, column]`, are known from a longer past.
    pub(crate) fn from_parts(series: FilledSeries, log_close: Vec<f64>, states: &[RowState], har_x: Vec<f32>) -> Self {
        debug_assert!(har_x.len() == series.len() * COLUMNS, "one value a row and column");
        Self::of(series, log_close, states, OnceLock::from(har_x))
    }

    fn of(series: FilledSeries, log_close: Vec<f64>, states: &[RowState], har_x: OnceLock<Vec<f32>>) -> Self {
        debug_assert!(series.len() == log_close.len() && series.len() == states.len(), "one value a row");
        Self {
            series,
            log_close,
            volatility: states.iter().map(|state| state.volatility).collect(),
            sigma: states.iter().map(|state| state.sigma).collect(),
            tercile: states.iter().map(|state| state.tercile).collect(),
            trending: states.iter().map(|state| state.trending).collect(),
            har_x,
            scales: Mutex::new(BTreeMap::new()),
        }
    }

    /// The newest fit of the scale of errors over `horizon` steps that was made at `time` or before; without one where
    /// too few candles lie before it.
    pub(crate) fn scale_before(&self, horizon: usize, time: Timestamp) -> ScaleFits {
        // Nothing can panic while the lock is held but running out of memory: a poisoned map is whole.
        let mut scales = self.scales.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = scales.entry(horizon).or_insert_with(|| {
            let last = self.series.len().checked_sub(1);
            let ends = last.map(|last| (self.series.close_time(0), self.series.close_time(last)));
            Arc::new(ends.map_or_else(|| ScaleFits::none(horizon), |(from, to)| ScaleFits::of(self, horizon, from, to)))
        });
        fits.newest_before(time)
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

    /// `sigma_t` at each row, what targets and errors of prices are measured in ([`candlecast_core::SigmaState`]); at
    /// least 1e-4, NaN over the first 32 candles of a segment.
    pub fn sigma(&self) -> &[f64] {
        &self.sigma
    }

    /// Tercile of the volatility at each row among its values of the year before it: 0 calm, 1 middle, 2 wild.
    pub fn tercile(&self) -> &[u8] {
        &self.tercile
    }

    /// True at each row where the exponentially weighted sum of the past returns of its segment (half-life 48 candles) is
    /// greater than the standard deviation that it would have if they were independent: the price is going somewhere.
    pub fn trending(&self) -> &[bool] {
        &self.trending
    }

    /// What calibration needs to know of the market at `row`.
    pub fn origin(&self, row: usize) -> Origin {
        Origin { row, sigma: self.sigma[row], tercile: self.tercile[row] }
    }

    /// The columns of `har-x` at `row` ([`crate::har_x`]), `[column]`; NaN over the first 719 candles of a segment. The
    /// first call computes those of all rows, on the thread that asks.
    pub(crate) fn har_x(&self, row: usize) -> &[f32] {
        let columns = self.har_x.get_or_init(|| columns_of(self));
        &columns[row * COLUMNS..(row + 1) * COLUMNS]
    }

    pub(crate) fn state(&self, row: usize) -> RowState {
        RowState {
            volatility: self.volatility[row],
            sigma: self.sigma[row],
            tercile: self.tercile[row],
            trending: self.trending[row],
        }
    }

    /// Sum of the squared one-step log returns of the `horizon` steps that follow `row`, which has its targets.
    pub fn realised_variance(&self, row: usize, horizon: usize) -> f64 {
        self.log_close[row..=row + horizon].windows(2).map(|closes| (closes[1] - closes[0]).powi(2)).sum()
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

    /// All rows of `market`, without any features.
    pub(crate) fn closes(market: Arc<Market>) -> Self {
        let n = market.series().len();
        let mut ready_run = vec![0_u32; n];
        for segment in market.series().segment_ranges() {
            for (k, row) in segment.clone().enumerate() {
                ready_run[row] = k as u32 + 1;
            }
        }
        Self { market, names: [].into(), rows: 0..n, values: Arc::new(vec![]), ready_run: ready_run.into() }
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

    /// A dataset of several series; their panels have the same features.
    pub fn new(panels: Vec<Panel>) -> Self {
        debug_assert!(panels.windows(2).all(|p| p[0].names() == p[1].names()), "panels share their features");
        Self { panels }
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

    /// `sigma_t` at the origin of sample `i` ([`Market::sigma`]).
    pub fn sigma(&self, i: usize) -> f64 {
        let (panel, row) = self.panel(i);
        panel.market().sigma()[row]
    }

    /// The columns of `har-x` at the origin of sample `i` ([`Market::har_x`]).
    pub(crate) fn har_x(&self, i: usize) -> &'a [f32] {
        let (panel, row) = self.panel(i);
        panel.market().har_x(row)
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

    /// Close of the origin of sample `i`: when its forecast is made.
    pub fn origin_time(&self, i: usize) -> Timestamp {
        let (panel, row) = self.panel(i);
        panel.market().series().close_time(row)
    }

    /// Expected size of the return of sample `i` over the task's horizon: the volatility at the origin times the root
    /// of the horizon; above 0, as a market that stands still counts as moving by a thousandth of a percent a step.
    pub fn return_scale(&self, i: usize) -> f64 {
        return_scale(self.volatility(i), self.task.horizon())
    }

    /// Class thresholds of the direction task on these samples; `None` for other tasks and without samples.
    pub fn fit_thresholds(&self) -> Option<Thresholds> {
        let Task::Direction { labels, .. } = self.task else { return None };
        let unit = labels.unit();
        let returns: Vec<f64> =
            (0..self.len()).map(|i| unit.measure(self.return_over_horizon(i), self.return_scale(i))).collect();
        Thresholds::fit(labels, &returns)
    }

    /// Class of sample `i` (direction task): 0 SELL, 1 HOLD, 2 BUY. Without thresholds, the sign of the return.
    pub fn class(&self, i: usize) -> usize {
        let sign = Thresholds { sell: 0.0, buy: 0.0, unit: ThresholdUnit::Return };
        self.thresholds.unwrap_or(sign).class(self.return_over_horizon(i), self.return_scale(i))
    }

    /// Natural logarithm of the realised variance of sample `i` over the task's horizon; a variance below `1e-10` a
    /// step counts as that much.
    pub fn log_variance(&self, i: usize) -> f64 {
        let (panel, row) = self.panel(i);
        let horizon = self.task.horizon();
        floored_log_variance(panel.market().realised_variance(row, horizon), horizon)
    }

    /// Natural logarithm of the variance that the volatility at the origin of sample `i` stands for over the task's
    /// horizon, with the same least value as [`Samples::log_variance`]: what is known of it at the origin.
    pub fn base_log_variance(&self, i: usize) -> f64 {
        base_log_variance(self.volatility(i), self.task.horizon())
    }

    /// Log variance of sample `i` over that of its base, within -8 and 8: what learners of the volatility task learn.
    /// The base takes the level of the market away, so that models of one time hold in another.
    pub fn relative_log_variance(&self, i: usize) -> f64 {
        (self.log_variance(i) - self.base_log_variance(i)).clamp(-RELATIVE_BOUND, RELATIVE_BOUND)
    }
}

#[cfg(test)]
mod tests;
