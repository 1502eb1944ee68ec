//! [`VolatilityScale`]: the standard deviation of the return over each of the next steps, as it is known at each row.

use std::ops::Range;

use candlecast_core::{Interval, Timestamp};
use serde::{Deserialize, Serialize};

use super::fit::{Gram, RidgeFit};
use super::learner::PENALTY;
use super::regressors::{ANCHORS, Between, REGRESSORS, SHARED, are_known, base_of, regressors, squared_range};
use crate::dataset::{Market, RELATIVE_BOUND};

const DAY_MS: i64 = 86_400_000;
/// Fits are made at whole multiples of this since 1970, whoever asks.
const BLOCK_MS: i64 = 28 * DAY_MS;
/// Blocks that a fit learns from: 1,820 days, or 60 months.
const BLOCKS: i64 = 65;
/// Fewest rows that a fit learns from.
const MIN_ROWS: usize = 1_000;
/// Rows of a window that smearing and the factors on variances are measured on, about at most. Of finer candles than
/// half an hour every so many-th is taken.
const MEASURED_ROWS: usize = 65_536;
/// Added to sums of squared ranges, which may be 0.
const EPSILON: f64 = 1e-8;
/// Bounds of the factor from a variance of ranges to one of returns.
const LEAST_KAPPA: f64 = 0.5;
const GREATEST_KAPPA: f64 = 2.0;
/// Floor of the volatility where there is no fit, for markets that stand still.
const MIN_VOLATILITY: f64 = 1e-8;

/// Anchors of a horizon (at least 1): those of the seasons up to it, and itself.
fn anchors_of(horizon: usize) -> Vec<usize> {
    let mut anchors: Vec<usize> = ANCHORS.into_iter().filter(|&anchor| anchor <= horizon).collect();
    if anchors.last() != Some(&horizon) {
        anchors.push(horizon);
    }
    anchors
}

/// The anchors of a horizon, where their seasons are found, and where steps lie between them.
#[derive(Debug, Clone, PartialEq)]
struct Grid {
    anchors: Vec<usize>,
    /// Place of each anchor among those of the seasons, `[anchor]`.
    seasons: Vec<Between>,
    /// Place of each step from 1 on among the anchors, `[step]`.
    steps: Vec<Between>,
}

impl Grid {
    fn new(horizon: usize) -> Self {
        let anchors = anchors_of(horizon);
        Self {
            seasons: anchors.iter().map(|&anchor| Between::of(&ANCHORS, anchor)).collect(),
            steps: (1..=horizon).map(|step| Between::of(&anchors, step)).collect(),
            anchors,
        }
    }

    fn horizon(&self) -> usize {
        self.steps.len()
    }

    /// Standard deviations of the first `out.len()` steps by the log variances of the anchors.
    fn deviations_into(&self, log_variance: &[f64], out: &mut [f64]) {
        for (out, step) in out.iter_mut().zip(&self.steps) {
            *out = (0.5 * step.value(log_variance)).exp();
        }
    }
}

/// One fit of the scale. At each anchor `h` the logarithm of the sum of the squared ranges of the next `h` candles,
/// relative to what is usual, is `intercept + x'beta`; the variance of the return is `kappa` times that sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScaleFit {
    /// When it was made: it has seen no candle that closes later.
    pub(crate) at: Timestamp,
    /// `[anchor]`; with smearing, so that the mean of sums over their forecasts is 1.
    pub(super) intercepts: Vec<f64>,
    /// `[anchor][regressor]`.
    pub(super) betas: Vec<Vec<f64>>,
    /// Mean of squared returns over forecast sums, within 0.5 and 2, `[anchor]`.
    pub(super) kappas: Vec<f64>,
}

impl ScaleFit {
    /// Standard deviations of the log returns over 1, 2 .. `out.len()` steps from a row with these columns of `har-x`,
    /// `[column]`, by a fit of `horizon`. False, with `out` left as it was, where the columns are not defined.
    #[cfg(test)]
    pub(crate) fn scales(&self, columns: &[f32], horizon: usize, out: &mut [f64]) -> bool {
        if !are_known(columns) {
            return false;
        }
        let grid = Grid::new(horizon);
        let mut log_variance = Vec::with_capacity(grid.anchors.len());
        self.push_log_variances(&grid, columns, &mut log_variance);
        grid.deviations_into(&log_variance, out);
        true
    }

    /// Appends the log variance of the return over each anchor from a row with these columns.
    fn push_log_variances(&self, grid: &Grid, columns: &[f32], out: &mut Vec<f64>) {
        let places = grid.anchors.iter().zip(&grid.seasons).enumerate();
        out.extend(places.map(|(k, (&anchor, &season))| {
            let x = regressors(columns, season);
            let relative = x.iter().zip(&self.betas[k]).fold(self.intercepts[k], |sum, (x, beta)| sum + x * beta);
            base_of(columns, anchor) + relative.clamp(-RELATIVE_BOUND, RELATIVE_BOUND) + self.kappas[k].ln()
        }));
    }

