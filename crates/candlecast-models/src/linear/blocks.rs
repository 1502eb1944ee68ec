//! Ridge regression from sums over blocks of rows, so that any window is a sum of blocks.
//!
//! The targets are clipped moves in units of volatility ([`PriceTarget`]). Successive fits of a walk-forward share
//! nearly all of their blocks, and the windows of one fit do too; what a block adds up to is formed once ([`Memo`]).

use std::sync::Arc;

use candlecast_learn::{FitError, Memo, PriceTarget, SampleId, Samples};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Par, Side};

use crate::checks;

/// Rows of a market that make a block.
const BLOCK: u32 = 512;

/// Second moments of rows `[1, features]` and targets.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// Rows.
    n: f64,
    /// `[1 + feature, 1 + feature]`.
    gram: Mat<f64>,
    /// `[1 + feature, step]`.
    cross: Mat<f64>,
    /// Sums of squared targets, `[step]`.
    squares: Vec<f64>,
}

impl Sums {
    fn zero(width: usize, horizon: usize) -> Self {
        Self {
            n: 0.0,
            gram: Mat::zeros(width + 1, width + 1),
            cross: Mat::zeros(width + 1, horizon),
            squares: vec![0.0; horizon],
        }
    }

    /// Those of `samples`.
    fn of(samples: &Samples<'_>, target: PriceTarget) -> Self {
        let (n, width, horizon) = (samples.len(), samples.width(), samples.task().horizon());
        let mut x: Mat<f64> = Mat::zeros(n, width + 1);
        let mut y: Mat<f64> = Mat::zeros(n, horizon);
        let mut row = vec![0.0; horizon];
        let mut squares = vec![0.0; horizon];
        for i in 0..n {
            x[(i, 0)] = 1.0;
            for (j, &value) in samples.last(i).iter().enumerate() {
                x[(i, j + 1)] = f64::from(value);
            }
            target.learn_into(samples, i, &mut row);
            for (h, &u) in row.iter().enumerate() {
                y[(i, h)] = u;
                squares[h] += u * u;
            }
        }
        let mut sums = Self { n: n as f64, ..Self::zero(width, horizon) };
        matmul(&mut sums.gram, Accum::Replace, x.transpose(), &x, 1.0, Par::Seq);
        matmul(&mut sums.cross, Accum::Replace, x.transpose(), &y, 1.0, Par::Seq);
        sums.squares = squares;
        sums
    }

    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.gram += &other.gram;
        self.cross += &other.cross;
        self.squares.iter_mut().zip(&other.squares).for_each(|(sum, square)| *sum += square);
    }

    fn is_finite(&self) -> bool {
        let whole = |m: &Mat<f64>| (0..m.ncols()).all(|j| m.col_as_slice(j).iter().all(|v| v.is_finite()));
        self.squares.iter().all(|s| s.is_finite()) && whole(&self.gram) && whole(&self.cross)
    }

    /// Mean target of each step.
    fn means(&self) -> Vec<f64> {
        (0..self.cross.ncols()).map(|h| self.cross[(0, h)] / self.n).collect()
    }

    /// Factor on the mean targets: the positive-part James-Stein `max(0, 1 - 1 / t^2)` with the t-value of the mean over
    /// one step, whose targets do not overlap.
    fn drift_factor(&self) -> f64 {
        let mean = self.cross[(0, 0)] / self.n;
        let variance = (self.squares[0] - self.n * mean * mean) / (self.n - 1.0);
        let t_squared = mean * mean * self.n / variance;
        if t_squared.is_finite() { (1.0 - 1.0 / t_squared).max(0.0) } else { 0.0 }
    }

    /// Sum of squared errors of step `h` by the map `[1 + feature]`.
    fn squared_error(&self, map: &[f64], h: usize) -> f64 {
        let mut sum = self.squares[h];
        for (i, &b) in map.iter().enumerate() {
            let column = self.gram.col_as_slice(i);
            let product: f64 = column.iter().zip(map).map(|(g, b)| g * b).sum();
            sum += b * (product - 2.0 * self.cross[(i, h)]);
        }
        sum
    }

    /// Coefficients `[1 + feature]` of each step: ridge on standardised features with the penalty `penalties[h]` a row,
    /// without features where that is infinite; the constant goes through the means, of which `drift` is believed.
    fn fit(&self, penalties: &[f64], drift: f64) -> Result<Vec<Vec<f64>>, FitError> {
        let width = self.gram.nrows() - 1;
        let mean: Vec<f64> = (0..width).map(|j| self.gram[(0, j + 1)] / self.n).collect();
        let deviation: Vec<f64> = (0..width)
            .map(|j| {
                let variance = self.gram[(j + 1, j + 1)] / self.n - mean[j] * mean[j];
                // What is left of a constant by rounding is no variance.
                let floor = 1e-10 * (1e-6 + mean[j] * mean[j]);
                if variance > floor { variance.sqrt() } else { f64::INFINITY }
            })
            .collect();
        let target_means = self.means();
        let correlation = Mat::from_fn(width, width, |i, j| {
            (self.gram[(i + 1, j + 1)] / self.n - mean[i] * mean[j]) / (deviation[i] * deviation[j])
        });
        let mut fits: Vec<Vec<f64>> =
            target_means.iter().map(|m| [vec![drift * m], vec![0.0; width]].concat()).collect();
        let mut done = vec![false; fits.len()];
        for first in 0..fits.len() {
            if done[first] || penalties[first].is_infinite() {
                continue;
            }
            let penalty = penalties[first];
            let steps: Vec<usize> = (first..fits.len()).filter(|&h| penalties[h] == penalty).collect();
            let mut matrix = correlation.clone();
            (0..width).for_each(|j| matrix[(j, j)] += penalty);
            let mut b = Mat::from_fn(width, steps.len(), |j, k| {
                (self.cross[(j + 1, steps[k])] / self.n - mean[j] * target_means[steps[k]]) / deviation[j]
            });
            let cholesky = matrix.llt(Side::Lower).map_err(|_| {
                FitError::Degenerate(format!("features are linearly dependent at a penalty of {penalty} a row"))
            })?;
            cholesky.solve_in_place(&mut b);
            for (k, &h) in steps.iter().enumerate() {
                done[h] = true;
                for j in 0..width {
                    let slope = b[(j, k)] / deviation[j];
                    fits[h][j + 1] = slope;
                    fits[h][0] -= slope * mean[j];
                }
            }
        }
        Ok(fits)
    }
}

