//! [`ForestConfig`] as a [`Learner`].

use std::ops::ControlFlow;

use candlecast_core::FeatureSet;
use candlecast_learn::{
    Asked, CLASSES, Curve, Extent, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction,
    PriceTarget,
    Progress, RestoreError, Samples, ScalerKind, Smearing, Stop, Task, TrainState,
};

use super::ForestConfig;
use super::fitted::{FittedForest, Target};
use super::raw::{ForestModel, Plan, one_hot};
use crate::tree::{Matrix, Workers, anchor_steps, anchor_targets, inputs};
use crate::{checks, holdout, shrinkage};

impl Learner for ForestConfig {
    fn supports(&self, _task: &Task) -> bool {
        true
    }

    fn lookback(&self) -> usize {
        1
    }

    fn inputs(&self, _: &Asked) -> Inputs {
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
        let valid = cx.valid.filter(|valid| !valid.is_empty());
        if matches!(train.task(), Task::Direction { .. }) || !self.shrink {
            let (mut model, stopped) = self.grow(train, cx, Stage::Only)?;
            find_smearing(&mut model, valid.unwrap_or(train))?;
            return Ok(outcome(model, stopped));
        }
        match (valid, holdout::holdout(train)) {
            (Some(valid), _) => {
                let (mut model, stopped) = self.grow(train, cx, Stage::Only)?;
                shrink(&mut model, valid)?;
                Ok(outcome(model, stopped))
            }
            (None, Some((fitted, held))) => {
                let mut trial = FitContext {
                    seed: cx.seed,
                    valid: None,
                    threads: cx.threads,
                    warm: None,
                    resume: None,
                    extent: Extent::default(),
                    observer: &mut *cx.observer,
                };
                let (mut trial, stopped) = self.grow(&fitted, &mut trial, Stage::Trial)?;
                let factors = shrink(&mut trial, &held)?;
                if stopped != Stop::Budget {
                    return Ok(outcome(trial, stopped));
                }
                let (mut model, stopped) = self.grow(train, cx, Stage::Refit)?;
                model.scale(&factors);
                if let Target::Volatility { smearing, .. } = &trial.target {
                    model.smear(*smearing);
                }
                Ok(outcome(model, stopped))
            }
            (None, None) => {
                let (mut model, stopped) = self.grow(train, cx, Stage::Only)?;
                find_smearing(&mut model, train)?;
                Ok(outcome(model, stopped))
            }
        }
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedForest::restore(state, task, self.price_target())?))
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
        let learnt = self.price_target();
        let (target, targets) = targets(train, learnt)?;
        let outputs = targets.len() / train.len();
        let mut model = ForestModel { outputs, trees: vec![] };
        if let Some(resume) = cx.resume {
            model = FittedForest::restore(&resume.state, train.task(), learnt)?.model;
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

/// What the leaves hold, and the targets `[sample, output]`; of prices they are `learnt`.
fn targets(train: &Samples<'_>, learnt: PriceTarget) -> Result<(Target, Vec<f32>), FitError> {
    match *train.task() {
        Task::Price { horizon } => {
            let anchors = anchor_steps(horizon);
            let targets = anchor_targets(train, &anchors, learnt)?;
            let scales = targets.iter().map(|t| checks::root_mean_square(t)).collect::<Result<Vec<f64>, _>>()?;
            let row = |i: usize| targets.iter().zip(&scales).map(move |(t, scale)| (t[i] / scale) as f32);
            let values = (0..train.len()).flat_map(row).collect();
            Ok((Target::Price { anchors, scales, learnt }, values))
        }
        Task::Direction { .. } => {
            let classes: Vec<f32> = (0..train.len()).map(|i| train.class(i) as f32).collect();
            Ok((Target::Direction, one_hot(&classes, CLASSES)?))
        }
        Task::Volatility { .. } => {
            let variances = checks::relative_variances(train)?;
            let (mean, scale) = checks::mean_and_deviation(&variances)?;
            let values = variances.iter().map(|v| ((v - mean) / scale) as f32).collect();
            Ok((Target::Volatility { mean, scale, smearing: Smearing::NONE }, values))
        }
    }
}

/// Shrinks a model of prices or of the volatility by its power on samples it has not seen; returns the factors,
/// `[anchor]` or one. Of the volatility the smearing factor is found on the same samples.
fn shrink(model: &mut FittedForest, samples: &Samples<'_>) -> Result<Vec<f64>, FitError> {
    let factors = match &model.target {
        Target::Price { anchors, scales, learnt } => price_factors(&model.model, anchors, scales, *learnt, samples)?,
        Target::Direction => vec![],
        Target::Volatility { mean, scale, .. } => vec![variance_factor(&model.model, *mean, *scale, samples)?],
    };
    model.scale(&factors);
    find_smearing(model, samples)?;
    Ok(factors)
}

/// Factors on the forecasts of the targets, `[anchor]`.
fn price_factors(
    model: &ForestModel,
    anchors: &[usize],
    scales: &[f64],
    learnt: PriceTarget,
    samples: &Samples<'_>,
) -> Result<Vec<f64>, FitError> {
    let targets = anchor_targets(samples, anchors, learnt)?;
    let mut raw = vec![0.0; samples.len() * anchors.len()];
    for (i, row) in raw.chunks_exact_mut(anchors.len()).enumerate() {
        model.predict_row(samples.last(i), row);
    }
    let factors = anchors.iter().enumerate().map(|(a, &step)| {
        let forecasts = || raw.iter().skip(a).step_by(anchors.len()).map(move |value| value * scales[a]);
        shrinkage::factor(|| forecasts().zip(targets[a].iter().copied()), step)
    });
    Ok(factors.collect())
}

/// Factor on the distance of the forecasts from their mean. What came true is taken from its own mean, as a change of
/// level since the training part is no lack of power.
fn variance_factor(model: &ForestModel, mean: f64, scale: f64, samples: &Samples<'_>) -> Result<f64, FitError> {
    let variances = checks::relative_variances(samples)?;
    let forecasts: Vec<f64> = (0..samples.len())
        .map(|i| {
            let mut value = [0.0];
            model.predict_row(samples.last(i), &mut value);
            mean + scale * value[0]
        })
        .collect();
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (forecast_level, level) = (mean_of(&forecasts), mean_of(&variances));
    let pairs = || forecasts.iter().zip(&variances).map(move |(f, v)| (f - forecast_level, v - level));
    Ok(shrinkage::factor(pairs, samples.task().horizon()))
}

/// Finds the smearing factor of a model of the volatility on `samples`; others have none.
fn find_smearing(model: &mut FittedForest, samples: &Samples<'_>) -> Result<(), FitError> {
    if let Target::Volatility { .. } = model.target {
        let mut plain = Prediction::default();
        model.predict_into(samples, &mut plain);
        model.smear(Smearing::fit(samples, &plain)?);
    }
    Ok(())
}

impl FittedForest {
    /// Multiplies what leaf values stand for.
    fn scale(&mut self, factors: &[f64]) {
        match &mut self.target {
            Target::Price { scales, .. } => {
                for (scale, factor) in scales.iter_mut().zip(factors) {
                    *scale *= factor;
                }
            }
            Target::Direction => {}
            Target::Volatility { scale, .. } => {
                for factor in factors {
                    *scale *= factor;
                }
            }
        }
    }

    /// Sets the smearing factor of a model of the volatility; others have none.
    fn smear(&mut self, factor: Smearing) {
        if let Target::Volatility { smearing, .. } = &mut self.target {
            *smearing = factor;
        }
    }
}
