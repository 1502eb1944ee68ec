//! A forest that has been fitted, and its form in a model file.

use candlecast_learn::{
    CLASSES, Fitted, ModelState, Prediction, PriceTarget, RestoreError, Samples, Smearing, Task, Tensor,
};
use serde_json::json;

use super::raw::ForestModel;
use crate::tree::{anchor_steps, decode, encode, interpolate};

/// A fitted forest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FittedForest {
    pub(super) n_features: usize,
    pub(super) width: usize,
    pub(super) target: Target,
    pub(super) model: ForestModel,
}

/// What the leaves hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// Targets of the price task over each anchor's steps in units of a scale.
    Price {
        /// Steps ahead, `[anchor]`.
        anchors: Vec<usize>,
        /// Target of a leaf value of 1, shrinkage included, `[anchor]`.
        scales: Vec<f64>,
        /// What the targets are.
        learnt: PriceTarget,
    },
    /// Probabilities of the classes.
    Direction,
    /// The relative log variance: its distance from its mean in units of a scale. With a scale of 0, where the forest
    /// has no power, the base remains, times a factor.
    Volatility {
        /// Relative log variance of a leaf value of 0.
        mean: f64,
        /// What a leaf value of 1 adds, shrinkage included.
        scale: f64,
        /// From there to the expected variance: by the samples that the shrinkage is found on, if there are any,
        /// since residuals of samples that trees have seen are too small.
        smearing: Smearing,
    },
}

impl Fitted for FittedForest {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.width);
        match &self.target {
            Target::Price { anchors, scales, learnt } => {
                let mut values = vec![0.0; anchors.len()];
                for i in 0..x.len() {
                    self.model.predict_row(x.last(i), &mut values);
                    for (value, scale) in values.iter_mut().zip(scales) {
                        *value *= scale;
                    }
                    interpolate(anchors, &values, out.row_mut(i));
                    learnt.to_returns(x, i, out.row_mut(i));
                }
            }
            Target::Direction => {
                for i in 0..x.len() {
                    self.model.predict_row(x.last(i), out.row_mut(i));
                }
            }
            Target::Volatility { mean, scale, smearing } => {
                let mut value = [0.0];
                for i in 0..x.len() {
                    self.model.predict_row(x.last(i), &mut value);
                    out.row_mut(i)[0] = smearing.log_variance(x, i, mean + scale * value[0]);
                }
            }
        }
    }

    fn state(&self) -> ModelState {
        let facts = json!({ "features": self.n_features, "trees": self.model.trees.len() });
        let mut state = ModelState { facts, tensors: encode(self.model.trees.iter(), self.model.outputs) };
        match &self.target {
            Target::Price { scales, .. } => {
                state.tensors.insert("scales".into(), Tensor::f64(&[scales.len()], scales.clone()));
            }
            Target::Direction => {}
            Target::Volatility { mean, scale, smearing } => {
                state.tensors.insert("mean".into(), Tensor::f64(&[1], vec![*mean]));
                state.tensors.insert("scales".into(), Tensor::f64(&[1], vec![*scale]));
                smearing.write(&mut state);
            }
        }
        state
    }

    fn importances(&self) -> Option<Vec<f64>> {
        self.model.importances(self.n_features)
    }
}

impl FittedForest {
    /// The model that [`Fitted::state`] described; of prices it has learnt `learnt`.
    pub(super) fn restore(state: &ModelState, task: &Task, learnt: PriceTarget) -> Result<Self, RestoreError> {
        let n_features: usize = state.fact("features")?;
        let (target, outputs) = match *task {
            Task::Price { horizon } => {
                let anchors = anchor_steps(horizon);
                let scales = state.f64("scales", &[anchors.len()])?.to_vec();
                let outputs = anchors.len();
                (Target::Price { anchors, scales, learnt }, outputs)
            }
            Task::Direction { .. } => (Target::Direction, CLASSES),
            Task::Volatility { .. } => {
                let (mean, scale) = (state.f64("mean", &[1])?[0], state.f64("scales", &[1])?[0]);
                (Target::Volatility { mean, scale, smearing: Smearing::read(state)? }, 1)
            }
        };
        let trees = decode(state, state.fact("trees")?, n_features, outputs)?;
        Ok(Self { n_features, width: task.width(), target, model: ForestModel { outputs, trees } })
    }
}