/// When the last origin of a block is made, its panel, and its sums.
type Block = (i64, u32, Arc<Sums>);

/// Sums of the samples by block, in order of time.
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// Panels of the samples, those without any among them.
    n_panels: u32,
    width: usize,
    horizon: usize,
}

impl Blocks {
    /// Those of `samples`, which are in order of time. Whole blocks are kept in `memo`: all origins that there are
    /// between the first and the last of a block's, which is so where others precede and follow it.
    pub(super) fn of(samples: &Samples<'_>, target: PriceTarget, memo: Option<&Memo>) -> Result<Self, FitError> {
        let mut blocks = Vec::new();
        for (panel, ids) in by_panel(samples).into_iter().enumerate() {
            let runs: Vec<&[SampleId]> = ids.chunk_by(|a, b| a.row / BLOCK == b.row / BLOCK).collect();
            for (k, run) in runs.iter().enumerate() {
                let part = Samples::new(samples.data(), run, samples.lookback(), *samples.task(), None);
                let whole = k > 0 && k + 1 < runs.len();
                let sums = match memo.filter(|_| whole) {
                    Some(memo) => memo.get(panel as u32, run[0].row / BLOCK, || Sums::of(&part, target)),
                    None => Arc::new(Sums::of(&part, target)),
                };
                if !sums.is_finite() {
                    checks::finite_inputs(&part)?;
                    checks::finite_targets(&[f64::NAN])?;
                }
                blocks.push((part.origin_time(part.len() - 1).0, panel as u32, sums));
            }
        }
        blocks.sort_by_key(|&(time, panel, _)| (time, panel));
        // Refuses a price that never moves.
        checks::root_mean_square(&blocks.iter().map(|(_, _, sums): &Block| sums.squares[0]).collect::<Vec<_>>())?;
        let n_panels = samples.data().panels().len() as u32;
        Ok(Self { blocks, n_panels, width: samples.width(), horizon: samples.task().horizon() })
    }

