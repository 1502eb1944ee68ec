//! Every model beside the reference: skill, tests, their correction, and verdicts.

use rayon::prelude::*;

use crate::significance::{
    Evidence, MIN_INDEPENDENT, Serial, Test, VerdictCode, clark_west, diebold_mariano, holm, holm_with, independent,
};
use crate::task::Task;

use super::{Losses, ModelReport, Question, Scored, Signal, TaskMetrics};

/// Share of origins without a forecast beyond which two models are not compared.
const MAX_SILENT: f64 = 0.05;

/// Sets everything that needs the reference beside the models.
pub(super) fn compare(scored: &mut [Scored], question: &Question<'_>) {
    let asked = scored.iter().filter(|s| !s.report.baseline).count();
    let reference = Reference {
        name: scored[question.reference].report.name.clone(),
        metrics: scored[question.reference].report.metrics,
        losses: scored[question.reference].losses.clone(),
        abstained: scored[question.reference].report.abstained,
        origins: scored[question.reference].report.forecasts.rows.len(),
        task: question.task,
        refit: question.refit,
        tries: (asked + question.tries, question.tries),
    };
    let signals: Vec<Option<Test>> = scored
        .par_iter_mut()
        .enumerate()
        .map(|(i, s)| {
            reference.set_beside(s);
            if i == question.reference { None } else { reference.test(s) }
        })
        .collect();
    correct(scored, &signals, question.tries);
    for (i, s) in scored.iter_mut().enumerate() {
        if i != question.reference {
            reference.judge(&mut s.report);
        }
    }
}

/// What models are compared with.
struct Reference {
    name: String,
    metrics: TaskMetrics,
    losses: Losses,
    abstained: usize,
    origins: usize,
    task: Task,
    refit: usize,
    /// Configurations that the period was looked at with, and those of them that were tried before.
    tries: (usize, usize),
}

impl Reference {
    fn serial(&self, horizon: usize) -> Serial {
        Serial { horizon, refit: self.refit }
    }

    /// Skill, and what is known without a test.
    fn set_beside(&self, s: &mut Scored) {
        s.report.skill = s.report.metrics.skill_over(&self.metrics);
        if let TaskMetrics::Price(metrics) = &mut s.report.metrics {
            let sum = |losses: &Losses| losses.by_step.iter().sum::<f64>();
            let (ours, reference) = (sum(&s.losses), sum(&self.losses));
            metrics.skill = s.report.skill;
            metrics.skill_scaled = (reference > 0.0).then(|| 1.0 - ours / reference);
        }
        let vs = &mut s.report.vs_reference;
        vs.against.clone_from(&self.name);
        vs.independent = independent(&s.losses.rows, self.task.horizon());
        (vs.tries, vs.earlier_tries) = self.tries;
    }

    /// Tests a model, and gives the test of its signal, which is still to be corrected. Nothing is tested on too few
    /// independent outcomes.
    fn test(&self, s: &mut Scored) -> Option<Test> {
        self.test_steps(s);
        if s.report.vs_reference.independent < MIN_INDEPENDENT {
            if let Some(direction) = &mut s.report.direction {
                direction.test = None;
                direction.interval = None;
            }
            return None;
        }
        let serial = self.serial(self.task.horizon());
        let steps = self.task.claims();
        let test = diebold_mariano(&s.losses.by_origin(steps), &self.losses.by_origin(steps), serial);
        s.report.vs_reference.test = test;
        if s.report.baseline { None } else { clark_west(&s.losses.clark_west, serial) }
    }

    fn test_steps(&self, s: &mut Scored) {
        let steps = self.task.claims();
        let enough = |step: usize| independent(&s.losses.rows, step) >= MIN_INDEPENDENT;
        let column = |losses: &Losses, step: usize| -> Vec<f64> {
            losses.by_step.iter().skip(step - 1).step_by(steps).copied().collect()
        };
        let tests: Vec<Option<Test>> = (1..=s.report.per_horizon.len())
            .map(|step| {
                let test = || diebold_mariano(&column(&s.losses, step), &column(&self.losses, step), self.serial(step));
                enough(step).then(test).flatten()
            })
            .collect();
        // Beside the steps of this model those of every other one that was looked at on the period could be better by
        // chance (Bonferroni).
        let looks = if s.report.baseline { 1 } else { self.tries.0.max(1) } as f64;
        let corrected: Vec<Option<f64>> = holm(&tests.iter().map(|test| test.map(|t| t.p_value)).collect::<Vec<_>>())
            .into_iter()
            .map(|p| p.map(|p| (p * looks).min(1.0)))
            .collect();
        for ((step, test), corrected) in s.report.per_horizon.iter_mut().zip(tests).zip(corrected) {
            let independent = independent(&s.losses.rows, step.step);
            step.p_value = corrected;
            step.verdict = Evidence { better: corrected, worse: test.map(|t| t.other_side()), independent }.code();
        }
    }

    /// Writes the verdict on a model whose tests are corrected.
    fn judge(&self, report: &mut ModelReport) {
        let vs = &mut report.vs_reference;
        let evidence =
            Evidence { better: vs.corrected, worse: vs.test.map(|t| t.other_side()), independent: vs.independent };
        vs.code = evidence.code();
        vs.verdict = evidence.words(&self.name);
        // Where there is no forecast a price stays, as `naive` says. Of classes and volatilities what is said instead
        // is no forecast of the reference's, and better or worse than it for reasons of its own.
        let silent = report.abstained.max(self.abstained);
        if is_silent(self.task, silent, self.origins) && vs.code != VerdictCode::TooFew {
            vs.test = None;
            vs.corrected = None;
            vs.code = VerdictCode::None;
            vs.verdict =
                format!("cannot be told: from {silent} of {} origins one of the two could not forecast", self.origins);
        }
    }
}

/// True for a model that said what is known without any model so often, at `abstained` of `origins` origins, that it
/// cannot be compared.
pub(super) fn is_silent(task: Task, abstained: usize, origins: usize) -> bool {
    task.id() != "price" && abstained as f64 > MAX_SILENT * origins as f64
}

/// Corrects the p-values of all models, with `earlier` configurations that were tried before.
fn correct(scored: &mut [Scored], signals: &[Option<Test>], earlier: usize) {
    let p = |test: Option<Test>| test.map(|t| t.p_value);
    // The models that somebody chose to try are a family of their own: baselines, which were not tried in hope, do not
    // raise their p-values.
    let tried = |s: &Scored| p(s.report.vs_reference.test.filter(|_| !s.report.baseline));
    let is_tried = |s: &&Scored| !s.report.baseline;
    // One that was asked for and says what the reference says has no test, but was a try.
    let silent = scored.iter().filter(|s| is_tried(s) && s.report.vs_reference.test.is_none()).count();
    let of_models = holm_with(&scored.iter().map(tried).collect::<Vec<_>>(), earlier + silent);
    // A baseline is called better only where it survives the correction over the whole table.
    let of_all = holm_with(&scored.iter().map(|s| p(s.report.vs_reference.test)).collect::<Vec<_>>(), earlier);
    let of_signals = holm_with(&signals.iter().map(|&test| p(test)).collect::<Vec<_>>(), earlier);
    for (i, s) in scored.iter_mut().enumerate() {
        let vs = &mut s.report.vs_reference;
        vs.corrected = of_models[i].or(of_all[i]);
        vs.signal = signals[i].zip(of_signals[i]).map(|(test, corrected)| Signal { test, corrected });
    }
}
