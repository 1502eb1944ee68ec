//! Multinomial logistic regression by a quasi-Newton method whose metric is a fixed bound of the Hessian.

use std::collections::VecDeque;

use candlecast_learn::{FitError, Samples};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, Par, Scale, Side};

use crate::softmax::softmax;

/// Steps at most; a hundred are usual, so that the limit is met only where numbers have lost their precision.
const MAX_STEPS: usize = 2_000;
/// Pairs of step and change of slope that shape the next step.
const MEMORY: usize = 12;
/// Halvings of one step at most.
const MAX_HALVINGS: i32 = 40;
/// Greatest slope of the mean loss at which a solution is taken as exact.
pub(super) const EXACT: f64 = 1e-9;
/// The same where the solution only has to be compared with others.
pub(super) const ROUGH: f64 = 1e-5;

/// Weights of a multinomial logistic regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// `[feature, class]`, row-major; each row sums to 0.
    pub weights: Vec<f64>,
    /// `[class]`.
    pub intercept: Vec<f64>,
}

/// Multinomial logistic regression with an unpenalised intercept: minimises the sum of the log losses plus
/// `alpha / 2 |W|^2` (scikit-learn's `LogisticRegression` with `C = 1 / alpha`).
///
/// `x` is row-major `[n, n_features]`, `class` `[n]`, all below `n_classes`. Steps are those of L-BFGS (Nocedal 1980)
/// in the metric of `1/2 (I - 11'/K) (x) X'X`, which bounds the Hessian (Böhning 1992): one Cholesky factor serves all
/// steps, and the bound alone would already lower the loss with each.
pub fn logistic(
    x: &[f64],
    class: &[usize],
    n_features: usize,
    n_classes: usize,
    alpha: f64,
) -> Result<Logistic, FitError> {
    if class.is_empty() || x.len() != class.len() * n_features || class.iter().any(|&c| c >= n_classes) {
        return Err(FitError::Degenerate(format!(
            "{} values and {} classes are no rows of {n_features} features with classes below {n_classes}",
            x.len(),
            class.len()
        )));
    }
    let problem = Problem::new(Mat::from_fn(class.len(), n_features, |i, j| x[i * n_features + j]), class, n_classes);
    Ok(problem.logistic(&problem.solve(alpha, EXACT, problem.start())?))
}

/// Rows with a leading column of ones, and their classes.
pub(super) struct Problem<'a> {
    /// `[row, 1 + feature]`, features centred.
    x: Mat<f64>,
    means: Vec<f64>,
    class: &'a [usize],
    n_classes: usize,
    gram: Mat<f64>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(x: Mat<f64>, class: &'a [usize], n_classes: usize) -> Self {
        let means: Vec<f64> =
            (0..x.ncols()).map(|j| x.col_as_slice(j).iter().sum::<f64>() / x.nrows() as f64).collect();
        let x = Mat::from_fn(x.nrows(), x.ncols() + 1, |i, j| if j == 0 { 1.0 } else { x[(i, j - 1)] - means[j - 1] });
        let mut gram: Mat<f64> = Mat::zeros(x.ncols(), x.ncols());
        matmul(&mut gram, Accum::Replace, x.transpose(), &x, 1.0, Par::Seq);
        Self { x, means, class, n_classes, gram }
    }

    /// Weights `[1 + feature, class]` of the class shares alone; each class counts one row more than seen.
    pub(super) fn start(&self) -> Mat<f64> {
        let count = |c: usize| (self.class.iter().filter(|&&v| v == c).count() + 1) as f64;
        let mean = (0..self.n_classes).map(|c| count(c).ln()).sum::<f64>() / self.n_classes as f64;
        Mat::from_fn(self.x.ncols(), self.n_classes, |j, c| if j == 0 { count(c).ln() - mean } else { 0.0 })
    }

    /// Weights `[1 + feature, class]` with least penalised loss, from `weights` on.
    pub(super) fn solve(&self, alpha: f64, tolerance: f64, mut weights: Mat<f64>) -> Result<Mat<f64>, FitError> {
        let bound = Mat::from_fn(self.gram.nrows(), self.gram.ncols(), |i, j| {
            0.5 * self.gram[(i, j)] + if i == j && i > 0 { alpha } else { 0.0 }
        });
        let factor = bound.llt(Side::Lower).map_err(|_| {
            FitError::Degenerate(format!("features are linearly dependent at alpha {alpha}: take a greater alpha"))
        })?;
        let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
        let (mut loss, mut slope) = self.loss_and_slope(&weights, alpha);
        for _ in 0..MAX_STEPS {
            if slope.norm_max() <= tolerance * self.x.nrows() as f64 {
                break;
            }
            let mut direction = quasi_newton(&slope, &factor, &memory);
            let mut descent = inner(&direction, &slope);
            if descent.is_nan() || descent >= 0.0 {
                memory.clear();
                direction = quasi_newton(&slope, &factor, &memory);
                descent = inner(&direction, &slope);
            }
            // The rounding of a sum of losses hides what is left to gain.
            if -descent <= f64::EPSILON * loss * (self.x.nrows() as f64).sqrt() {
                break;
            }
            let Some((length, lower, steeper)) = (0..MAX_HALVINGS).find_map(|halvings| {
                let length = 0.5_f64.powi(halvings);
                let (loss_there, slope_there) = self.loss_and_slope(&(&weights + &direction * Scale(length)), alpha);
                (loss_there <= loss + 1e-4 * length * descent).then_some((length, loss_there, slope_there))
            }) else {
                break;
            };
            let step = &direction * Scale(length);
            let change = &steeper - &slope;
            let curvature = inner(&step, &change);
            weights += &step;
            if curvature > 0.0 {
                if memory.len() == MEMORY {
                    memory.pop_front();
                }
                memory.push_back(Pair { step, change, curvature });
            }
            (loss, slope) = (lower, steeper);
        }
        Ok(weights)
    }

    /// Penalised loss in nats and its slope, `[1 + feature, class]`.
    fn loss_and_slope(&self, weights: &Mat<f64>, alpha: f64) -> (f64, Mat<f64>) {
        let mut residual: Mat<f64> = Mat::zeros(self.x.nrows(), self.n_classes);
        matmul(&mut residual, Accum::Replace, &self.x, weights, 1.0, Par::Seq);
        let mut p = vec![0.0; self.n_classes];
        let mut loss = 0.0;
        for (i, &class) in self.class.iter().enumerate() {
            (0..self.n_classes).for_each(|c| p[c] = residual[(i, c)]);
            softmax(&mut p);
            loss -= p[class].max(f64::MIN_POSITIVE).ln();
            (0..self.n_classes).for_each(|c| residual[(i, c)] = p[c] - f64::from(u8::from(c == class)));
        }
        let mut slope =
            Mat::from_fn(weights.nrows(), weights.ncols(), |j, c| if j == 0 { 0.0 } else { alpha * weights[(j, c)] });
        loss += 0.5 * inner(&slope, weights);
        matmul(&mut slope, Accum::Add, self.x.transpose(), &residual, 1.0, Par::Seq);
        (loss, slope)
    }

    /// Number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.x.nrows()
    }

    /// Weights on features that are not centred.
    pub(super) fn logistic(&self, weights: &Mat<f64>) -> Logistic {
        let (p, k) = (self.means.len(), self.n_classes);
        let mut out = Logistic { weights: vec![0.0; p * k], intercept: (0..k).map(|c| weights[(0, c)]).collect() };
        for j in 0..p {
            for c in 0..k {
                out.weights[j * k + c] = weights[(j + 1, c)];
                out.intercept[c] -= self.means[j] * weights[(j + 1, c)];
            }
        }
        out
    }
}

