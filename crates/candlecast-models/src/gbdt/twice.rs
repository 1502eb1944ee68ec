//! Fits in two stages: the first chooses the rounds on the newest samples, the second takes in all.

use std::ops::ControlFlow;

use candlecast_learn::{
    CLASSES, Curve, Extent, FitContext, FitError, FitObserver, FitOutcome, Progress, RestoreError, Samples, Smearing,
    Stop, Task, TrainState,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::GbdtConfig;

/// What the first fit chose, and its course, which is told as that of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Choice {
    /// Rounds of each booster, those of a warm start not counted.
    pub(super) limits: Vec<usize>,
    /// Why the first fit ended.
    stopped: Stop,
    /// Its losses by round.
    curve: Curve,
    /// Of a model of the volatility, the factor by the samples that the rounds were chosen on: the residuals of the
    /// second fit are those of samples it has seen, and smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) smearing: Option<Smearing>,
}

/// Where a checkpoint of the second fit carries the choice.
const FACT: &str = "choice";

impl Choice {
    /// The choice in a checkpoint; `None` in one of the first fit, which had not chosen yet.
    pub(super) fn kept(resume: &TrainState) -> Result<Option<Self>, RestoreError> {
        match resume.state.facts.get(FACT) {
            None => Ok(None),
            Some(_) => resume.state.fact(FACT).map(Some),
        }
    }

    /// Makes a checkpoint of the second fit one of both.
    pub(super) fn keep(&self, checkpoint: &mut TrainState) {
        checkpoint.step += self.rounds();
        checkpoint.state.facts[FACT] = json!(self);
    }

    /// Rounds of the first fit.
    fn rounds(&self) -> usize {
        self.curve.train.len()
    }
}

/// Counts the rounds of one of two fits as part of the whole.
struct Stage<'a> {
    inner: &'a mut dyn FitObserver,
    /// Rounds of the fit before.
    before: usize,
    /// Rounds of both at most.
    of: usize,
}

impl FitObserver for Stage<'_> {
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.inner.on_step(&Progress { step: self.before + progress.step, of: self.of, ..*progress }, snapshot)
    }
}

impl GbdtConfig {
    /// Chooses the rounds of each booster on `held` by a fit on `fitted`, then fits `train`, which holds both, with so
    /// many. It takes about twice the time of one fit.
    pub(super) fn fit_twice(
        &self,
        train: &Samples<'_>,
        fitted: &Samples<'_>,
        held: &Samples<'_>,
        cx: &mut FitContext<'_>,
    ) -> Result<FitOutcome, FitError> {
        let before: Vec<usize> = match cx.warm {
            Some(warm) => warm.fact("trees")?,
            None => vec![],
        };
        let mut stage = Stage { inner: &mut *cx.observer, before: 0, of: 2 * self.rounds };
        let mut choosing = FitContext {
            seed: cx.seed,
            valid: None,
            threads: cx.threads,
            warm: cx.warm,
            resume: cx.resume,
            extent: Extent::default(),
            observer: &mut stage,
        };
        let chosen = self.fit_on(fitted, Some(held), None, &mut choosing)?;
        if matches!(chosen.stopped, Stop::Cancelled | Stop::Pruned) {
            return Ok(chosen);
        }
        let outputs = if matches!(train.task(), Task::Direction { .. }) { CLASSES } else { 1 };
        let state = chosen.model.state();
        let counts: Vec<usize> = state.fact("trees")?;
        let smearing = match train.task() {
            Task::Volatility { .. } => Some(Smearing::read(&state)?),
            Task::Price { .. } | Task::Direction { .. } => None,
        };
        let new_trees = |(i, &n): (usize, &usize)| n.saturating_sub(before.get(i).copied().unwrap_or(0));
        let limits = counts.iter().enumerate().map(|c| new_trees(c) / outputs).collect();
        let choice = Choice { limits, stopped: chosen.stopped, curve: chosen.curve, smearing };
        // The checkpoint was one of the first fit, which is over.
        self.refit(train, choice, None, cx)
    }

    /// Fits all of `train` with the rounds of `choice`, from `resume` on, a checkpoint of this second fit.
    pub(super) fn refit(
        &self,
        train: &Samples<'_>,
        choice: Choice,
        resume: Option<&TrainState>,
        cx: &mut FitContext<'_>,
    ) -> Result<FitOutcome, FitError> {
        let mut stage = Stage { inner: &mut *cx.observer, before: choice.rounds(), of: 2 * self.rounds };
        let mut rest = FitContext {
            seed: cx.seed,
            valid: None,
            threads: cx.threads,
            warm: cx.warm,
            resume,
            extent: Extent::default(),
            observer: &mut stage,
        };
        let refit = self.fit_on(train, None, Some(&choice), &mut rest)?;
        let stopped = if refit.stopped == Stop::Budget { choice.stopped } else { refit.stopped };
        Ok(FitOutcome { stopped, curve: choice.curve, ..refit })
    }
}