    /// When the last origin is made.
    fn end(&self) -> i64 {
        self.blocks.last().map_or(0, |b| b.0)
    }

    /// Sums of the blocks that end after `from` and not after `to`, of panel `only` or of all.
    fn between(&self, from: i64, to: i64, only: Option<u32>) -> Sums {
        let mut total = Sums::zero(self.width, self.horizon);
        for (time, panel, sums) in &self.blocks {
            if *time > from && *time <= to && only.is_none_or(|only| only == *panel) {
                total.add(sums);
            }
        }
        total
    }
}

fn by_panel(samples: &Samples<'_>) -> Vec<Vec<SampleId>> {
    let mut panels: Vec<Vec<SampleId>> = vec![Vec::new(); samples.data().panels().len()];
    for &id in samples.ids() {
        panels[id.panel as usize].push(id);
    }
    panels
}

const DAY_MS: i64 = 86_400_000;
/// Share of the longest window, its newest part, that penalties are compared on.
const HELD: f64 = 0.15;
/// Penalty a row up to four steps, and from 24 on.
const NEAR_PENALTY: f64 = 0.1;
const FAR_PENALTY: f64 = 0.5;
/// Multiples of it that are tried too; infinity: no feature is used.
const MULTIPLES: [f64; 3] = [10.0, 100.0, f64::INFINITY];
/// Rows of one market below which it has no fit of its own beside the common one.
const LEAST_OWN: f64 = 1_000.0;
/// Blocks to compare penalties on, at least.
const LEAST_HELD: usize = 4;

/// Penalty a row of the standardised features for step `step`: 0.1 up to 4 steps, 0.5 from 24 on, in five levels that
/// are evenly spaced in its logarithm, as each level costs a factorisation.
fn penalty(step: usize) -> f64 {
    let share = ((step as f64 - 4.0) / 20.0).clamp(0.0, 1.0);
    let level = (4.0 * (NEAR_PENALTY + share * (FAR_PENALTY - NEAR_PENALTY)).ln() / (FAR_PENALTY / NEAR_PENALTY).ln()
        - 4.0 * NEAR_PENALTY.ln() / (FAR_PENALTY / NEAR_PENALTY).ln())
    .round();
    NEAR_PENALTY * (FAR_PENALTY / NEAR_PENALTY).powf(level / 4.0)
}

/// A fit: coefficients `[panel or all][step][1 + feature]`.
pub(super) struct BlockFit {
    /// Of all panels together.
    pub(super) pooled: Vec<Vec<f64>>,
    /// Of each panel alone; none of one with too few rows, and empty with one panel.
    pub(super) own: Vec<Option<Vec<Vec<f64>>>>,
    /// Penalties a row, `[step]`; infinite where no feature is used.
    pub(super) penalties: Vec<f64>,
}

impl Blocks {
    /// Fits with `given` as the penalty a row, or with penalties by step that are chosen on the newest part of the
    /// samples; the mean over `windows` in days, all samples where there are none.
    pub(super) fn fit(&self, windows: &[u32], given: Option<f64>, shrink: bool) -> Result<BlockFit, FitError> {
        let penalties = match given {
            Some(penalty) => vec![penalty; self.horizon],
            None => self.choose(shrink)?,
        };
        let first = self.blocks.first().map_or(0, |b| b.0);
        let mut starts: Vec<i64> =
            windows.iter().map(|&days| (self.end() - i64::from(days) * DAY_MS).max(first - 1)).collect();
        if starts.is_empty() {
            starts.push(first - 1);
        }
        // Windows that reach beyond the data are one.
        starts.dedup();
        let fit = |only| self.mean_fit(&starts, &penalties, shrink, only);
        let zero = || vec![vec![0.0; self.width + 1]; self.horizon];
        let pooled = fit(None)?.unwrap_or_else(zero);
        let n_own = if self.n_panels > 1 { self.n_panels } else { 0 };
        let own = (0..n_own).map(|panel| fit(Some(panel))).collect::<Result<Vec<_>, _>>()?;
        Ok(BlockFit { pooled, own, penalties })
    }