/// A step taken and what it did to the slope.
struct Pair {
    step: Mat<f64>,
    change: Mat<f64>,
    /// Inner product of the two, above 0.
    curvature: f64,
}

/// The step of L-BFGS from a point with `slope`: the two-loop recursion with `factor` as first metric.
fn quasi_newton(slope: &Mat<f64>, factor: &Llt<f64>, memory: &VecDeque<Pair>) -> Mat<f64> {
    let mut direction = slope * Scale(-1.0);
    let mut shares = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let share = inner(&pair.step, &direction) / pair.curvature;
        direction -= &pair.change * Scale(share);
        shares.push(share);
    }
    factor.solve_in_place(&mut direction);
    for (pair, share) in memory.iter().zip(shares.into_iter().rev()) {
        let back = inner(&pair.change, &direction) / pair.curvature;
        direction += &pair.step * Scale(share - back);
    }
    direction
}

fn inner(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|c| a.col_as_slice(c).iter().zip(b.col_as_slice(c)).map(|(a, b)| a * b).sum::<f64>()).sum()
}

/// Mean log loss of `fit` on `samples`, in nats.
pub(super) fn log_loss(fit: &Logistic, samples: &Samples<'_>) -> f64 {
    let k = fit.intercept.len();
    let mut p = vec![0.0; k];
    let mut sum = 0.0;
    for i in 0..samples.len() {
        p.copy_from_slice(&fit.intercept);
        for (&v, w) in samples.last(i).iter().zip(fit.weights.chunks_exact(k)) {
            for (p, &w) in p.iter_mut().zip(w) {
                *p += f64::from(v) * w;
            }
        }
        softmax(&mut p);
        sum -= p[samples.class(i)].max(f64::MIN_POSITIVE).ln();
    }
    sum / samples.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_power_the_shares_of_the_classes_remain() {
        let x = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
        let fit = logistic(&x, &[0, 0, 1, 1, 1, 1, 1, 1], 1, 2, 1.0).unwrap();
        assert!(fit.weights.iter().all(|w| w.abs() < 1e-9), "{fit:?}");
        assert!((fit.intercept[1] - fit.intercept[0] - 3.0_f64.ln()).abs() < 1e-6, "{fit:?}");
    }

    #[test]
    fn the_solution_has_no_slope() {
        let x: Vec<f64> = (0..120).map(|i| f64::from(i * i * 37 % 61) / 30.0 - 1.0).collect();
        let class: Vec<usize> =
            (0..60).map(|i| usize::from(x[2 * i] > 0.1) + usize::from(x[2 * i + 1] > 0.3)).collect();
        let problem = Problem::new(Mat::from_fn(60, 2, |i, j| x[2 * i + j]), &class, 3);
        let weights = problem.solve(0.5, EXACT, problem.start()).unwrap();
        let (_, slope) = problem.loss_and_slope(&weights, 0.5);
        for j in 0..3 {
            for c in 0..3 {
                assert!(slope[(j, c)].abs() < 1e-6, "{slope:?}");
            }
        }
        let fit = problem.logistic(&weights);
        assert!(fit.weights[2] > 0.5 && fit.weights[0] < -0.5, "{fit:?}");
    }
}
