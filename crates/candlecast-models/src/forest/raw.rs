//! [`ForestModel`]: a forest over a plain matrix, on which the learner is built.

use std::ops::{ControlFlow, Range};

use candlecast_core::Seed;
use candlecast_learn::{FitError, Stop};
use rayon::prelude::*;

use super::ForestConfig;
use super::grow::{RowStat, Shape, TreeGrower};
use crate::tree::{Columns, Matrix, Tree, Workers, gain_importances};

/// Most outputs of a forest.
pub const MAX_OUTPUTS: usize = 12;
/// Trees between two reports of progress.
const BATCH: usize = 16;

/// What the targets of a forest are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForestKind {
    /// `outputs` numbers a row; splits reduce the sum of their variances.
    Regression {
        /// Numbers a row, 1 to [`MAX_OUTPUTS`].
        outputs: usize,
    },
    /// A class number a row; splits reduce Gini's impurity, predictions are probabilities.
    Classes {
        /// Number of classes, 2 to [`MAX_OUTPUTS`].
        classes: usize,
    },
}

impl ForestKind {
    /// Values of a prediction.
    pub fn outputs(self) -> usize {
        match self {
            Self::Regression { outputs } => outputs,
            Self::Classes { classes } => classes,
        }
    }
}

/// A random forest over a plain matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestModel {
    pub(super) outputs: usize,
    pub(super) trees: Vec<Tree>,
}

impl ForestModel {
    /// Mean of the trees' leaves at `x`, `[feature]`, into `out`, `[output]`.
    pub(super) fn predict_row(&self, x: &[f32], out: &mut [f64]) {
        out.fill(0.0);
        for tree in &self.trees {
            for (o, &v) in out.iter_mut().zip(tree.leaf_values(x)) {
                *o += f64::from(v);
            }
        }
        let n = self.trees.len().max(1) as f64;
        for o in out {
            *o /= n;
        }
    }

    /// Predictions `[row, output]`: values, or probabilities of the classes.
    pub fn predict_matrix(&self, x: &Matrix<'_>) -> Vec<f64> {
        let mut out = vec![0.0; x.n_rows() * self.outputs];
        for (row, out) in x.rows().zip(out.chunks_exact_mut(self.outputs)) {
            self.predict_row(row, out);
        }
        out
    }

    /// Number of trees.
    pub fn n_trees(&self) -> usize {
        self.trees.len()
    }

    /// Share of each feature in the impurity that all splits take away; `None` without splits.
    pub fn importances(&self, n_features: usize) -> Option<Vec<f64>> {
        gain_importances(self.trees.iter(), n_features)
    }
}

impl ForestConfig {
    /// Fits a forest on `x` and `y`, row-major `[row, output]`, or `[row]` for classes.
    pub fn fit_matrix(
        &self,
        x: &Matrix<'_>,
        y: &[f32],
        kind: ForestKind,
        seed: Seed,
        threads: usize,
    ) -> Result<ForestModel, FitError> {
        let targets = targets(x, y, kind)?;
        let plan = Plan { config: self, seed, workers: &Workers::new(threads), outputs: kind.outputs() };
        let mut model = ForestModel { outputs: kind.outputs(), trees: vec![] };
        plan.grow(x, &targets, &mut model, &mut |_| ControlFlow::Continue(()));
        Ok(model)
    }
}

/// Targets `[row, output]`, classes one-hot.
fn targets(x: &Matrix<'_>, y: &[f32], kind: ForestKind) -> Result<Vec<f32>, FitError> {
    let (k, values_a_row) = match kind {
        ForestKind::Regression { outputs } => (outputs, outputs),
        ForestKind::Classes { classes } => (classes, 1),
    };
    if k == 0 || k > MAX_OUTPUTS || x.n_rows() == 0 || y.len() != x.n_rows() * values_a_row {
        return Err(FitError::Degenerate(format!(
            "{} targets do not go with {} rows of {k} outputs (1 to {MAX_OUTPUTS})",
            y.len(),
            x.n_rows()
        )));
    }
    if let Some(&value) = y.iter().find(|v| !v.is_finite()) {
        let (what, remedy) = ("a training target".into(), "drop the row".into());
        return Err(FitError::NotFinite { what, value: f64::from(value), step: 0, remedy });
    }
    match kind {
        ForestKind::Regression { .. } => Ok(y.to_vec()),
        ForestKind::Classes { classes } => one_hot(y, classes),
    }
}