    fn mean_fit(
        &self,
        starts: &[i64],
        penalties: &[f64],
        shrink: bool,
        only: Option<u32>,
    ) -> Result<Option<Vec<Vec<f64>>>, FitError> {
        let mut mean = vec![vec![0.0; self.width + 1]; self.horizon];
        let mut used = 0.0;
        for &start in starts {
            let sums = self.between(start, i64::MAX, only);
            if sums.n < if only.is_some() { LEAST_OWN } else { 2.0 } {
                continue;
            }
            let fits = sums.fit(penalties, if shrink { sums.drift_factor() } else { 1.0 })?;
            used += 1.0;
            for (sum, fit) in mean.iter_mut().flatten().zip(fits.iter().flatten()) {
                *sum += fit;
            }
        }
        mean.iter_mut().flatten().for_each(|b| *b /= f64::max(used, 1.0));
        Ok((used > 0.0).then_some(mean))
    }

    /// Penalties by step. A greater one than the usual takes its place only where it does better on the newest part of
    /// the samples by more than one standard error: the loss hardly depends on the penalty where there is something to
    /// learn, so that the least loss would be chosen by chance.
    fn choose(&self, shrink: bool) -> Result<Vec<f64>, FitError> {
        let usual: Vec<f64> = (1..=self.horizon).map(penalty).collect();
        let (first, end) = (self.blocks.first().map_or(0, |b| b.0), self.end());
        let cut = end - (HELD * (end - first) as f64) as i64;
        // Blocks between the parts belong to neither: what is learnt reaches a horizon beyond its last origin.
        let between = 1 + self.horizon.div_ceil(BLOCK as usize);
        let held: Vec<&Block> = (0..self.n_panels)
            .flat_map(|panel| self.blocks.iter().filter(move |b| b.1 == panel && b.0 > cut).skip(between))
            .collect();
        if held.len() < LEAST_HELD {
            return Ok(usual);
        }
        let learnt = self.between(i64::MIN, cut, None);
        if learnt.n < 2.0 {
            return Ok(usual);
        }
        let drift = if shrink { learnt.drift_factor() } else { 1.0 };
        let losses = |penalties: &[f64]| -> Result<Vec<Vec<f64>>, FitError> {
            let fits = learnt.fit(penalties, drift)?;
            let of_step = |(h, fit): (usize, &Vec<f64>)| held.iter().map(|b| b.2.squared_error(fit, h)).collect();
            Ok(fits.iter().enumerate().map(of_step).collect())
        };
        let (mut chosen, mut least) = (usual.clone(), losses(&usual)?);
        for multiple in MULTIPLES {
            let tried: Vec<f64> = usual.iter().map(|p| p * multiple).collect();
            for (h, loss) in losses(&tried)?.into_iter().enumerate() {
                let gains: Vec<f64> = least[h].iter().zip(&loss).map(|(a, b)| a - b).collect();
                if clearly_positive(&gains) {
                    (chosen[h], least[h]) = (tried[h], loss);
                }
            }
        }
        Ok(chosen)
    }
}

/// True where the sum of gains is above its standard error.
fn clearly_positive(gains: &[f64]) -> bool {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let variance = gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
    mean > (variance / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_rise_from_a_tenth_to_a_half_in_five_levels() {
        let near = |step: usize, p: f64| assert!((penalty(step) - p).abs() < 1e-12, "{step}: {}", penalty(step));
        near(1, 0.1);
        near(4, 0.1);
        near(24, 0.5);
        near(288, 0.5);
        let levels: std::collections::BTreeSet<u64> = (1..=24).map(|h| penalty(h).to_bits()).collect();
        assert_eq!(levels.len(), 5);
    }

    #[test]
    fn a_gain_must_exceed_its_standard_error() {
        assert!(clearly_positive(&[1.0, 1.1, 0.9, 1.0]));
        assert!(!clearly_positive(&[1.0, -1.1, 0.9, -0.7]));
    }
}
