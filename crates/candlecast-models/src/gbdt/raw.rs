//! Boosting on a plain matrix: for benchmarks, tests and use outside candles.

use std::ops::ControlFlow;

use candlecast_core::Seed;
use candlecast_learn::{Curve, FitError};

use super::booster::{Booster, Ensemble, Targets, TrainingData};
use super::rounds::Rounds;
use super::{GbdtConfig, Objective, Open};
use crate::tree::{Matrix, Workers, gain_importances};

/// Boosted trees over a plain matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct GbdtModel {
    objective: Objective,
    ensemble: Ensemble,
}

impl GbdtConfig {
    /// Boosts on `x` and `y`, `[row]`; with a validation part stops early and keeps the best rounds, however small their
    /// gain is. The base margin is the best constant on `y`. Parameters that are left open have XGBoost's defaults.
    pub fn fit_matrix(
        &self,
        (x, y): (&Matrix<'_>, &[f32]),
        valid: Option<(&Matrix<'_>, &[f32])>,
        objective: Objective,
        seed: Seed,
        threads: usize,
    ) -> Result<GbdtModel, FitError> {
        check(x, y, x.n_features(), objective)?;
        objective.check_variety(y)?;
        if let Some((valid_x, valid_y)) = valid {
            check(valid_x, valid_y, x.n_features(), objective)?;
        }
        let data = TrainingData::new(*x, valid.map(|(x, _)| *x), self.max_bins);
        let targets = Targets {
            base: objective.base(y),
            y: y.to_vec(),
            valid_y: valid.map(|(_, y)| y.to_vec()).unwrap_or_default(),
            centred: false,
            stretches: None,
        };
        let mut boosters = [Booster::new(objective, None, &data, targets, self.rounds)];
        let (workers, settings) = (Workers::new(threads), self.settings(&Open::XGBOOST));
        let rounds = Rounds { settings: &settings, data: &data, seed, workers: &workers };
        rounds.run(&mut boosters, Curve::default(), &mut |_, _, _| ControlFlow::Continue(()))?;
        Ok(GbdtModel { objective, ensemble: boosters[0].best(&data) })
    }
}

fn check(x: &Matrix<'_>, y: &[f32], n_features: usize, objective: Objective) -> Result<(), FitError> {
    if x.n_rows() == 0 || x.n_rows() != y.len() || x.n_features() != n_features || objective.outputs() == 0 {
        return Err(FitError::Degenerate(format!(
            "{} rows of {} features do not go with {} targets and {n_features} training features",
            x.n_rows(),
            x.n_features(),
            y.len()
        )));
    }
    objective.check(y)
}

impl GbdtModel {
    /// Predictions `[row, output]`: values, probability of class 1, or probabilities of the classes.
    pub fn predict_matrix(&self, x: &Matrix<'_>) -> Vec<f64> {
        let k = self.objective.outputs();
        let mut out = vec![0.0; x.n_rows() * k];
        for (row, out) in x.rows().zip(out.chunks_exact_mut(k)) {
            self.ensemble.margins(row, out);
            self.objective.link(out);
        }
        out
    }

    /// Rounds kept.
    pub fn n_rounds(&self) -> usize {
        self.ensemble.n_rounds()
    }

    /// Share of each feature in the gain of all splits; `None` without splits.
    pub fn importances(&self, n_features: usize) -> Option<Vec<f64>> {
        gain_importances(self.ensemble.trees.iter(), n_features)
    }
}
