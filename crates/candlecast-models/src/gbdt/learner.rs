//! [`GbdtConfig`] as a [`Learner`]: from samples to boosters and back.

use candlecast_core::FeatureSet;
use candlecast_learn::har_x::{REGRESSORS, ROW_BYTES, WARM_UP, WINDOWS};
use candlecast_learn::{
    Asked, CLASSES, Curve, DEFAULT_WINDOW, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState,
    Prediction, RestoreError, Samples, ScalerKind, Smearing, TargetKind, Task, TrainState,
};
use serde_json::json;

use super::booster::{Booster, Ensemble, Standing, Targets, TrainingData};
use super::fitted::{FittedGbdt, Target, other_width};
use super::rounds::Rounds;
use super::twice::Choice;
use super::{GbdtConfig, GbdtInputs, ID, Objective, Open};
use crate::linear::reversal_suits;
use crate::stretches::Stretches;
use crate::tree::{Matrix, Workers, anchor_steps, anchor_targets};
use crate::{checks, holdout, shrinkage};

impl Learner for GbdtConfig {
    fn supports(&self, task: &Task) -> bool {
        self.inputs == GbdtInputs::Features || matches!(task, Task::Volatility { .. })
    }

    fn lookback(&self) -> usize {
        match self.inputs {
            GbdtInputs::Features => 1,
            GbdtInputs::HarX => WARM_UP,
        }
    }

    fn inputs(&self, asked: &Asked) -> Inputs {
        if self.inputs == GbdtInputs::HarX {
            return Inputs { features: FeatureSet::default(), scaler: ScalerKind::None };
        }
        if matches!(asked.task, Task::Price { .. }) && self.target != TargetKind::Raw && reversal_suits(asked) {
            return Inputs { features: FeatureSet::of(&["reversal"]), scaler: ScalerKind::None };
        }
        Inputs { features: FeatureSet::of(&["default"]), scaler: ScalerKind::None }
    }

    fn windows(&self, _task: &Task) -> &'static [u32] {
        match self.inputs {
            GbdtInputs::Features => &[DEFAULT_WINDOW],
            GbdtInputs::HarX => WINDOWS,
        }
    }

    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        let (n_features, columns) = match self.inputs {
            GbdtInputs::Features => (n_features, 0),
            GbdtInputs::HarX => (REGRESSORS, ROW_BYTES),
        };
        let boosters = anchor_steps(task.horizon()).len().max(CLASSES);
        let histograms = (4096 * (n_features + 8)) << self.max_depth.saturating_sub(1);
        let trees = self.rounds * boosters * (2 << self.max_depth) * 16;
        n_samples * (n_features * 7 + boosters * 24 + columns) + histograms + trees
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if !self.supports(train.task()) {
            return Err(FitError::Unsupported { model: ID.into(), task: train.task().id().into() });
        }
        checks::enough(train.len(), self.min_samples())?;
        checks::finite_inputs(train)?;
        if let Task::Direction { .. } = train.task() {
            Objective::Softmax { classes: CLASSES }.check_variety(&classes(train))?;
        }
        let valid = cx.valid.filter(|valid| !valid.is_empty());
        let both = match (valid, train.task()) {
            (Some(valid), Task::Price { .. } | Task::Volatility { .. }) => holdout::joined(train, valid),
            (Some(_), Task::Direction { .. }) | (None, _) => None,
        };
        // What serves learns from the newest samples, too.
        let all = match &both {
            Some(ids) => Samples::new(train.data(), ids, train.lookback(), *train.task(), None),
            None => *train,
        };
        if let Some(choice) = cx.resume.map(Choice::kept).transpose()?.flatten() {
            return self.refit(&all, choice, cx.resume, cx);
        }
        let chooses = self.patience > 0;
        match (valid, &both) {
            // The smearing factor is found by samples that the first fit has not seen, even if the rounds are not.
            (Some(valid), Some(_)) if chooses || matches!(train.task(), Task::Volatility { .. }) => {
                self.fit_twice(&all, train, valid, cx)
            }
            (Some(_), Some(_)) => self.fit_on(&all, None, None, cx),
            (Some(valid), None) => self.fit_on(train, Some(valid), None, cx),
            (None, _) => match holdout::holdout(train) {
                Some((fitted, held)) if chooses => self.fit_twice(train, &fitted, &held, cx),
                _ => self.fit_on(train, None, None, cx),
            },
        }
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedGbdt::restore(state, task, self.inputs, self.price_target())?))
    }
}

