//! A forest that has been fitted, and its form in a model file.

use candlecast_learn::{CLASSES, Fitted, ModelState, Prediction, RestoreError, Samples, Task, Tensor};
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
    /// Log returns over each anchor's steps in units of a scale.
    Price {
        /// Steps ahead, `[anchor]`.
        anchors: Vec<usize>,
        /// Log return of a leaf value of 1, shrinkage included, `[anchor]`.
        scales: Vec<f64>,
    },
    /// Probabilities of the classes.
    Direction,
}

impl Fitted for FittedForest {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.width);
        match &self.target {
            Target::Price { anchors, scales } => {
                let mut values = vec![0.0; anchors.len()];
                for i in 0..x.len() {
                    self.model.predict_row(x.last(i), &mut values);
                    for (value, scale) in values.iter_mut().zip(scales) {
                        *value *= scale;
                    }
                    interpolate(anchors, &values, out.row_mut(i));
                }
            }
            Target::Direction => {
                for i in 0..x.len() {
                    self.model.predict_row(x.last(i), out.row_mut(i));
                }
            }
        }
    }

    fn state(&self) -> ModelState {
        let mut tensors = encode(self.model.trees.iter(), self.model.outputs);
        if let Target::Price { scales, .. } = &self.target {
            tensors.insert("scales".into(), Tensor::f64(&[scales.len()], scales.clone()));
        }
        ModelState { facts: json!({ "features": self.n_features, "trees": self.model.trees.len() }), tensors }
    }

    fn importances(&self) -> Option<Vec<f64>> {
        self.model.importances(self.n_features)
    }
}

impl FittedForest {
    /// The model that [`Fitted::state`] described.
    pub(super) fn restore(state: &ModelState, task: &Task) -> Result<Self, RestoreError> {
        let n_features: usize = state.fact("features")?;
        let (target, outputs) = match *task {
            Task::Price { horizon } => {
                let anchors = anchor_steps(horizon);
                let scales = state.f64("scales", &[anchors.len()])?.to_vec();
                let outputs = anchors.len();
                (Target::Price { anchors, scales }, outputs)
            }
            Task::Direction { .. } => (Target::Direction, CLASSES),
        };
        let trees = decode(state, state.fact("trees")?, n_features, outputs)?;
        Ok(Self { n_features, width: task.width(), target, model: ForestModel { outputs, trees } })
    }
}
