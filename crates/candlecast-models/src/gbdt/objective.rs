//! [`Objective`]: what boosting minimises.

use candlecast_learn::FitError;

use crate::softmax::softmax;

/// Loss that boosting minimises, with the meaning of targets and predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Half the squared error; targets and predictions are numbers.
    Squared,
    /// Log loss of two classes; targets are 0 or 1, the prediction is the probability of 1.
    Logistic,
    /// Log loss of several classes; targets are class numbers, predictions the probability of each class.
    Softmax {
        /// Number of classes, at least 2.
        classes: usize,
    },
}

/// Least Hessian of a row, as in XGBoost.
const LEAST_HESSIAN: f64 = 1e-16;

impl Objective {
    /// Margins and predictions a row.
    pub fn outputs(self) -> usize {
        match self {
            Self::Squared | Self::Logistic => 1,
            Self::Softmax { classes } => classes,
        }
    }

    /// Refuses targets that the objective has no meaning for.
    pub(super) fn check(self, y: &[f32]) -> Result<(), FitError> {
        let fits = |v: f32| match self {
            Self::Squared => v.is_finite(),
            Self::Logistic => v == 0.0 || v == 1.0,
            Self::Softmax { classes } => v >= 0.0 && v < classes as f32 && v.fract() == 0.0,
        };
        if let Some((row, &value)) = y.iter().enumerate().find(|&(_, &v)| !fits(v)) {
            return Err(FitError::Degenerate(format!("target {value} of row {row} is none of objective {self:?}")));
        }
        Ok(())
    }

    /// Refuses classes of which there is only one.
    pub(super) fn check_variety(self, y: &[f32]) -> Result<(), FitError> {
        match (self, y.first()) {
            (Self::Logistic | Self::Softmax { .. }, Some(&first)) if y.iter().all(|&v| v == first) => {
                Err(FitError::OneClass { class: first as usize, samples: y.len() })
            }
            _ => Ok(()),
        }
    }

    /// Margins of the best constant: the mean, the log odds, the log shares (each class has one row more than seen).
    pub(super) fn base(self, y: &[f32]) -> Vec<f64> {
        let n = y.len() as f64;
        let mean = y.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        match self {
            Self::Squared => vec![mean],
            Self::Logistic => vec![(mean / (1.0 - mean)).ln()],
            Self::Softmax { classes } => (0..classes)
                .map(|c| y.iter().filter(|&&v| v as usize == c).count())
                .map(|count| ((count as f64 + 1.0) / (n + classes as f64)).ln())
                .collect(),
        }
    }

    /// Turns the margins of one row into its predictions.
    pub(super) fn link(self, margins: &mut [f64]) {
        match self {
            Self::Squared => {}
            Self::Logistic => margins[0] = 1.0 / (1.0 + (-margins[0]).exp()),
            Self::Softmax { .. } => softmax(margins),
        }
    }

    /// `[gradient, Hessian]` of every row for each output, `[output][row]`, at `margins` `[row, output]`.
    pub(super) fn gradients(self, margins: &[f64], y: &[f32], out: &mut [Vec<[f32; 2]>]) {
        match self {
            Self::Squared => {
                for ((g, m), &y) in out[0].iter_mut().zip(margins).zip(y) {
                    *g = [(m - f64::from(y)) as f32, 1.0];
                }
            }
            Self::Logistic => {
                for ((g, m), &y) in out[0].iter_mut().zip(margins).zip(y) {
                    let p = 1.0 / (1.0 + (-m).exp());
                    *g = [(p - f64::from(y)) as f32, (p * (1.0 - p)).max(LEAST_HESSIAN) as f32];
                }
            }
            Self::Softmax { classes } => {
                let mut p = vec![0.0; classes];
                for (row, (m, &y)) in margins.chunks_exact(classes).zip(y).enumerate() {
                    p.copy_from_slice(m);
                    softmax(&mut p);
                    for (c, (g, &p)) in out.iter_mut().zip(&p).enumerate() {
                        let hit = f64::from(u8::from(y as usize == c));
                        g[row] = [(p - hit) as f32, (2.0 * p * (1.0 - p)).max(LEAST_HESSIAN) as f32];
                    }
                }
            }
        }
    }

    /// Mean squared error, or mean log loss in nats.
    pub(super) fn loss(self, margins: &[f64], y: &[f32]) -> f64 {
        self.losses(margins, y).sum::<f64>() / y.len() as f64
    }

    /// Squared error, or log loss in nats, of each row; `margins` are `[row, output]`.
    pub(super) fn losses(self, margins: &[f64], y: &[f32]) -> impl Iterator<Item = f64> {
        margins.chunks_exact(self.outputs()).zip(y).map(move |(m, &y)| match self {
            Self::Squared => (m[0] - f64::from(y)).powi(2),
            Self::Logistic => log1p_exp(if y > 0.5 { -m[0] } else { m[0] }),
            Self::Softmax { .. } => {
                let top = m.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                top + m.iter().map(|v| (v - top).exp()).sum::<f64>().ln() - m[y as usize]
            }
        })
    }
}

/// `ln(1 + e^x)` without overflow.
fn log1p_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        for (objective, y) in
            [(Objective::Squared, 0.7_f32), (Objective::Logistic, 1.0), (Objective::Softmax { classes: 3 }, 2.0)]
        {
            let k = objective.outputs();
            let margins: Vec<f64> = (0..k).map(|i| 0.4 - 0.3 * i as f64).collect();
            let mut out = vec![vec![[0.0; 2]]; k];
            objective.gradients(&margins, &[y], &mut out);
            for c in 0..k {
                let at = |d: f64| {
                    let mut m = margins.clone();
                    m[c] += d;
                    objective.loss(&m, &[y])
                };
                let halved = if objective == Objective::Squared { 0.5 } else { 1.0 };
                let slope = halved * (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((f64::from(out[c][0][0]) - slope).abs() < 1e-6, "{objective:?} {c}");
            }
        }
    }

    #[test]
    fn targets_without_meaning_and_single_classes_are_refused() {
        assert!(Objective::Logistic.check(&[0.0, 2.0]).is_err());
        assert!(Objective::Squared.check(&[0.0, f32::NAN]).is_err());
        assert!(Objective::Softmax { classes: 3 }.check(&[0.0, 1.5]).is_err());
        let err = Objective::Softmax { classes: 3 }.check_variety(&[1.0, 1.0]).unwrap_err();
        assert_eq!(err, FitError::OneClass { class: 1, samples: 2 });
        assert_eq!(Objective::Softmax { classes: 3 }.check_variety(&[1.0, 0.0]), Ok(()));
    }

    #[test]
    fn probabilities_sum_to_one_at_any_margin() {
        let mut margins = [800.0, -800.0, 799.0];
        Objective::Softmax { classes: 3 }.link(&mut margins);
        assert!((margins.iter().sum::<f64>() - 1.0).abs() < 1e-12 && margins[0] > 0.7);
    }
}
