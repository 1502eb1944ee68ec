//! [`Booster`]: one target being boosted.

use candlecast_core::Seed;
use serde::{Deserialize, Serialize};

use super::{GbdtConfig, Objective};
use crate::tree::{Binned, GrowInput, Grower, Matrix, Tree};

/// Inputs of a fit, shared by all its boosters.
#[derive(Debug)]
pub(super) struct TrainingData<'a> {
    /// Training rows.
    pub(super) x: Matrix<'a>,
    /// Validation rows.
    pub(super) valid_x: Option<Matrix<'a>>,
    /// Codes of the training rows.
    pub(super) binned: Binned,
}

impl<'a> TrainingData<'a> {
    pub(super) fn new(x: Matrix<'a>, valid_x: Option<Matrix<'a>>, max_bins: usize) -> Self {
        Self { x, valid_x, binned: Binned::new(&x, max_bins) }
    }
}

/// Base margins and trees, the trees of one round after another: what is left of a booster after training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ensemble {
    /// `[output]`.
    pub(super) base: Vec<f64>,
    /// Tree `t` adds to output `t % outputs`.
    pub(super) trees: Vec<Tree>,
}

impl Ensemble {
    /// Margins of `x`, `[feature]`, into `out`, `[output]`.
    pub(super) fn margins(&self, x: &[f32], out: &mut [f64]) {
        out.copy_from_slice(&self.base);
        let k = self.base.len();
        for (t, tree) in self.trees.iter().enumerate() {
            out[t % k] += f64::from(tree.leaf_values(x)[0]);
        }
    }

    fn all_margins(&self, x: &Matrix<'_>) -> Vec<f64> {
        let k = self.base.len();
        let mut out = vec![0.0; x.n_rows() * k];
        for (row, out) in x.rows().zip(out.chunks_exact_mut(k)) {
            self.margins(row, out);
        }
        out
    }
}

/// Where early stopping stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Standing {
    /// Rounds done.
    pub(super) rounds: usize,
    /// Rounds at the least validation loss.
    pub(super) best_rounds: usize,
    /// That loss; `None` without a validation part.
    pub(super) best_loss: Option<f64>,
    /// No more rounds are wanted.
    pub(super) stopped: bool,
    /// Rounds at most, those begun from included.
    limit: usize,
}

/// One target being boosted: its trees, margins and early stopping.
#[derive(Debug)]
pub(super) struct Booster {
    pub(super) objective: Objective,
    pub(super) ensemble: Ensemble,
    pub(super) standing: Standing,
    y: Vec<f32>,
    valid_y: Vec<f32>,
    margins: Vec<f64>,
    valid_margins: Vec<f64>,
    gradients: Vec<Vec<[f32; 2]>>,
    pub(super) train_loss: f64,
    pub(super) valid_loss: Option<f64>,
}

impl Booster {
    /// A booster that goes on from `ensemble` with at most `limit` rounds more.
    pub(super) fn new(
        objective: Objective,
        ensemble: Ensemble,
        data: &TrainingData<'_>,
        y: Vec<f32>,
        valid_y: Vec<f32>,
        limit: usize,
    ) -> Self {
        let margins = ensemble.all_margins(&data.x);
        let valid_margins = data.valid_x.as_ref().map(|x| ensemble.all_margins(x)).unwrap_or_default();
        let train_loss = objective.loss(&margins, &y);
        let valid_loss = data.valid_x.map(|_| objective.loss(&valid_margins, &valid_y));
        let rounds = ensemble.trees.len() / objective.outputs();
        Self {
            gradients: vec![vec![[0.0; 2]; y.len()]; objective.outputs()],
            standing: Standing {
                rounds,
                best_rounds: rounds,
                best_loss: valid_loss,
                stopped: limit == 0,
                limit: rounds + limit,
            },
            objective,
            ensemble,
            y,
            valid_y,
            margins,
            valid_margins,
            train_loss,
            valid_loss,
        }
    }

    /// Early stopping as a checkpoint left it.
    pub(super) fn resume(&mut self, standing: Standing) {
        self.standing = standing;
    }

    /// Does one round: a tree for each output.
    pub(super) fn round(
        &mut self,
        data: &TrainingData<'_>,
        config: &GbdtConfig,
        seed: Seed,
        grower: &mut Grower,
        parallel: bool,
    ) {
        self.objective.gradients(&self.margins, &self.y, &mut self.gradients);
        for output in 0..self.objective.outputs() {
            let mut rng = seed.derive("gbdt-tree", self.ensemble.trees.len() as u64).stream();
            let features = config.draw_features(data.binned.n_features(), &mut rng);
            let gradients = &self.gradients[output];
            let input = GrowInput { data: &data.binned, gradients, features: &features, parallel };
            let rows = config.draw_rows(data.binned.n_rows(), &mut rng);
            let tree = grower.grow(input, rows.into_iter(), &config.grow_config());
            self.add(&tree, output, data, grower, config.subsample < 1.0);
            self.ensemble.trees.push(tree);
        }
        self.judge(config.patience);
    }

    /// Adds a tree to the margins.
    fn add(&mut self, tree: &Tree, output: usize, data: &TrainingData<'_>, grower: &Grower, sampled: bool) {
        let k = self.objective.outputs();
        if sampled {
            for (row, margins) in data.x.rows().zip(self.margins.chunks_exact_mut(k)) {
                margins[output] += f64::from(tree.leaf_values(row)[0]);
            }
        } else {
            for (rows, value) in grower.leaves() {
                for &row in rows {
                    self.margins[row as usize * k + output] += f64::from(value);
                }
            }
        }
        if let Some(x) = &data.valid_x {
            for (row, margins) in x.rows().zip(self.valid_margins.chunks_exact_mut(k)) {
                margins[output] += f64::from(tree.leaf_values(row)[0]);
            }
        }
    }

    /// Losses after a round, and whether it was the last.
    fn judge(&mut self, patience: usize) {
        self.train_loss = self.objective.loss(&self.margins, &self.y);
        let standing = &mut self.standing;
        standing.rounds += 1;
        if self.valid_loss.is_some() {
            let loss = self.objective.loss(&self.valid_margins, &self.valid_y);
            self.valid_loss = Some(loss);
            if patience == 0 || standing.best_loss.is_none_or(|best| loss < best) {
                standing.best_loss = Some(loss);
                standing.best_rounds = standing.rounds;
            }
            standing.stopped = patience > 0 && standing.rounds - standing.best_rounds >= patience;
        } else {
            standing.best_rounds = standing.rounds;
        }
        standing.stopped |= standing.rounds >= standing.limit;
    }

    /// Base and trees up to the best round.
    pub(super) fn best(&self) -> Ensemble {
        let n_trees = self.standing.best_rounds * self.objective.outputs();
        Ensemble { base: self.ensemble.base.clone(), trees: self.ensemble.trees[..n_trees].to_vec() }
    }
}
