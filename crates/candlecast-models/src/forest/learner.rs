//! [`ForestConfig`] as a [`Learner`].

use std::ops::ControlFlow;

use candlecast_core::FeatureSet;
use candlecast_learn::{
    CLASSES, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Progress, RestoreError,
    Samples, ScalerKind, Stop, Task, TrainState,
};

use super::ForestConfig;
use super::fitted::{FittedForest, Target};
use super::raw::{ForestModel, Plan, one_hot};
use crate::tree::{Matrix, Workers, anchor_returns, anchor_steps, inputs};
use crate::{checks, holdout, shrinkage};

impl Learner for ForestConfig {
    fn supports(&self, _task: &Task) -> bool {
        true
    }

    fn lookback(&self) -> usize {
        1
    }

    fn inputs(&self) -> Inputs {
        Inputs { features: FeatureSet::of(&["default"]), scaler: ScalerKind::None }
    }

    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        let outputs = anchor_steps(task.horizon()).len().max(CLASSES);
        let leaves = n_samples / self.min_leaf.max(1) + 1;
        n_samples * (n_features * 6 + outputs * 24) + self.trees * leaves * (32 + 4 * outputs)
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        checks::enough(train.len(), self.min_samples())?;
        checks::finite_inputs(train)?;
        match (train.task(), cx.valid, holdout::holdout(train)) {
            (Task::Price { .. }, Some(valid), _) if self.shrink => {
                let (mut model, stopped) = self.grow(train, cx, Stage::Only)?;
                shrink(&mut model, valid)?;
                Ok(outcome(model, stopped))
            }
            (Task::Price { .. }, None, Some((fitted, held))) if self.shrink => {
                let mut trial = FitContext {
                    seed: cx.seed,
                    valid: None,
                    threads: cx.threads,
                    warm: None,
                    resume: None,
                    observer: &mut *cx.observer,
                };
                let (mut trial, stopped) = self.grow(&fitted, &mut trial, Stage::Trial)?;
                let factors = shrink(&mut trial, &held)?;
                if stopped != Stop::Budget {
                    return Ok(outcome(trial, stopped));
                }
                let (mut model, stopped) = self.grow(train, cx, Stage::Refit)?;
                model.scale(&factors);
                Ok(outcome(model, stopped))
            }
            _ => {
                let (model, stopped) = self.grow(train, cx, Stage::Only)?;
                Ok(outcome(model, stopped))
            }
        }
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedForest::restore(state, task)?))
    }
}

/// Which forest of a fit is grown.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The only one.
    Only,
    /// The first of two, for the factors.
    Trial,
    /// The second, on all samples.
    Refit,
}

fn outcome(model: FittedForest, stopped: Stop) -> FitOutcome {
    let steps = model.model.trees.len();
    FitOutcome { model: Box::new(model), stopped, steps, curve: Curve::default() }
}

impl ForestConfig {
    /// Grows the forest, or the rest of one that a checkpoint began.
    fn grow(
        &self,
        train: &Samples<'_>,
        cx: &mut FitContext<'_>,
        stage: Stage,
    ) -> Result<(FittedForest, Stop), FitError> {
        let x = inputs(train);
        let x = Matrix::new(&x, train.width())?;
        let (target, targets) = targets(train)?;
        let outputs = targets.len() / train.len();
        let mut model = ForestModel { outputs, trees: vec![] };
        if let Some(resume) = cx.resume {
            model = FittedForest::restore(&resume.state, train.task())?.model;
        }
        let shell = |model: &ForestModel| FittedForest {
            n_features: train.width(),
            width: train.task().width(),
            target: target.clone(),
            model: model.clone(),
        };
        let workers = Workers::new(cx.threads);
        let plan = Plan { config: self, seed: cx.seed.derive("forest", 0), workers: &workers, outputs };
        let observer = &mut *cx.observer;
        let (done, of) = match stage {
            Stage::Only => (0, self.trees),
            Stage::Trial => (0, 2 * self.trees),
            Stage::Refit => (self.trees, 2 * self.trees),
        };
        let empty = ForestModel { outputs, trees: vec![] };
        let stopped = plan.grow(&x, &targets, &mut model, &mut |model| -> ControlFlow<Stop> {
            let progress = Progress {
                step: done + model.trees.len(),
                of,
                train_loss: None,
                valid_loss: None,
                learning_rate: None,
            };
            // Trees of the trial are no part of the model: a fit that resumes there begins again.
            let kept = if matches!(stage, Stage::Trial) { &empty } else { model };
            observer.on_step(&progress, &|| TrainState { step: kept.trees.len(), state: shell(kept).state() })
        });
        Ok((shell(&model), stopped))
    }
}

/// What the leaves hold, and the targets `[sample, output]`.
fn targets(train: &Samples<'_>) -> Result<(Target, Vec<f32>), FitError> {
    match *train.task() {
        Task::Price { horizon } => {
            let anchors = anchor_steps(horizon);
            let returns = anchor_returns(train, &anchors)?;
            let scales = returns.iter().map(|r| checks::root_mean_square(r)).collect::<Result<Vec<f64>, _>>()?;
            let row = |i: usize| returns.iter().zip(&scales).map(move |(r, scale)| (r[i] / scale) as f32);
            let values = (0..train.len()).flat_map(row).collect();
            Ok((Target::Price { anchors, scales }, values))
        }
        Task::Direction { .. } => {
            let classes: Vec<f32> = (0..train.len()).map(|i| train.class(i) as f32).collect();
            Ok((Target::Direction, one_hot(&classes, CLASSES)?))
        }
    }
}

/// Shrinks a price model by its power on samples it has not seen; returns the factors, `[anchor]`.
fn shrink(model: &mut FittedForest, samples: &Samples<'_>) -> Result<Vec<f64>, FitError> {
    let Target::Price { anchors, scales } = &model.target else { return Ok(vec![]) };
    let returns = anchor_returns(samples, anchors)?;
    let mut raw = vec![0.0; samples.len() * anchors.len()];
    for (i, row) in raw.chunks_exact_mut(anchors.len()).enumerate() {
        model.model.predict_row(samples.last(i), row);
    }
    let factors: Vec<f64> = anchors
        .iter()
        .enumerate()
        .map(|(a, &step)| {
            let forecasts = || raw.iter().skip(a).step_by(anchors.len()).map(move |value| value * scales[a]);
            shrinkage::factor(|| forecasts().zip(returns[a].iter().copied()), step)
        })
        .collect();
    model.scale(&factors);
    Ok(factors)
}

impl FittedForest {
    fn scale(&mut self, factors: &[f64]) {
        if let Target::Price { scales, .. } = &mut self.target {
            for (scale, factor) in scales.iter_mut().zip(factors) {
                *scale *= factor;
            }
        }
    }
}
