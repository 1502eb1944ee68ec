//! [`Gram`] and [`RidgeFit`]: ridge regression from sums over rows, which add up to those of any window.

use crate::FitError;

/// Variance of a regressor below which it counts as constant.
const LEAST_VARIANCE: f64 = 1e-10;

/// Sums over rows of `width` regressors and of several targets. Those of two sets of rows add up to those of both.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gram {
    width: usize,
    rows: usize,
    /// Sums of `x`, `[regressor]`.
    x: Vec<f64>,
    /// Sums of `x x'`, row-major `[regressor, regressor]`, of which the part from the diagonal on is filled.
    xx: Vec<f64>,
    /// Sums of `x y`, row-major `[target, regressor]`.
    xy: Vec<f64>,
    /// Sums of `y`, `[target]`.
    y: Vec<f64>,
    /// Sums of `y^2`, `[target]`.
    yy: Vec<f64>,
}

/// A fitted hyperplane, `intercept + x'beta`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RidgeFit {
    /// Slopes, `[regressor]`, 0 where a regressor is constant.
    pub(crate) beta: Vec<f64>,
    /// Its value where all regressors are 0.
    pub(crate) intercept: f64,
}

impl RidgeFit {
    /// Its value at `x`, `[regressor]`.
    pub(crate) fn value(&self, x: &[f64]) -> f64 {
        x.iter().zip(&self.beta).fold(self.intercept, |sum, (x, beta)| sum + x * beta)
    }
}

impl Gram {
    /// Sums over no rows.
    pub(crate) fn new(width: usize, targets: usize) -> Self {
        Self {
            width,
            rows: 0,
            x: vec![0.0; width],
            xx: vec![0.0; width * width],
            xy: vec![0.0; targets * width],
            y: vec![0.0; targets],
            yy: vec![0.0; targets],
        }
    }

    /// Rows summed.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a row with the regressors `x`, `[regressor]`, and the targets `ys`, `[target]`.
    pub(crate) fn add_row(&mut self, x: &[f64], ys: &[f64]) {
        debug_assert!(x.len() == self.width && ys.len() == self.y.len(), "a row has all regressors and targets");
        self.rows += 1;
        for (j, &value) in x.iter().enumerate() {
            self.x[j] += value;
            let products = &mut self.xx[j * self.width..(j + 1) * self.width];
            products[j..].iter_mut().zip(&x[j..]).for_each(|(sum, other)| *sum += value * other);
        }
        for (target, &y) in ys.iter().enumerate() {
            self.y[target] += y;
            self.yy[target] += y * y;
            let products = &mut self.xy[target * self.width..(target + 1) * self.width];
            products.iter_mut().zip(x).for_each(|(sum, value)| *sum += value * y);
        }
    }

    /// Adds the rows of `other`, which has the same regressors and targets.
    pub(crate) fn merge(&mut self, other: &Self) {
        debug_assert!(self.width == other.width && self.y.len() == other.y.len(), "sums of the same kind");
        let add = |sums: &mut [f64], others: &[f64]| sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        self.rows += other.rows;
        add(&mut self.x, &other.x);
        add(&mut self.xx, &other.xx);
        add(&mut self.xy, &other.xy);
        add(&mut self.y, &other.y);
        add(&mut self.yy, &other.yy);
    }

