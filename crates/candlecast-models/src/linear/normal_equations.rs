//! Ridge regression by Cholesky factorisation of the centred normal equations, in double precision.

use candlecast_learn::{FitError, Samples, Smearing, Task};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Par, Side};

use super::{FittedLinear, Output};
use crate::checks;

/// Twice the least and the greatest exponent `k` of the penalties `n * 10^k` that are tried.
const HALF_DECADES: (i32, i32) = (-6, 8);

/// Coefficients of a ridge regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Ridge {
    /// `[feature, output]`, row-major.
    pub coefficients: Vec<f64>,
    /// `[output]`.
    pub intercept: Vec<f64>,
}

/// Ridge regression with an unpenalised intercept: minimises
/// `sum (y - a - x'b)^2 + alpha |b|^2` (Hoerl and Kennard 1970; scikit-learn's `Ridge`).
///
/// `x` is `[n, n_features]` and `y` `[n, n_outputs]`, both row-major.
pub fn ridge(x: &[f64], y: &[f64], n_features: usize, n_outputs: usize, alpha: f64) -> Result<Ridge, FitError> {
    let n = if n_outputs == 0 { 0 } else { y.len() / n_outputs };
    if n == 0 || x.len() != n * n_features || y.len() != n * n_outputs {
        return Err(FitError::Degenerate(format!(
            "x has {} values and y {}, which is no whole number of rows of {n_features} features and {n_outputs} outputs",
            x.len(),
            y.len()
        )));
    }
    let x = Mat::from_fn(n, n_features, |i, j| x[i * n_features + j]);
    let y = Mat::from_fn(n, n_outputs, |i, j| y[i * n_outputs + j]);
    let normal = Normal::new(x, y);
    let b = normal.solve(alpha)?;
    Ok(normal.assemble(Some(&b), &normal.mean_y))
}

/// The centred normal equations of a training part.
struct Normal {
    n: usize,
    mean_x: Vec<f64>,
    mean_y: Vec<f64>,
    /// `X'X`, `[feature, feature]`.
    gram: Mat<f64>,
    /// `X'Y`, `[feature, output]`.
    cross: Mat<f64>,
}

impl Normal {
    fn new(mut x: Mat<f64>, mut y: Mat<f64>) -> Self {
        let (mean_x, mean_y) = (column_means(&x), column_means(&y));
        subtract(&mut x, &mean_x);
        subtract(&mut y, &mean_y);
        Self { n: x.nrows(), mean_x, mean_y, gram: transposed_product(&x, &x), cross: transposed_product(&x, &y) }
    }

    /// Coefficients `[feature, output]`.
    fn solve(&self, alpha: f64) -> Result<Mat<f64>, FitError> {
        let mut matrix = self.gram.clone();
        for j in 0..matrix.nrows() {
            matrix[(j, j)] += alpha;
        }
        let mut b = self.cross.clone();
        if matrix.nrows() > 0 {
            let dependent = || {
                FitError::Degenerate(format!("features are linearly dependent at alpha {alpha}: take a greater alpha"))
            };
            let cholesky = matrix.llt(Side::Lower).map_err(|_| dependent())?;
            // A pivot of rounding errors is no pivot, even where it is not negative.
            let l = cholesky.L();
            if (0..l.nrows()).any(|j| l[(j, j)].powi(2) <= 1e-13 * matrix[(j, j)]) {
                return Err(dependent());
            }
            cholesky.solve_in_place(&mut b);
        }
        Ok(b)
    }

    /// The regression through `(mean of x, drift)` with slopes `b`, none for `None`.
    fn assemble(&self, b: Option<&Mat<f64>>, drift: &[f64]) -> Ridge {
        let (p, h) = (self.mean_x.len(), self.mean_y.len());
        let mut fit = Ridge { coefficients: vec![0.0; p * h], intercept: drift.to_vec() };
        if let Some(b) = b {
            for j in 0..p {
                for k in 0..h {
                    fit.coefficients[j * h + k] = b[(j, k)];
                    fit.intercept[k] -= self.mean_x[j] * b[(j, k)];
                }
            }
        }
        fit
    }
}

fn column_means(m: &Mat<f64>) -> Vec<f64> {
    (0..m.ncols()).map(|j| m.col_as_slice(j).iter().sum::<f64>() / m.nrows() as f64).collect()
}

fn subtract(m: &mut Mat<f64>, means: &[f64]) {
    for (j, mean) in means.iter().enumerate() {
        for v in m.col_as_slice_mut(j) {
            *v -= mean;
        }
    }
}

fn transposed_product(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    let mut out: Mat<f64> = Mat::zeros(a.ncols(), b.ncols());
    matmul(&mut out, Accum::Replace, a.transpose(), b, 1.0, Par::Seq);
    out
}

/// Features at the origins, `[sample, feature]`.
pub(super) fn inputs(samples: &Samples<'_>) -> Mat<f64> {
    Mat::from_fn(samples.len(), samples.width(), |i, j| f64::from(samples.last(i)[j]))
}

/// Log returns, `[sample, step]`, or relative log variances, `[sample, 1]`.
fn targets(samples: &Samples<'_>) -> Result<Mat<f64>, FitError> {
    if let Task::Volatility { .. } = samples.task() {
        let variances = checks::relative_variances(samples)?;
        return Ok(Mat::from_fn(variances.len(), 1, |i, _| variances[i]));
    }
    let h = samples.task().horizon();
    let mut rows = vec![0.0; samples.len() * h];
    for (i, row) in rows.chunks_exact_mut(h).enumerate() {
        samples.returns_into(i, row);
    }
    checks::finite_targets(&rows)?;
    Ok(Mat::from_fn(samples.len(), h, |i, k| rows[i * h + k]))
}

