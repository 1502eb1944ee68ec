//! [`Matrix`]: a row-major view of finite inputs.

use candlecast_learn::{FitError, PriceTarget, Samples};

use crate::checks;

/// Inputs `[row, feature]`, row-major, all finite.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    n_features: usize,
}

impl<'a> Matrix<'a> {
    /// A view of `values` with `n_features` a row. Refuses no features, a broken last row, NaN and infinity.
    pub fn new(values: &'a [f32], n_features: usize) -> Result<Self, FitError> {
        if n_features == 0 {
            return Err(FitError::Degenerate("trees need features and there are none: choose a feature set".into()));
        }
        if !values.len().is_multiple_of(n_features) {
            return Err(FitError::Degenerate(format!(
                "{} values are no whole number of rows of {n_features} features",
                values.len()
            )));
        }
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(Self { values, n_features }),
            Some(at) => Err(FitError::NotFinite {
                what: format!("feature {} of row {}", at % n_features, at / n_features),
                value: f64::from(values[at]),
                step: 0,
                remedy: "drop the feature or the row".into(),
            }),
        }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.n_features
    }

    /// Features a row.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Row `i`, `[feature]`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.values[i * self.n_features..(i + 1) * self.n_features]
    }

    /// All rows in order.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.n_features)
    }
}

/// Features at the origins, row-major `[sample, feature]`.
pub(crate) fn inputs(samples: &Samples<'_>) -> Vec<f32> {
    let mut values = Vec::with_capacity(samples.len() * samples.width());
    for i in 0..samples.len() {
        values.extend_from_slice(samples.last(i));
    }
    values
}

/// Targets of the price task over each anchor's steps, `[anchor][sample]`, as `learnt` says.
pub(crate) fn anchor_targets(
    samples: &Samples<'_>,
    anchors: &[usize],
    learnt: PriceTarget,
) -> Result<Vec<Vec<f64>>, FitError> {
    let mut all = vec![0.0; samples.task().horizon()];
    let mut out = vec![Vec::with_capacity(samples.len()); anchors.len()];
    for i in 0..samples.len() {
        learnt.learn_into(samples, i, &mut all);
        checks::finite_targets(&all)?;
        for (targets, &step) in out.iter_mut().zip(anchors) {
            targets.push(all[step - 1]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_matrix_is_refused() {
        assert!(matches!(Matrix::new(&[], 0), Err(FitError::Degenerate(_))));
        assert!(matches!(Matrix::new(&[1.0, 2.0, 3.0], 2), Err(FitError::Degenerate(_))));
        let err = Matrix::new(&[1.0, 2.0, f32::NAN, 4.0], 2).unwrap_err();
        assert!(err.to_string().contains("feature 0 of row 1"), "{err}");
        let m = Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!((m.n_rows(), m.row(1)), (2, &[3.0, 4.0][..]));
    }
}
