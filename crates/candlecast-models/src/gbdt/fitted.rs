//! Boosted trees that have been fitted, and their form in a model file.

use candlecast_learn::har_x::{HarXRows, REGRESSORS};
use candlecast_learn::{
    CLASSES, Fitted, ModelState, Prediction, PriceTarget, RestoreError, Samples, Smearing, Task, Tensor,
};
use serde_json::json;

use super::booster::Ensemble;
use super::inputs::{GbdtInputs, regressors};
use crate::softmax::softmax;
use crate::tree::{anchor_steps, decode, encode, gain_importances, interpolate};

/// Fitted boosted trees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FittedGbdt {
    pub(super) n_features: usize,
    pub(super) width: usize,
    pub(super) target: Target,
    /// One for each anchor step, or one for all classes or for the variance.
    pub(super) ensembles: Vec<Ensemble>,
}

/// What the margins mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// Targets of the price task over each anchor's steps in units of a scale.
    Price {
        /// Steps ahead, `[anchor]`.
        anchors: Vec<usize>,
        /// Target of a margin of 1, `[anchor]`.
        scales: Vec<f64>,
        /// What the targets are.
        learnt: PriceTarget,
    },
    /// Log odds of the classes.
    Direction,
    /// The relative log variance in units of a scale. Boosting begins at its mean, so that without trees the base
    /// remains, times a factor: smearing makes up for any constant.
    Volatility {
        /// Relative log variance of a margin of 1.
        scale: f64,
        /// From there to the expected variance: by the samples that chose the rounds, if there are any, since
        /// residuals of samples that trees have seen are too small.
        smearing: Smearing,
        /// What trees read, and what it is relative to.
        inputs: GbdtInputs,
    },
}

impl Fitted for FittedGbdt {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.width);
        match &self.target {
            Target::Price { anchors, scales, learnt } => {
                let mut values = vec![0.0; anchors.len()];
                for i in 0..x.len() {
                    for ((value, ensemble), scale) in values.iter_mut().zip(&self.ensembles).zip(scales) {
                        ensemble.margins(x.last(i), std::slice::from_mut(value));
                        *value *= scale;
                    }
                    interpolate(anchors, &values, out.row_mut(i));
                    learnt.to_returns(x, i, out.row_mut(i));
                }
            }
            Target::Direction => {
                for i in 0..x.len() {
                    self.ensembles[0].margins(x.last(i), out.row_mut(i));
                    softmax(out.row_mut(i));
                }
            }
            Target::Volatility { scale, smearing, inputs: GbdtInputs::Features } => {
                let mut margin = [0.0];
                for i in 0..x.len() {
                    self.ensembles[0].margins(x.last(i), &mut margin);
                    out.row_mut(i)[0] = smearing.log_variance(x, i, scale * margin[0]);
                }
            }
            Target::Volatility { scale, smearing, inputs: GbdtInputs::HarX } => {
                let (rows, mut margin) = (HarXRows::of(x), [0.0]);
                for i in 0..x.len() {
                    self.ensembles[0].margins(&regressors(&rows, i), &mut margin);
                    out.row_mut(i)[0] = smearing.log_variance_over(rows.base(i), scale * margin[0]);
                }
            }
        }
    }

    fn state(&self) -> ModelState {
        let counts: Vec<usize> = self.ensembles.iter().map(|e| e.trees.len()).collect();
        let base: Vec<f64> = self.ensembles.iter().flat_map(|e| e.base.iter().copied()).collect();
        let mut tensors = encode(self.ensembles.iter().flat_map(|e| &e.trees), 1);
        tensors.insert("base".into(), Tensor::f64(&[self.ensembles.len(), base.len() / self.ensembles.len()], base));
        let mut state = ModelState { facts: json!({ "features": self.n_features, "trees": counts }), tensors };
        match &self.target {
            Target::Price { scales, .. } => {
                state.tensors.insert("scales".into(), Tensor::f64(&[scales.len()], scales.clone()));
            }
            Target::Direction => {}
            Target::Volatility { scale, smearing, .. } => {
                state.tensors.insert("scales".into(), Tensor::f64(&[1], vec![*scale]));
                smearing.write(&mut state);
            }
        }
        state
    }

    /// None of a model that reads no features.
    fn importances(&self) -> Option<Vec<f64>> {
        if let Target::Volatility { inputs: GbdtInputs::HarX, .. } = self.target {
            return None;
        }
        gain_importances(self.ensembles.iter().flat_map(|e| &e.trees), self.n_features)
    }
}

impl FittedGbdt {
    /// The model that [`Fitted::state`] described; it reads `inputs`, and of prices it has learnt `learnt`.
    pub(super) fn restore(
        state: &ModelState,
        task: &Task,
        inputs: GbdtInputs,
        learnt: PriceTarget,
    ) -> Result<Self, RestoreError> {
        let n_features: usize = state.fact("features")?;
        if inputs == GbdtInputs::HarX && n_features != REGRESSORS {
            return Err(other_width(n_features, REGRESSORS));
        }
        let counts: Vec<usize> = state.fact("trees")?;
        let (target, n_ensembles, outputs) = match *task {
            Task::Price { horizon } => {
                let anchors = anchor_steps(horizon);
                let scales = state.f64("scales", &[anchors.len()])?.to_vec();
                let n = anchors.len();
                (Target::Price { anchors, scales, learnt }, n, 1)
            }
            Task::Direction { .. } => (Target::Direction, 1, CLASSES),
            Task::Volatility { .. } => {
                let scale = state.f64("scales", &[1])?[0];
                (Target::Volatility { scale, smearing: Smearing::read(state)?, inputs }, 1, 1)
            }
        };
        if counts.len() != n_ensembles || counts.iter().any(|c| c % outputs != 0) {
            let reason = format!("there are {} boosters for {n_ensembles} targets", counts.len());
            return Err(RestoreError::Fact { name: "trees".into(), reason });
        }
        let base = state.f64("base", &[n_ensembles, outputs])?;
        let n_trees = counts.iter().fold(0_usize, |sum, &c| sum.saturating_add(c));
        let mut trees = decode(state, n_trees, n_features, 1)?.into_iter();
        let ensembles = base
            .chunks_exact(outputs)
            .zip(&counts)
            .map(|(base, &n)| Ensemble { base: base.to_vec(), trees: trees.by_ref().take(n).collect() })
            .collect();
        Ok(Self { n_features, width: task.width(), target, ensembles })
    }
}

/// Trees of `found` inputs where there are `expected`.
pub(super) fn other_width(found: usize, expected: usize) -> RestoreError {
    RestoreError::Shape { tensor: "treeNodes".into(), found: vec![found], expected: vec![expected] }
}