    fn is_sound(&self, n_anchors: usize) -> bool {
        let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        [self.intercepts.len(), self.betas.len(), self.kappas.len()] == [n_anchors; 3]
            && finite(&self.intercepts)
            && self.betas.iter().all(|beta| beta.len() == REGRESSORS && finite(beta))
            && self.kappas.iter().all(|kappa| (LEAST_KAPPA..=GREATEST_KAPPA).contains(kappa))
    }
}

/// Fits of the scale of one horizon, in time order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleFits {
    /// Steps that are fitted, ascending; the last one is the horizon.
    pub(super) anchors: Vec<usize>,
    pub(super) fits: Vec<ScaleFit>,
}

impl ScaleFits {
    /// All fits that are in force at some instant from `from` to `to`: that of the last multiple of 28 days up to
    /// `from`, and those after it up to `to`. An instant before which too few rows are known has none. They depend on
    /// the candles before each instant alone.
    pub(crate) fn of(market: &Market, horizon: usize, from: Timestamp, to: Timestamp) -> Self {
        let grid = Grid::new(horizon);
        let (first, last) = (block_at(from), block_at(to));
        let learning = Learning::new(market, &grid);
        let blocks: Vec<Block> = (first - BLOCKS..last).map(|number| learning.block(number)).collect();
        let window = |k: i64| &blocks[(k - first) as usize..][..BLOCKS as usize];
        let fits = (first..=last).filter_map(|k| learning.fit(Timestamp(k * BLOCK_MS), window(k))).collect();
        Self { anchors: grid.anchors, fits }
    }

    /// True where there is one.
    pub(crate) fn has_fits(&self) -> bool {
        !self.fits.is_empty()
    }

    /// The steps of the longest return whose scale is fitted.
    pub(crate) fn horizon(&self) -> usize {
        self.anchors.last().copied().unwrap_or(0)
    }

    /// The newest fit that was made at `time` or before.
    pub(crate) fn latest_before(&self, time: Timestamp) -> Option<&ScaleFit> {
        self.fits[..self.fits.partition_point(|fit| fit.at <= time)].last()
    }

    /// No fit of `horizon` (at least 1).
    pub(crate) fn none(horizon: usize) -> Self {
        Self { anchors: anchors_of(horizon), fits: vec![] }
    }

    /// Only the newest fit that was made at `time` or before, if there is one: what a model keeps.
    #[must_use]
    pub(crate) fn newest_before(&self, time: Timestamp) -> Self {
        Self { anchors: self.anchors.clone(), fits: self.latest_before(time).cloned().into_iter().collect() }
    }

    /// False for fits that cannot have been made, such as those of a file that was edited.
    pub fn is_sound(&self) -> bool {
        let horizon = self.horizon();
        horizon >= 1
            && self.anchors == anchors_of(horizon)
            && self.fits.iter().all(|fit| fit.is_sound(self.anchors.len()))
            && self.fits.windows(2).all(|pair| pair[0].at < pair[1].at)
    }
}

/// Number of the block that begins with the last instant of a fit up to `time`.
fn block_at(time: Timestamp) -> i64 {
    time.0.div_euclid(BLOCK_MS)
}

/// What fits learn from a market.
struct Learning<'a> {
    market: &'a Market,
    grid: &'a Grid,
    /// Every so many-th candle since 1970 is measured on.
    every: i64,
}

/// The rows whose longest return is complete within one block of time, its end included.
struct Block {
    gram: Gram,
    measured: Vec<usize>,
    /// At the measured rows, row-major `[row, anchor]`: the sum of squared ranges over what is usual, and the squared
    /// return over it.
    ratios: Vec<[f64; 2]>,
}

impl<'a> Learning<'a> {
    fn new(market: &'a Market, grid: &'a Grid) -> Self {
        Self { market, grid, every: measured_every(market.series().key().interval) }
    }