/// Factor on the mean returns: `max(0, 1 - 1 / t^2)` with the t-value of the mean return over the first step, whose
/// returns do not overlap.
fn drift_factor(y: &Mat<f64>) -> f64 {
    let first = y.col_as_slice(0);
    let n = first.len() as f64;
    let mean = first.iter().sum::<f64>() / n;
    let variance = first.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t_squared = mean * mean * n / variance;
    if t_squared.is_finite() { (1.0 - 1.0 / t_squared).max(0.0) } else { 0.0 }
}

fn drift(y: &Mat<f64>, means: &[f64], shrink: bool) -> Vec<f64> {
    let factor = if shrink { drift_factor(y) } else { 1.0 };
    means.iter().map(|m| factor * m).collect()
}

/// Fits on all of `train` with penalty `alpha`, or without features for `None`; of the volatility task without the
/// smearing factor.
pub(super) fn fit_samples(train: &Samples<'_>, alpha: Option<f64>, shrink: bool) -> Result<FittedLinear, FitError> {
    let y = targets(train)?;
    let output = if matches!(train.task(), Task::Volatility { .. }) {
        checks::mean_and_deviation(y.col_as_slice(0))?;
        Output::Variance(Smearing::NONE)
    } else {
        checks::root_mean_square(y.col_as_slice(0))?;
        Output::Returns
    };
    let drifts = drift(&y, &column_means(&y), shrink);
    let normal = Normal::new(inputs(train), y);
    let slopes = alpha.map(|alpha| normal.solve(alpha)).transpose()?;
    let fit = normal.assemble(slopes.as_ref(), &drifts);
    Ok(FittedLinear {
        alpha,
        width: drifts.len(),
        output,
        weights: fit.coefficients,
        intercept: fit.intercept,
        own: vec![],
    })
}

/// The penalty with the least loss on `valid` after a fit on `train`; `None` when no use of the features beats
/// using none of them.
pub(super) fn choose_alpha(train: &Samples<'_>, valid: &Samples<'_>, shrink: bool) -> Result<Option<f64>, FitError> {
    let y = targets(train)?;
    let weights = (0..y.ncols())
        .map(|k| Ok(checks::root_mean_square(y.col_as_slice(k))?.powi(-2)))
        .collect::<Result<Vec<f64>, FitError>>()?;
    let drifts = drift(&y, &column_means(&y), shrink);
    let normal = Normal::new(inputs(train), y);
    let (mut x, mut left) = (inputs(valid), targets(valid)?);
    subtract(&mut x, &normal.mean_x);
    subtract(&mut left, &drifts);
    let mut best = (weighted_squares(&left, &weights), None);
    for alpha in penalties(normal.n) {
        let mut residual = left.clone();
        matmul(&mut residual, Accum::Add, &x, &normal.solve(alpha)?, -1.0, Par::Seq);
        let loss = weighted_squares(&residual, &weights);
        if loss < best.0 {
            best = (loss, Some(alpha));
        }
    }
    Ok(best.1)
}

/// The penalties that are tried, greatest first.
pub(super) fn penalties(n: usize) -> impl Iterator<Item = f64> {
    (HALF_DECADES.0..=HALF_DECADES.1).rev().map(move |k| n as f64 * 10.0_f64.powf(f64::from(k) / 2.0))
}

fn weighted_squares(m: &Mat<f64>, weights: &[f64]) -> f64 {
    weights.iter().enumerate().map(|(k, w)| w * m.col_as_slice(k).iter().map(|v| v * v).sum::<f64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ridge_has_its_closed_form_in_one_dimension() {
        let x = [1.0, 2.0, 4.0, 7.0];
        let y = [1.0, 3.0, 2.0, 9.0];
        // Centred sums: Sxx = 21, Sxy = 78 - 4 * 3.5 * 3.75 = 25.5.
        for alpha in [0.0, 1.0, 10.0] {
            let fit = ridge(&x, &y, 1, 1, alpha).unwrap();
            assert!((fit.coefficients[0] - 25.5 / (21.0 + alpha)).abs() < 1e-12);
            assert!((fit.intercept[0] - (3.75 - 3.5 * fit.coefficients[0])).abs() < 1e-12);
        }
    }

    #[test]
    fn dependent_features_need_a_penalty() {
        let x = [1.0, 2.0, 2.0, 4.0, 3.0, 6.0];
        assert!(matches!(ridge(&x, &[1.0, 2.0, 4.0], 2, 1, 0.0), Err(FitError::Degenerate(_))));
        assert!(ridge(&x, &[1.0, 2.0, 4.0], 2, 1, 1.0).is_ok());
        assert!(ridge(&x, &[1.0, 2.0], 2, 1, 1.0).is_err());
    }

    #[test]
    fn the_drift_of_noise_vanishes_and_a_clear_drift_stays() {
        let noise = Mat::from_fn(100, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.001 });
        assert_eq!(drift_factor(&noise), 0.0);
        let trend = Mat::from_fn(100, 1, |i, _| if i % 2 == 0 { 1.1 } else { 0.9 });
        assert!(drift_factor(&trend) > 0.99);
        assert_eq!(drift_factor(&Mat::zeros(100, 1)), 0.0);
    }
}
