//! [`Recurrent`]: the learner behind `lstm` and `gru`.

use candlecast_core::FeatureSet;
use candlecast_core::catalog::RecipeError;
use candlecast_learn::{
    Asked, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, RestoreError, Samples, ScalerKind,
    Task,
};
use serde_json::Value;

use crate::config::{Profile, RecurrentConfig};
use crate::fitted::{FittedNetwork, ModelFacts};
use crate::init::{set_constant_head, starting_params};
#[cfg(target_arch = "x86_64")]
use crate::kernel::FusedNetwork;
use crate::network::{Network, training_bytes};
use crate::objective::{Objective, Targets};
use crate::readout::Readout;
use crate::reference::ReferenceNetwork;
use crate::shape::{Cell, Shape};
use crate::train::{self, FitPlan};
use crate::weights::read_tensors;

/// Threads that the estimate of memory assumes.
const ASSUMED_THREADS: usize = 2;

/// A recurrent network to be trained.
#[derive(Debug)]
pub(crate) struct Recurrent {
    cell: Cell,
    config: RecurrentConfig,
}

/// Everything of a fit that does not depend on the kernels.
struct Prepared {
    shape: Shape,
    readout: Readout,
    objective: Objective,
    train: Targets,
    valid: Option<Targets>,
    without_inputs: Option<Vec<f32>>,
    model: Value,
    start: Vec<f32>,
}

impl Recurrent {
    /// The learner of `cell` with parameters that the catalog has checked.
    pub(crate) fn build(cell: Cell, config: &Value) -> Result<Box<dyn Learner>, RecipeError> {
        Ok(Box::new(Self { cell, config: RecurrentConfig::read(cell.id(), config)? }))
    }

    fn shape(&self, inputs: usize, outputs: usize) -> Shape {
        Shape {
            cell: self.cell,
            inputs,
            hidden: self.config.hidden.clone(),
            outputs,
            steps: self.config.sequence_length,
        }
    }

    /// Checks the samples, makes targets and starting weights.
    fn prepare(&self, train: &Samples<'_>, cx: &FitContext<'_>) -> Result<Prepared, FitError> {
        let need = self.min_samples();
        if train.len() < need {
            return Err(FitError::TooFewSamples { have: train.len(), need });
        }
        if train.width() == 0 {
            return Err(FitError::Degenerate(format!(
                "model {} reads features, and none are given: name some, or widen the training range if all were \
                 dropped as constant",
                self.cell.id()
            )));
        }
        check_inputs(train, "training")?;
        let readout = Readout::fit(train, self.config.target)?;
        let mut targets = Targets::of(train, readout)?;
        if targets.all_zero() {
            return Err(FitError::Degenerate("every training target is 0: the prices do not move".into()));
        }
        let objective = Objective::new(&self.config, train.task(), &targets)?;
        let valid = match cx.valid.filter(|v| !v.is_empty()) {
            None => None,
            Some(valid) => {
                check_inputs(valid, "validation")?;
                Some(Targets::of(valid, readout)?)
            }
        };
        let without_inputs = targets.without_inputs(readout);
        let shape = self.shape(train.width(), train.task().width());
        let mut start = match cx.warm {
            Some(state) => read_tensors(&shape, state, "")?,
            None => starting_params(&shape, cx.seed),
        };
        if let (None, Some(outputs)) = (cx.warm, &without_inputs) {
            set_constant_head(&shape, &mut start, outputs);
        }
        if !readout.learns_means() {
            targets.centre();
            // Of a warm start, too: the bias stays what it is now.
            start[shape.head_bias()].fill(0.0);
        }
        let model = ModelFacts::new(&shape, readout.volatility_floor()).to_json();
        Ok(Prepared { shape, readout, objective, train: targets, valid, without_inputs, model, start })
    }