    /// Sums over block `number`, which begins `number` times 28 days after 1970.
    fn block(&self, number: i64) -> Block {
        let (grid, market) = (self.grid, self.market);
        let series = market.series();
        let step_ms = series.key().interval.ms();
        let mut block = Block {
            gram: Gram::new(SHARED + grid.anchors.len(), grid.anchors.len()),
            measured: vec![],
            ratios: vec![],
        };
        let (mut x, mut ys) = (vec![], vec![]);
        for row in self.rows_of(number).filter(|&row| self.is_usable(row)) {
            let columns = market.har_x(row);
            let ratios = self.ratios(row);
            x.clear();
            x.extend(columns[..SHARED].iter().map(|&value| f64::from(value)));
            x.extend(grid.seasons.iter().map(|season| season.season(columns)));
            ys.clear();
            ys.extend(ratios.iter().map(|[sum, _]| sum.ln()));
            block.gram.add_row(&x, &ys);
            if series.columns().open_time[row].div_euclid(step_ms).rem_euclid(self.every) == 0 {
                block.measured.push(row);
                block.ratios.extend(ratios);
            }
        }
        block
    }

    /// The rows from which `horizon` candles lead to one that closes within block `number`.
    fn rows_of(&self, number: i64) -> Range<usize> {
        let series = self.market.series();
        let step_ms = series.key().interval.ms();
        let closed = |time: i64| series.first_row_from(Timestamp(time - step_ms + 1));
        let from = |time: i64| closed(time).saturating_sub(self.grid.horizon());
        from(number * BLOCK_MS)..from((number + 1) * BLOCK_MS)
    }

    fn is_usable(&self, row: usize) -> bool {
        let market = self.market;
        !market.series().filled()[row] && are_known(market.har_x(row)) && market.has_targets(row, self.grid.horizon())
    }

    /// For each anchor the sum of the squared ranges ahead over what is usual, within e^-8 and e^8, and the squared
    /// return over what is usual.
    fn ratios(&self, row: usize) -> Vec<[f64; 2]> {
        let (candles, log_close) = (self.market.series().columns(), self.market.log_close());
        let columns = self.market.har_x(row);
        let (mut sum, mut taken) = (0.0_f64, 0_usize);
        let of_anchor = |&anchor: &usize| {
            while taken < anchor {
                taken += 1;
                sum += squared_range(candles.high[row + taken], candles.low[row + taken]);
            }
            let base = base_of(columns, anchor);
            let relative = ((sum + EPSILON).ln() - base).clamp(-RELATIVE_BOUND, RELATIVE_BOUND);
            let square = (log_close[row + anchor] - log_close[row]).powi(2);
            [relative.exp(), square * (-base).exp()]
        };
        self.grid.anchors.iter().map(of_anchor).collect()
    }

    /// The fit at `at` on the rows of `blocks`, the last of which ends at `at`; `None` with too few.
    fn fit(&self, at: Timestamp, blocks: &[Block]) -> Option<ScaleFit> {
        let n_anchors = self.grid.anchors.len();
        let mut gram = Gram::new(SHARED + n_anchors, n_anchors);
        blocks.iter().for_each(|block| gram.merge(&block.gram));
        if gram.rows() < MIN_ROWS {
            return None;
        }
        let plain: Vec<RidgeFit> = (0..n_anchors)
            .map(|k| {
                let columns: Vec<usize> = (0..SHARED).chain([SHARED + k]).collect();
                gram.solve(PENALTY, k, &columns).ok()
            })
            .collect::<Option<_>>()?;
        let (mut measured, mut sums) = (0_usize, vec![[0.0_f64; 2]; n_anchors]);
        for block in blocks {
            measured += block.measured.len();
            for (&row, ratios) in block.measured.iter().zip(block.ratios.chunks(n_anchors)) {
                let columns = self.market.har_x(row);
                for (k, (fit, &[range, square])) in plain.iter().zip(ratios).enumerate() {
                    let over = (-fit.value(&regressors(columns, self.grid.seasons[k]))).exp();
                    sums[k][0] += range * over;
                    sums[k][1] += square * over;
                }
            }
        }
        // Residuals of the plain fits: their smearing factors, and squared returns over the smeared forecasts.
        let smearing: Vec<f64> = sums.iter().map(|[range, _]| range / measured as f64).collect();
        let kappa = |[range, square]: [f64; 2]| (square / range).clamp(LEAST_KAPPA, GREATEST_KAPPA);
        let fit = ScaleFit {
            at,
            intercepts: plain.iter().zip(&smearing).map(|(fit, factor)| fit.intercept + factor.ln()).collect(),
            kappas: sums.iter().map(|&sums| kappa(sums)).collect(),
            betas: plain.into_iter().map(|fit| fit.beta).collect(),
        };
        fit.is_sound(n_anchors).then_some(fit)
    }
}

/// Every so many-th candle of `interval` is measured on.
fn measured_every(interval: Interval) -> i64 {
    let window = (BLOCKS * BLOCK_MS / interval.ms()) as usize;
    window.div_ceil(MEASURED_ROWS).max(1) as i64
}