/// Classes `[row]` as `[row, class]`; refuses what is no class and a single class.
pub(super) fn one_hot(y: &[f32], classes: usize) -> Result<Vec<f32>, FitError> {
    if let Some(value) = y.iter().find(|&&v| v < 0.0 || v >= classes as f32 || v.fract() != 0.0) {
        return Err(FitError::Degenerate(format!("target {value} is none of {classes} classes")));
    }
    if y.iter().all(|&v| v == y[0]) {
        return Err(FitError::OneClass { class: y[0] as usize, samples: y.len() });
    }
    let mut out = vec![0.0; y.len() * classes];
    for (row, &class) in out.chunks_exact_mut(classes).zip(y) {
        row[class as usize] = 1.0;
    }
    Ok(out)
}

/// How a forest is grown.
pub(super) struct Plan<'a> {
    pub(super) config: &'a ForestConfig,
    pub(super) seed: Seed,
    pub(super) workers: &'a Workers,
    pub(super) outputs: usize,
}

impl Plan<'_> {
    /// Grows the trees that `model` still lacks on finite targets `[row, output]`, a batch at a time; `report` may
    /// stop it. Each tree has a random stream of its own, so that neither threads nor batches change it.
    pub(super) fn grow(
        &self,
        x: &Matrix<'_>,
        targets: &[f32],
        model: &mut ForestModel,
        report: &mut dyn FnMut(&ForestModel) -> ControlFlow<Stop>,
    ) -> Stop {
        let columns = Columns::new(x, self.config.max_bins);
        while model.trees.len() < self.config.trees {
            let batch = model.trees.len()..self.config.trees.min(model.trees.len() + BATCH);
            let grown = match self.outputs.div_ceil(4) {
                1 => self.batch::<1>(&columns, targets, batch),
                2 => self.batch::<2>(&columns, targets, batch),
                _ => self.batch::<3>(&columns, targets, batch),
            };
            model.trees.extend(grown);
            if let ControlFlow::Break(stop) = report(model) {
                return stop;
            }
        }
        Stop::Budget
    }

    fn batch<const C: usize>(&self, columns: &Columns, targets: &[f32], batch: Range<usize>) -> Vec<Tree> {
        let shape = Shape {
            min_leaf: self.config.min_leaf,
            max_features: self.config.features_a_node(columns.n_features()),
            max_depth: self.config.max_depth.unwrap_or(usize::MAX),
        };
        let grow = |t: usize| {
            let mut rng = self.seed.derive("forest-tree", t as u64).stream();
            let drawn = bootstrap(targets.len() / self.outputs, &mut rng);
            let stats: Vec<RowStat<C>> =
                drawn.iter().zip(targets.chunks_exact(self.outputs)).map(|(&w, y)| RowStat::new(w, y)).collect();
            let rows = (0..drawn.len() as u32).filter(|&row| drawn[row as usize] > 0).collect();
            TreeGrower::new(columns, shape, self.outputs).grow(&stats, rows, &mut rng)
        };
        if self.workers.count() > 1 {
            self.workers.run(|| batch.into_par_iter().map(grow).collect())
        } else {
            batch.map(grow).collect()
        }
    }
}

/// How often each of `n` rows is drawn when `n` are drawn with replacement.
fn bootstrap(n: usize, rng: &mut candlecast_core::Stream) -> Vec<u32> {
    let mut drawn = vec![0; n];
    for _ in 0..n {
        drawn[rng.below(n)] += 1;
    }
    drawn
}