    /// The fit of target `target` on the regressors `columns` (ascending) that minimises
    /// `|y - a - X b|^2 / n + lambda |b_s|^2`, `b_s` being the slopes on standardised regressors. Slopes of regressors
    /// whose variance is below 1e-10 are 0. `lambda` is above 0.
    pub(crate) fn solve(&self, lambda: f64, target: usize, columns: &[usize]) -> Result<RidgeFit, FitError> {
        if self.rows == 0 {
            return Err(FitError::TooFewSamples { have: 0, need: 1 });
        }
        let (n, width) = (self.rows as f64, self.width);
        let mean: Vec<f64> = columns.iter().map(|&k| self.x[k] / n).collect();
        let mean_y = self.y[target] / n;
        let covariance = |a: usize, b: usize| self.xx[columns[a] * width + columns[b]] / n - mean[a] * mean[b];
        let varying: Vec<(usize, f64)> = (0..columns.len())
            .map(|a| (a, covariance(a, a)))
            .filter(|&(_, variance)| variance > LEAST_VARIANCE || variance.is_nan())
            .map(|(a, variance)| (a, variance.sqrt()))
            .collect();
        let size = varying.len();
        let mut matrix = vec![0.0; size * size];
        let mut slopes = Vec::with_capacity(size);
        for (i, &(a, deviation)) in varying.iter().enumerate() {
            for (j, &(b, other)) in varying[..=i].iter().enumerate() {
                matrix[i * size + j] = covariance(b, a) / (deviation * other);
            }
            matrix[i * size + i] += lambda;
            slopes.push((self.xy[target * width + columns[a]] / n - mean[a] * mean_y) / deviation);
        }
        cholesky(&mut matrix, size)?;
        solve_factored(&matrix, &mut slopes);
        let mut beta = vec![0.0; columns.len()];
        for (&(a, deviation), slope) in varying.iter().zip(&slopes) {
            beta[a] = slope / deviation;
        }
        let intercept = beta.iter().zip(&mean).fold(mean_y, |rest, (beta, mean)| rest - beta * mean);
        if intercept.is_finite() && beta.iter().all(|beta| beta.is_finite()) {
            return Ok(RidgeFit { beta, intercept });
        }
        Err(not_finite("a coefficient of the volatility", intercept))
    }
}

fn not_finite(what: &str, value: f64) -> FitError {
    FitError::NotFinite {
        what: what.into(),
        value,
        step: 0,
        remedy: "check the candles of this range with `candlecast data check`".into(),
    }
}

/// Factors the symmetric matrix `a` (row-major `[size, size]`, of which the lower triangle is read) into `L L'` and
/// leaves `L` in its lower triangle. An error where it is not positive definite.
fn cholesky(a: &mut [f64], size: usize) -> Result<(), FitError> {
    for i in 0..size {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| a[i * size + k] * a[j * size + k]).sum();
            let rest = a[i * size + j] - known;
            if i != j {
                a[i * size + j] = rest / a[j * size + j];
            } else if rest > 0.0 && rest.is_finite() {
                a[i * size + i] = rest.sqrt();
            } else {
                return Err(not_finite("a pivot of the normal equations, which must be above 0,", rest));
            }
        }
    }
    Ok(())
}