/// Scales of the errors of prices for some rows of a market: the standard deviation of the log return over each of the
/// next steps.
///
/// For the anchors 1, 2, 4, 8, 12, 24, 48, 96, 192, 288 up to the horizon, and the horizon, the logarithm of the sum of
/// the squared ranges of the next `h` candles is regressed on the 31 regressors of `har-x` with the season of these `h`
/// candles (ridge, 0.03, smearing). A factor `kappa`, the mean of squared returns over forecast sums within 0.5 and 2,
/// makes it the variance of the return. Steps between two anchors are interpolated, the log variance linear in the
/// logarithm of the step.
///
/// Fits are made every 28 days, on the 1,820 days before, from rows whose targets are real candles and complete by
/// then. A row has the scale of the newest fit before its close. Where there is none, or no regressors, the scale is the
/// volatility at the row times the root of the step.
#[derive(Debug, Clone)]
pub(crate) struct VolatilityScale {
    grid: Grid,
    #[cfg(test)]
    fits: ScaleFits,
    first_row: usize,
    /// Of returns over the anchors, row-major `[row, anchor]`; NaN where no fit is known.
    log_variance: Vec<f64>,
    /// Of one step, `[row]`.
    volatility: Vec<f64>,
}

impl VolatilityScale {
    /// Scales of `rows` of `market` for steps up to `horizon` (1 to 288), each by the fit of the last multiple of 28
    /// days before its close.
    #[cfg(test)]
    pub(crate) fn of(market: &Market, horizon: usize, rows: Range<usize>) -> Self {
        let fits = match (rows.start, rows.end.checked_sub(1)) {
            (start, Some(last)) if start <= last => {
                ScaleFits::of(market, horizon, market.series().close_time(start), market.series().close_time(last))
            }
            _ => ScaleFits { anchors: anchors_of(horizon), fits: vec![] },
        };
        // A fit that was left out for want of rows is not replaced by one before it, which others may not know of.
        let in_force = |fit: &ScaleFit, time: Timestamp| block_at(fit.at) == block_at(time);
        let log_variance = evaluated(market, rows.clone(), &fits, in_force);
        Self::from_parts(market, rows, fits, log_variance)
    }

    /// Scales of `rows` of `market` by the newest of `fits` before the close of each: those of a saved model.
    pub(crate) fn by(fits: ScaleFits, market: &Market, rows: Range<usize>) -> Self {
        let log_variance = evaluated(market, rows.clone(), &fits, |_, _| true);
        Self::from_parts(market, rows, fits, log_variance)
    }

    #[cfg_attr(not(test), allow(clippy::needless_pass_by_value, reason = "tests look at the fits"))]
    fn from_parts(market: &Market, rows: Range<usize>, fits: ScaleFits, log_variance: Vec<f64>) -> Self {
        Self {
            grid: Grid::new(fits.horizon()),
            first_row: rows.start,
            volatility: rows.map(|row| market.volatility()[row]).collect(),
            #[cfg(test)]
            fits,
            log_variance,
        }
    }

    /// The fits behind the scales.
    #[cfg(test)]
    pub(crate) fn fits(&self) -> &ScaleFits {
        &self.fits
    }

    /// Standard deviations of the log returns over 1, 2 .. `out.len()` steps from `row`, which is one of the rows and
    /// `out` no longer than the horizon. All are above 0.
    pub(crate) fn scales_into(&self, row: usize, out: &mut [f64]) {
        let (at, n_anchors) = (row - self.first_row, self.grid.anchors.len());
        let log_variance = &self.log_variance[at * n_anchors..(at + 1) * n_anchors];
        if log_variance[0].is_finite() {
            self.grid.deviations_into(log_variance, out);
        } else {
            let volatility = self.volatility[at].max(MIN_VOLATILITY);
            for (step, out) in out.iter_mut().enumerate() {
                *out = volatility * ((step + 1) as f64).sqrt();
            }
        }
    }
}

/// Log variances of the returns over the anchors, row-major `[row, anchor]`, NaN where a row has no fit that `is_used`
/// at its close, or no regressors.
fn evaluated(
    market: &Market,
    rows: Range<usize>,
    fits: &ScaleFits,
    is_used: impl Fn(&ScaleFit, Timestamp) -> bool,
) -> Vec<f64> {
    let grid = Grid::new(fits.horizon());
    let mut out = Vec::with_capacity(rows.len() * grid.anchors.len());
    for row in rows {
        let (time, columns) = (market.series().close_time(row), market.har_x(row));
        let fit = fits.latest_before(time).filter(|&fit| is_used(fit, time) && are_known(columns));
        match fit {
            Some(fit) => fit.push_log_variances(&grid, columns, &mut out),
            None => out.extend(std::iter::repeat_n(f64::NAN, grid.anchors.len())),
        }
    }
    out
}
