//! [`GbdtConfig`] as a [`Learner`]: from samples to boosters and back.

use candlecast_core::FeatureSet;
use candlecast_learn::{
    Asked, CLASSES, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction,
    RestoreError, Samples, ScalerKind, Smearing, Task, TrainState,
};
use serde_json::json;

use super::booster::{Booster, Ensemble, Standing, TrainingData};
use super::fitted::{FittedGbdt, Target};
use super::rounds::Rounds;
use super::twice::Choice;
use super::{GbdtConfig, Objective};
use crate::tree::{Matrix, Workers, anchor_returns, anchor_steps, inputs};
use crate::{checks, holdout};

impl Learner for GbdtConfig {
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
        let boosters = anchor_steps(task.horizon()).len().max(CLASSES);
        let histograms = (4096 * (n_features + 8)) << self.max_depth.saturating_sub(1);
        let trees = self.rounds * boosters * (2 << self.max_depth) * 16;
        n_samples * (n_features * 7 + boosters * 24) + histograms + trees
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        checks::enough(train.len(), self.min_samples())?;
        checks::finite_inputs(train)?;
        if let Task::Direction { .. } = train.task() {
            Objective::Softmax { classes: CLASSES }.check_variety(&classes(train))?;
        }
        if let Some(choice) = cx.resume.map(Choice::kept).transpose()?.flatten() {
            return self.refit(train, choice, cx.resume, cx);
        }
        match (cx.valid, holdout::holdout(train)) {
            (None, Some((fitted, held))) if self.patience > 0 => self.fit_twice(train, &fitted, &held, cx),
            (valid, _) => self.fit_on(train, valid, None, cx),
        }
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedGbdt::restore(state, task)?))
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
        let x = inputs(train);
        let valid_x = valid.map(inputs).filter(|x| !x.is_empty());
        let valid = valid.filter(|valid| !valid.is_empty());
        let x = Matrix::new(&x, train.width())?;
        let valid_x = valid_x.as_ref().map(|x| Matrix::new(x, train.width())).transpose()?;
        let data = TrainingData::new(x, valid_x, self.max_bins);
        let mut parts = self.boosters(train, valid, choice.map(|c| c.limits.as_slice()), &data, cx)?;
        let curve = parts.resume(cx.resume)?;
        let Parts { shell, mut boosters } = parts;
        let workers = Workers::new(cx.threads);
        let rounds = Rounds { config: self, data: &data, seed: cx.seed.derive("gbdt", 0), workers: &workers };
        let observer = &mut *cx.observer;
        let (stopped, curve) = rounds.run(&mut boosters, curve, &mut |boosters, progress, curve| {
            let snapshot = || shell.snapshot(boosters, curve, choice, progress.step);
            observer.on_step(progress, &snapshot)
        })?;
        let steps = boosters.iter().map(|b| b.standing.best_rounds).max().unwrap_or(0);
        let mut model = shell.model(boosters.iter().map(Booster::best).collect());
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
        let start = start(train.task(), cx)?;
        if let Some(model) = &start
            && model.n_features != train.width()
        {
            let expected = vec![train.width()];
            let (tensor, found) = ("treeNodes".into(), vec![model.n_features]);
            return Err(RestoreError::Shape { tensor, found, expected }.into());
        }
        let (target, objective, targets) = targets(train, valid, start.as_ref())?;
        let mut boosters = Vec::with_capacity(targets.len());
        for (i, (y, valid_y)) in targets.into_iter().enumerate() {
            let ensemble = match (&start, &target) {
                (Some(model), _) => model.ensembles[i].clone(),
                (None, Target::Price { .. }) => Ensemble { base: vec![0.0], trees: vec![] },
                (None, Target::Direction | Target::Volatility { .. }) => {
                    Ensemble { base: objective.base(&y), trees: vec![] }
                }
            };
            let limit = limits.and_then(|l| l.get(i).copied()).unwrap_or(self.rounds);
            boosters.push(Booster::new(objective, ensemble, data, y, valid_y, limit));
        }
        let shell = FittedGbdt { n_features: train.width(), width: train.task().width(), target, ensembles: vec![] };
        Ok(Parts { shell: Shell(shell), boosters })
    }
}

/// Targets of the training and the validation part, `[booster]`.
#[allow(clippy::type_complexity, reason = "three things that belong together only here")]
fn targets(
    train: &Samples<'_>,
    valid: Option<&Samples<'_>>,
    start: Option<&FittedGbdt>,
) -> Result<(Target, Objective, Vec<(Vec<f32>, Vec<f32>)>), FitError> {
    match *train.task() {
        Task::Price { horizon } => {
            let anchors = anchor_steps(horizon);
            let returns = anchor_returns(train, &anchors)?;
            let valid_returns = match valid {
                Some(valid) => anchor_returns(valid, &anchors)?,
                None => vec![vec![]; anchors.len()],
            };
            let scales = match start.map(|model| &model.target) {
                Some(Target::Price { scales, .. }) => scales.clone(),
                _ => returns.iter().map(|r| checks::root_mean_square(r)).collect::<Result<Vec<_>, _>>()?,
            };
            let scaled = |r: &[f64], scale: f64| -> Vec<f32> { r.iter().map(|r| (r / scale) as f32).collect() };
            let targets = (0..anchors.len())
                .map(|a| (scaled(&returns[a], scales[a]), scaled(&valid_returns[a], scales[a])))
                .collect();
            Ok((Target::Price { anchors, scales }, Objective::Squared, targets))
        }
        Task::Direction { .. } => {
            let objective = Objective::Softmax { classes: CLASSES };
            let y = classes(train);
            objective.check_variety(&y)?;
            Ok((Target::Direction, objective, vec![(y, valid.map(classes).unwrap_or_default())]))
        }
        Task::Volatility { .. } => {
            let variances = checks::relative_variances(train)?;
            let (_, deviation) = checks::mean_and_deviation(&variances)?;
            let valid_variances = valid.map(checks::relative_variances).transpose()?.unwrap_or_default();
            let scale = match start.map(|model| &model.target) {
                Some(Target::Volatility { scale, .. }) => *scale,
                _ => deviation,
            };
            let scaled = |v: &[f64]| -> Vec<f32> { v.iter().map(|v| (v / scale) as f32).collect() };
            let target = Target::Volatility { scale, smearing: Smearing::NONE };
            Ok((target, Objective::Squared, vec![(scaled(&variances), scaled(&valid_variances))]))
        }
    }
}

fn classes(samples: &Samples<'_>) -> Vec<f32> {
    (0..samples.len()).map(|i| samples.class(i) as f32).collect()
}

/// The model to go on from: that of a checkpoint, or else of a warm start.
fn start(task: &Task, cx: &FitContext<'_>) -> Result<Option<FittedGbdt>, FitError> {
    let state = cx.resume.map(|resume| &resume.state).or(cx.warm);
    Ok(state.map(|state| FittedGbdt::restore(state, task)).transpose()?)
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
        if let Target::Volatility { .. } = self.target {
            self.smear(Smearing::NONE);
            let mut plain = Prediction::default();
            self.predict_into(samples, &mut plain);
            self.smear(Smearing::fit(samples, &plain)?);
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