    fn fit_on<N: Network>(
        &self,
        net: N,
        again: N,
        prepared: &Prepared,
        train: &Samples<'_>,
        cx: &mut FitContext<'_>,
    ) -> Result<FitOutcome, FitError> {
        let valid = cx.valid.filter(|v| !v.is_empty());
        let plan = FitPlan {
            config: &self.config,
            seed: cx.seed,
            threads: cx.threads,
            objective: &prepared.objective,
            train: (train, &prepared.train),
            valid: valid.zip(prepared.valid.as_ref()),
            without_inputs: prepared.without_inputs.as_deref(),
            fixed_bias: !prepared.readout.learns_means(),
            model: &prepared.model,
        };
        let fitting = train::run(net, &plan, &prepared.start, cx.resume, &mut *cx.observer)?;
        let mut fitted = FittedNetwork::new(again, fitting.params, prepared.readout);
        // Of samples that it has seen, a network's residuals are too small.
        fitted.find_smearing(valid.unwrap_or(train))?;
        Ok(FitOutcome {
            model: Box::new(fitted),
            stopped: fitting.stopped,
            steps: fitting.epochs,
            curve: fitting.curve,
        })
    }
}

/// An error that names the first feature value that is not finite.
fn check_inputs(samples: &Samples<'_>, part: &str) -> Result<(), FitError> {
    let names = samples.feature_names();
    for i in 0..samples.len() {
        let window = samples.window(i);
        if let Some(at) = window.iter().position(|v| !v.is_finite()) {
            let name = names.get(at % samples.width()).map_or("", String::as_str);
            return Err(FitError::NotFinite {
                what: format!("feature `{name}` of {part} sample {i}"),
                value: f64::from(window[at]),
                step: 0,
                remedy: "drop the feature, or begin after its warm-up".into(),
            });
        }
    }
    Ok(())
}

impl Learner for Recurrent {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. } | Task::Direction { .. } | Task::Volatility { .. })
    }

    fn lookback(&self) -> usize {
        self.config.sequence_length
    }

    fn inputs(&self, _: &Asked) -> Inputs {
        let features = match self.config.profile {
            Profile::Fast => FeatureSet::of(&["ohlcv"]),
            Profile::Deep => FeatureSet::of(&["default"]),
        };
        Inputs { features, scaler: ScalerKind::Standard }
    }

    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        let targets = n_samples * task.width() * size_of::<f32>();
        training_bytes(&self.shape(n_features, task.width()), ASSUMED_THREADS) + targets
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let prepared = self.prepare(train, cx)?;
        let shape = &prepared.shape;
        #[cfg(target_arch = "x86_64")]
        {
            let fused = || FusedNetwork::new(shape.clone(), self.config.isa);
            if let (Some(net), Some(again)) = (fused(), fused()) {
                return self.fit_on(net, again, &prepared, train, cx);
            }
        }
        let reference = || ReferenceNetwork::new(shape.clone());
        self.fit_on(reference(), reference(), &prepared, train, cx)
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        let facts: ModelFacts = state.fact("network")?;
        let shape = self.shape(facts.inputs, task.width());
        if facts != ModelFacts::new(&shape, facts.volatility_floor) {
            return Err(RestoreError::Fact {
                name: "network".into(),
                reason: format!(
                    "the saved network is a {} of hidden sizes {:?} over {} steps with {} outputs, the configuration \
                     says {} {:?}, {} and {}",
                    facts.cell.id(),
                    facts.hidden,
                    facts.steps,
                    facts.outputs,
                    shape.cell.id(),
                    shape.hidden,
                    shape.steps,
                    shape.outputs
                ),
            });
        }
        let readout = Readout::read(task, self.config.target, facts.volatility_floor, state)?;
        let params = read_tensors(&shape, state, "")?;
        #[cfg(target_arch = "x86_64")]
        if let Some(net) = FusedNetwork::new(shape.clone(), self.config.isa) {
            return Ok(Box::new(FittedNetwork::new(net, params, readout)));
        }
        Ok(Box::new(FittedNetwork::new(ReferenceNetwork::new(shape), params, readout)))
    }
}