/// Solves `L L' x = b` in place, `L` being the lower triangle of `factor`.
fn solve_factored(factor: &[f64], b: &mut [f64]) {
    let size = b.len();
    for i in 0..size {
        let known: f64 = (0..i).map(|k| factor[i * size + k] * b[k]).sum();
        b[i] = (b[i] - known) / factor[i * size + i];
    }
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size).map(|k| factor[k * size + i] * b[k]).sum();
        b[i] = (b[i] - known) / factor[i * size + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    const WIDTH: usize = 5;
    const ALL: [usize; WIDTH] = [0, 1, 2, 3, 4];

    /// Rows of correlated regressors with means far from 0, the last of which is constant, and two targets.
    fn rows(n: usize) -> Vec<([f64; WIDTH], [f64; 2])> {
        let mut rng = Seed(11).stream();
        (0..n)
            .map(|_| {
                let common = rng.normal();
                let x =
                    [-8.0 + common, 3.0 + 0.1 * rng.normal(), common + 0.5 * rng.normal(), 20.0 * rng.normal(), 7.0];
                let y = 1.0 + 0.5 * x[0] - 2.0 * x[1] + 0.3 * x[2] + 0.01 * x[3];
                (x, [y, y + 0.2 * rng.normal()])
            })
            .collect()
    }

    fn gram_of(rows: &[([f64; WIDTH], [f64; 2])]) -> Gram {
        let mut gram = Gram::new(WIDTH, 2);
        rows.iter().for_each(|(x, ys)| gram.add_row(x, ys));
        gram
    }

    #[test]
    fn sums_of_parts_add_up_to_those_of_the_whole() {
        let rows = rows(500);
        let whole = gram_of(&rows);
        let mut merged = Gram::new(WIDTH, 2);
        for part in rows.chunks(77) {
            merged.merge(&gram_of(part));
        }
        assert_eq!(merged.rows(), whole.rows());
        for target in 0..2 {
            assert!((merged.yy[target] / whole.yy[target] - 1.0).abs() < 1e-12);
            let (a, b) = (merged.solve(0.03, target, &ALL).unwrap(), whole.solve(0.03, target, &ALL).unwrap());
            assert!((a.intercept - b.intercept).abs() < 1e-9);
            assert!(a.beta.iter().zip(&b.beta).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
        }
    }

    #[test]
    fn without_a_penalty_to_speak_of_a_plane_is_found() {
        let fit = gram_of(&rows(400)).solve(1e-9, 0, &ALL).unwrap();
        for (found, planted) in fit.beta.iter().zip([0.5, -2.0, 0.3, 0.01, 0.0]) {
            assert!((found - planted).abs() < 1e-5, "{fit:?}");
        }
        assert_eq!(fit.beta[4], 0.0, "what is constant has no slope");
        assert!((fit.intercept - 1.0).abs() < 1e-4, "{fit:?}");
        let (x, [y, _]) = rows(400)[7];
        assert!((fit.value(&x) - y).abs() < 1e-6);
    }

    /// The conditions of the minimum: the gradient by the intercept and by every standardised slope is 0.
    #[test]
    fn the_fit_is_where_its_loss_is_least() {
        const LAMBDA: f64 = 0.3;
        let rows = rows(300);
        let columns = [0, 2, 3];
        let fit = gram_of(&rows).solve(LAMBDA, 1, &columns).unwrap();
        let n = rows.len() as f64;
        let chosen = |x: &[f64; WIDTH]| columns.map(|k| x[k]);
        let residuals: Vec<f64> = rows.iter().map(|(x, ys)| ys[1] - fit.value(&chosen(x))).collect();
        assert!((residuals.iter().sum::<f64>() / n).abs() < 1e-9);
        for (place, &k) in columns.iter().enumerate() {
            let mean = rows.iter().map(|(x, _)| x[k]).sum::<f64>() / n;
            let variance = rows.iter().map(|(x, _)| (x[k] - mean).powi(2)).sum::<f64>() / n;
            let pull = rows.iter().zip(&residuals).map(|((x, _), r)| (x[k] - mean) * r).sum::<f64>() / n;
            assert!((pull - LAMBDA * fit.beta[place] * variance).abs() < 1e-9, "{k}");
        }
    }

    #[test]
    fn equal_regressors_share_a_slope() {
        let mut gram = Gram::new(2, 1);
        for i in 0..60 {
            let x = f64::from(i % 7);
            gram.add_row(&[x, x], &[2.0 + 3.0 * x]);
        }
        let fit = gram.solve(1e-6, 0, &[0, 1]).unwrap();
        assert!((fit.beta[0] - 1.5).abs() < 1e-4 && (fit.beta[1] - 1.5).abs() < 1e-4, "{fit:?}");
    }

    #[test]
    fn no_rows_and_numbers_that_are_none_are_refused() {
        assert!(matches!(Gram::new(2, 1).solve(0.03, 0, &[0, 1]), Err(FitError::TooFewSamples { .. })));
        for bad in [f64::NAN, f64::INFINITY] {
            let mut gram = Gram::new(2, 1);
            gram.add_row(&[1.0, 2.0], &[0.0]);
            gram.add_row(&[bad, 1.0], &[1.0]);
            let error = gram.solve(0.03, 0, &[0, 1]).unwrap_err();
            assert!(matches!(error, FitError::NotFinite { .. }), "{error}");
            let mut gram = Gram::new(2, 1);
            gram.add_row(&[1.0, 2.0], &[bad]);
            gram.add_row(&[2.0, 1.0], &[1.0]);
            assert!(gram.solve(0.03, 0, &[0, 1]).is_err());
        }
        // Nothing varies: the mean remains.
        let mut gram = Gram::new(1, 1);
        (0..4).for_each(|i| gram.add_row(&[5.0], &[f64::from(i)]));
        assert_eq!(gram.solve(0.03, 0, &[0]), Ok(RidgeFit { beta: vec![0.0], intercept: 1.5 }));
    }
}