impl GbdtConfig {
    /// Fits on `train` with early stopping on `valid`, or with the rounds of `choice`.
    pub(super) fn fit_on(
        &self,
        train: &Samples<'_>,
        valid: Option<&Samples<'_>>,
        choice: Option<&Choice>,
        cx: &mut FitContext<'_>,
    ) -> Result<FitOutcome, FitError> {
        let (read, width) = (self.inputs, self.inputs.width(train));
        let (x, valid_x) = (read.values(train), valid.map(|valid| read.values(valid)));
        let x = Matrix::new(&x, width)?;
        let valid_x = valid_x.as_ref().map(|x| Matrix::new(x, width)).transpose()?;
        let data = TrainingData::new(x, valid_x, self.max_bins);
        let mut parts = self.boosters(train, valid, choice.map(|c| c.limits.as_slice()), &data, cx)?;
        let curve = parts.resume(cx.resume)?;
        let Parts { shell, mut boosters } = parts;
        let workers = Workers::new(cx.threads);
        let settings = self.settings(&Open::of(train.task(), read, train.len(), width));
        let rounds = Rounds { settings: &settings, data: &data, seed: cx.seed.derive("gbdt", 0), workers: &workers };
        let observer = &mut *cx.observer;
        let (stopped, curve) = rounds.run(&mut boosters, curve, &mut |boosters, progress, curve| {
            let snapshot = || shell.snapshot(boosters, curve, choice, progress.step);
            observer.on_step(progress, &snapshot)
        })?;
        let ensembles: Vec<Ensemble> = boosters.iter().map(|booster| booster.best(&data)).collect();
        let steps = ensembles.iter().map(Ensemble::n_rounds).max().unwrap_or(0);
        let mut model = shell.model(ensembles);
        match choice.and_then(|choice| choice.smearing) {
            Some(found) => model.smear(found),
            None => model.find_smearing(valid.unwrap_or(train))?,
        }
        Ok(FitOutcome { model: Box::new(model), stopped, steps, curve })
    }

    /// Boosters of the task, beginning with the trees to go on from.
    fn boosters(
        &self,
        train: &Samples<'_>,
        valid: Option<&Samples<'_>>,
        limits: Option<&[usize]>,
        data: &TrainingData<'_>,
        cx: &FitContext<'_>,
    ) -> Result<Parts, FitError> {
        let (start, n_features) = (self.start(train.task(), cx)?, self.inputs.width(train));
        if let Some(model) = &start
            && model.n_features != n_features
        {
            return Err(other_width(model.n_features, n_features).into());
        }
        let (target, objective, targets) = self.targets(train, valid, start.as_ref())?;
        let mut boosters = Vec::with_capacity(targets.len());
        for (i, targets) in targets.into_iter().enumerate() {
            let trees = start.as_ref().map(|model| model.ensembles[i].clone());
            let limit = limits.and_then(|l| l.get(i).copied()).unwrap_or(self.rounds);
            boosters.push(Booster::new(objective, trees, data, targets, limit));
        }
        let shell = FittedGbdt { n_features, width: train.task().width(), target, ensembles: vec![] };
        Ok(Parts { shell: Shell(shell), boosters })
    }

    /// The model to go on from: that of a checkpoint, or else of a warm start.
    fn start(&self, task: &Task, cx: &FitContext<'_>) -> Result<Option<FittedGbdt>, FitError> {
        let state = cx.resume.map(|resume| &resume.state).or(cx.warm);
        Ok(state.map(|state| FittedGbdt::restore(state, task, self.inputs, self.price_target())).transpose()?)
    }

