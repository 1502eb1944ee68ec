//! [`Booster`]: one target being boosted.

use candlecast_core::Seed;
use serde::{Deserialize, Serialize};

use super::{Objective, Settings};
use crate::stretches::Stretches;
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
        self.margins_from(&self.base, x, out);
    }

    /// The same with `base`, `[output]`, in place of the own one.
    fn margins_from(&self, base: &[f64], x: &[f32], out: &mut [f64]) {
        out.copy_from_slice(base);
        let k = self.base.len();
        for (t, tree) in self.trees.iter().enumerate() {
            out[t % k] += f64::from(tree.leaf_values(x)[0]);
        }
    }

    /// Margins of all rows of `x` from `base` on, `[row, output]`.
    fn all_margins(&self, base: &[f64], x: &Matrix<'_>) -> Vec<f64> {
        let k = self.base.len();
        let mut out = vec![0.0; x.n_rows() * k];
        for (row, out) in x.rows().zip(out.chunks_exact_mut(k)) {
            self.margins_from(base, row, out);
        }
        out
    }

    /// Its first rounds.
    fn first(&self, rounds: usize) -> Self {
        Self { base: self.base.clone(), trees: self.trees[..rounds * self.base.len()].to_vec() }
    }

    /// Rounds behind it.
    pub(super) fn n_rounds(&self) -> usize {
        self.trees.len() / self.base.len()
    }
}

/// What a booster learns.
#[derive(Debug)]
pub(super) struct Targets {
    /// Margins without any tree, `[output]`.
    pub(super) base: Vec<f64>,
    /// Targets of the training rows.
    pub(super) y: Vec<f32>,
    /// Targets of the validation rows; empty without any.
    pub(super) valid_y: Vec<f32>,
    /// Training margins begin at the best constant on `y` whatever the base is: trees learn how rows differ, and the
    /// level is left to the base.
    pub(super) centred: bool,
    /// The validation rows in stretches, by which the noise of a gain is found; `None` where the best rounds are kept
    /// however small their gain is.
    pub(super) stretches: Option<Stretches>,
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
    targets: Targets,
    /// Rounds that were there before the fit.
    begun: usize,
    margins: Vec<f64>,
    valid_margins: Vec<f64>,
    gradients: Vec<Vec<[f32; 2]>>,
    pub(super) train_loss: f64,
    pub(super) valid_loss: Option<f64>,
}

impl Booster {
    /// A booster that begins without trees, or goes on from `start`, with at most `limit` rounds more.
    pub(super) fn new(
        objective: Objective,
        start: Option<Ensemble>,
        data: &TrainingData<'_>,
        targets: Targets,
        limit: usize,
    ) -> Self {
        let ensemble = start.unwrap_or_else(|| Ensemble { base: targets.base.clone(), trees: vec![] });
        let level = if targets.centred { objective.base(&targets.y) } else { ensemble.base.clone() };
        let margins = ensemble.all_margins(&level, &data.x);
        let valid_margins = data.valid_x.as_ref().map(|x| ensemble.all_margins(&ensemble.base, x)).unwrap_or_default();
        let train_loss = objective.loss(&margins, &targets.y);
        let valid_loss = data.valid_x.map(|_| objective.loss(&valid_margins, &targets.valid_y));
        let rounds = ensemble.n_rounds();
        Self {
            gradients: vec![vec![[0.0; 2]; targets.y.len()]; objective.outputs()],
            standing: Standing {
                rounds,
                best_rounds: rounds,
                best_loss: valid_loss,
                stopped: limit == 0,
                limit: rounds + limit,
            },
            objective,
            ensemble,
            targets,
            begun: rounds,
            margins,
            valid_margins,
            train_loss,
            valid_loss,
        }
    }

    /// Early stopping as a checkpoint left it.
    pub(super) fn resume(&mut self, standing: Standing) {
        // All rounds of the checkpoint are in the ensemble; the limits tell those that were there before the fit.
        let limit = self.standing.limit - self.standing.rounds;
        self.begun = standing.limit.saturating_sub(limit);
        self.standing = standing;
    }

    /// Does one round: a tree for each output.
    pub(super) fn round(
        &mut self,
        data: &TrainingData<'_>,
        settings: &Settings,
        seed: Seed,
        grower: &mut Grower,
        parallel: bool,
    ) {
        self.objective.gradients(&self.margins, &self.targets.y, &mut self.gradients);
        for output in 0..self.objective.outputs() {
            let mut rng = seed.derive("gbdt-tree", self.ensemble.trees.len() as u64).stream();
            let features = settings.draw_features(data.binned.n_features(), &mut rng);
            let gradients = &self.gradients[output];
            let input = GrowInput { data: &data.binned, gradients, features: &features, parallel };
            let rows = settings.draw_rows(data.binned.n_rows(), &mut rng);
            let tree = grower.grow(input, rows.into_iter(), &settings.grow);
            self.add(&tree, output, data, grower, settings.subsample < 1.0);
            self.ensemble.trees.push(tree);
        }
        self.judge(settings.patience);
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
        self.train_loss = self.objective.loss(&self.margins, &self.targets.y);
        let standing = &mut self.standing;
        standing.rounds += 1;
        if self.valid_loss.is_some() {
            let loss = self.objective.loss(&self.valid_margins, &self.targets.valid_y);
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

    /// Base and the trees that are kept: up to the best round, or none of this fit where the validation loss did not
    /// fall beyond its noise.
    pub(super) fn best(&self, data: &TrainingData<'_>) -> Ensemble {
        let kept = if self.is_beyond_noise(data) { self.standing.best_rounds } else { self.begun };
        self.ensemble.first(kept)
    }

    /// True if the rounds lower the mean validation loss by more than one standard error of the difference, or if no
    /// stretches were given to tell.
    ///
    /// The best round is the luckiest of many: of fits to noise a quarter would keep it. So the loss is the mean over
    /// all rounds up to twice the best one, as far as they were done, of which fits to noise keep about one in ten,
    /// while what lowers the loss lowers it on the way to the best round and for some time after.
    fn is_beyond_noise(&self, data: &TrainingData<'_>) -> bool {
        let (Some(x), Some(stretches)) = (&data.valid_x, &self.targets.stretches) else { return true };
        let (k, valid_y) = (self.objective.outputs(), &self.targets.valid_y);
        let since = |rounds: usize| rounds.saturating_sub(self.begun);
        let (best, done) = (since(self.standing.best_rounds), since(self.standing.rounds));
        let begun = self.ensemble.first(self.begun);
        let mut margins = begun.all_margins(&begun.base, x);
        let before: Vec<f64> = self.objective.losses(&margins, valid_y).collect();
        let mut gains = vec![0.0; before.len()];
        for trees in self.ensemble.trees[self.begun * k..].chunks_exact(k).take(done.min(2 * best)) {
            for (row, margins) in x.rows().zip(margins.chunks_exact_mut(k)) {
                for (margin, tree) in margins.iter_mut().zip(trees) {
                    *margin += f64::from(tree.leaf_values(row)[0]);
                }
            }
            let after = self.objective.losses(&margins, valid_y);
            for ((gain, before), after) in gains.iter_mut().zip(&before).zip(after) {
                *gain += before - after;
            }
        }
        stretches.mean_and_error(gains.into_iter()).is_some_and(|(gain, error)| gain > error)
    }
}