    /// What each booster learns, `[booster]`.
    fn targets(
        &self,
        train: &Samples<'_>,
        valid: Option<&Samples<'_>>,
        start: Option<&FittedGbdt>,
    ) -> Result<(Target, Objective, Vec<Targets>), FitError> {
        let scaled = |values: &[f64], scale: f64| -> Vec<f32> { values.iter().map(|v| (v / scale) as f32).collect() };
        match *train.task() {
            Task::Price { horizon } => {
                let (anchors, learnt) = (anchor_steps(horizon), self.price_target());
                let values = anchor_targets(train, &anchors, learnt)?;
                let valid_values = match valid {
                    Some(valid) => anchor_targets(valid, &anchors, learnt)?,
                    None => vec![vec![]; anchors.len()],
                };
                let scales = match start.map(|model| &model.target) {
                    Some(Target::Price { scales, .. }) => scales.clone(),
                    _ => values.iter().map(|v| checks::root_mean_square(v)).collect::<Result<Vec<_>, _>>()?,
                };
                let of_anchor = |a: usize| {
                    let y = scaled(&values[a], scales[a]);
                    let centred = learnt.kind() != TargetKind::Raw;
                    let level = if centred { shrunk_mean(&y, &Stretches::of(train, anchors[a])) } else { 0.0 };
                    let valid_y = scaled(&valid_values[a], scales[a]);
                    Targets { base: vec![level], y, valid_y, centred, stretches: self.stretches(valid, anchors[a]) }
                };
                let targets = (0..anchors.len()).map(of_anchor).collect();
                Ok((Target::Price { anchors, scales, learnt }, Objective::Squared, targets))
            }
            Task::Direction { horizon, .. } => {
                let objective = Objective::Softmax { classes: CLASSES };
                let y = classes(train);
                objective.check_variety(&y)?;
                let (base, valid_y) = (objective.base(&y), valid.map(classes).unwrap_or_default());
                let targets = Targets { base, y, valid_y, centred: false, stretches: self.stretches(valid, horizon) };
                Ok((Target::Direction, objective, vec![targets]))
            }
            Task::Volatility { horizon } => {
                let inputs = self.inputs;
                let variances = inputs.relative_variances(train)?;
                let (_, deviation) = checks::mean_and_deviation(&variances)?;
                let of_valid = valid.map(|valid| inputs.relative_variances(valid));
                let valid_variances = of_valid.transpose()?.unwrap_or_default();
                let scale = match start.map(|model| &model.target) {
                    Some(Target::Volatility { scale, .. }) => *scale,
                    _ => deviation,
                };
                let (y, valid_y) = (scaled(&variances, scale), scaled(&valid_variances, scale));
                let (base, stretches) = (Objective::Squared.base(&y), self.stretches(valid, horizon));
                let target = Target::Volatility { scale, smearing: Smearing::NONE, inputs };
                let targets = Targets { base, y, valid_y, centred: false, stretches };
                Ok((target, Objective::Squared, vec![targets]))
            }
        }
    }

    /// The validation part in stretches, by which a gain is judged whose outcomes reach over `step` steps; `None` where
    /// nothing is chosen.
    fn stretches(&self, valid: Option<&Samples<'_>>, step: usize) -> Option<Stretches> {
        valid.filter(|_| self.patience > 0).map(|valid| Stretches::of(valid, step))
    }
}

/// Mean of targets, shrunk to 0, the naive forecast, as far as it is insignificant.
fn shrunk_mean(y: &[f32], stretches: &Stretches) -> f64 {
    let mean_and_error = stretches.mean_and_error(y.iter().map(|&v| f64::from(v)));
    mean_and_error.map_or(0.0, |(mean, error)| shrinkage::shrunk(mean, error))
}

fn classes(samples: &Samples<'_>) -> Vec<f32> {
    (0..samples.len()).map(|i| samples.class(i) as f32).collect()
}

impl FittedGbdt {
    /// Sets the smearing factor of a model of the volatility; others have none.
    fn smear(&mut self, factor: Smearing) {
        if let Target::Volatility { smearing, .. } = &mut self.target {
            *smearing = factor;
        }
    }

    /// Sets it to what the residuals on `samples` give.
    fn find_smearing(&mut self, samples: &Samples<'_>) -> Result<(), FitError> {
        if let Target::Volatility { inputs, .. } = self.target {
            self.smear(Smearing::NONE);
            let mut plain = Prediction::default();
            self.predict_into(samples, &mut plain);
            self.smear(inputs.smearing(samples, &plain)?);
        }
        Ok(())
    }
}

/// A model whose trees are still with the boosters.
struct Shell(FittedGbdt);

/// A fit about to begin.
struct Parts {
    shell: Shell,
    boosters: Vec<Booster>,
}

impl Parts {
    /// Sets early stopping to where a checkpoint left it; returns its curve.
    fn resume(&mut self, resume: Option<&TrainState>) -> Result<Curve, FitError> {
        let Some(resume) = resume else { return Ok(Curve::default()) };
        let standings: Vec<Standing> = resume.state.fact("standings")?;
        for (booster, standing) in self.boosters.iter_mut().zip(standings) {
            booster.resume(standing);
        }
        Ok(resume.state.fact("curve")?)
    }
}

impl Shell {
    fn model(&self, ensembles: Vec<Ensemble>) -> FittedGbdt {
        FittedGbdt { ensembles, ..self.0.clone() }
    }

    /// All trees so far with what the fit needs to go on bit for bit: trees are drawn by their number, so that no
    /// random stream has to be kept.
    fn snapshot(&self, boosters: &[Booster], curve: &Curve, choice: Option<&Choice>, step: usize) -> TrainState {
        let mut state = self.model(boosters.iter().map(|b| b.ensemble.clone()).collect()).state();
        let standings: Vec<Standing> = boosters.iter().map(|b| b.standing).collect();
        state.facts["standings"] = json!(standings);
        state.facts["curve"] = json!(curve);
        let mut checkpoint = TrainState { step, state };
        if let Some(choice) = choice {
            choice.keep(&mut checkpoint);
        }
        checkpoint
    }
}
