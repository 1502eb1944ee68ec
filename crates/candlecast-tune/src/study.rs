//! [`Study`]: a search as a value. It is asked for configurations, told what came of them, and says which is best.

use candlecast_core::Seed;
use serde_json::{Map, Value};

use crate::TuneError;
use crate::importance::{Importance, importances};
use crate::pareto;
use crate::pruners::{PruneView, Pruner};
use crate::samplers::{Sampler, View};
use crate::space::Space;
use crate::trial::{Goal, Outcome, Trial, TrialRecord, TrialState};

/// Trials that may be evaluated side by side.
pub const MAX_PARALLEL: u32 = 256;

/// What a study is to do.
#[derive(Debug)]
pub struct StudyPlan {
    /// Where it looks.
    pub space: Space,
    /// Which values of each metric are better; at least one.
    pub goals: Vec<Goal>,
    /// Which configuration comes next.
    pub sampler: Box<dyn Sampler>,
    /// Which trial is given up. With several metrics none is.
    pub pruner: Box<dyn Pruner>,
    /// Trials to make, at least 1; see [`Sampler::n_trials`].
    pub trials: u32,
    /// Trials that may be evaluated side by side, 1 to [`MAX_PARALLEL`].
    pub parallel: u32,
    /// Root of all randomness.
    pub seed: Seed,
}

/// A search: its plan and its trials.
///
/// Trial `n` is proposed, and given up or not, by what came of the trials up to `n - parallel`, those between being
/// taken for running whether they are or not. So a study is a function of its plan and of the values it is told: neither
/// the order in which trials that run side by side end nor the number of threads makes a difference.
#[derive(Debug)]
pub struct Study {
    plan: StudyPlan,
    trials: Vec<Trial>,
}

/// What there is to evaluate next.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// This trial, with these parameters.
    Trial {
        /// Its number.
        number: u32,
        /// Its configuration.
        params: Map<String, Value>,
    },
    /// Nothing before one of the running trials has ended.
    Wait,
    /// Nothing more: all trials have begun, or every point has been tried.
    Done,
}

impl Study {
    /// A study without trials.
    pub fn new(plan: StudyPlan) -> Result<Self, TuneError> {
        let in_range = |field, value, most| {
            let fits = (1..=most).contains(&value);
            if fits { Ok(()) } else { Err(TuneError::OutOfRange { field, value, least: 1, most }) }
        };
        in_range("trials", plan.trials, u32::MAX)?;
        in_range("parallel", plan.parallel, MAX_PARALLEL)?;
        in_range("metrics", u32::try_from(plan.goals.len()).unwrap_or(u32::MAX), u32::MAX)?;
        Ok(Self { plan, trials: Vec::new() })
    }

    /// A study that goes on where one with the same plan was interrupted. Trials that ran then are to be evaluated again
    /// from their beginning ([`Study::running`]).
    pub fn resume(plan: StudyPlan, records: &[TrialRecord]) -> Result<Self, TuneError> {
        let mut study = Self::new(plan)?;
        for (expected, record) in (0..).zip(records) {
            let number = record.number;
            let refused = |why: &str| Err(TuneError::Trial { number, why: why.into() });
            if number != expected {
                return refused(&format!("stands where trial {expected} should: one is missing or stands there twice"));
            }
            let mut trial = Trial::new(number, study.plan.space.point(&record.params)?);
            trial.state = record.state;
            if record.state == TrialState::Complete {
                if record.values.len() != study.plan.goals.len() || !record.values.iter().all(|v| v.is_finite()) {
                    return refused("is complete without a value for each metric");
                }
                trial.values.clone_from(&record.values);
            }
            if record.state != TrialState::Running {
                trial.curve = record.curve.iter().map(|(step, value)| (*step, value.unwrap_or(f64::NAN))).collect();
                trial.rungs.clone_from(&record.rungs);
            }
            study.trials.push(trial);
        }
        Ok(study)
    }

    /// What it is to do.
    pub fn plan(&self) -> &StudyPlan {
        &self.plan
    }

    /// All trials that have begun, by number.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Trial `number` for keeping.
    pub fn record(&self, number: u32) -> Option<TrialRecord> {
        let trial = self.trials.get(number as usize)?;
        Some(TrialRecord {
            number,
            params: self.plan.space.params(&trial.point),
            state: trial.state,
            values: trial.values.clone(),
            curve: trial.curve.iter().map(|(step, value)| (*step, value.is_finite().then_some(*value))).collect(),
            rungs: trial.rungs.clone(),
        })
    }

    /// Trials under evaluation, by number.
    pub fn running(&self) -> impl Iterator<Item = u32> {
        self.trials.iter().filter(|trial| trial.state == TrialState::Running).map(|trial| trial.number)
    }

    /// The next trial, which runs from now on.
    pub fn ask(&mut self) -> Ask {
        let number = self.trials.len() as u32;
        if number >= self.plan.trials {
            return Ask::Done;
        }
        let (known, running) = self.trials.split_at(self.n_known(number));
        if known.iter().any(|trial| trial.state == TrialState::Running) {
            return Ask::Wait;
        }
        let view =
            View { space: &self.plan.space, goals: &self.plan.goals, number, known, running, seed: self.plan.seed };
        let mut rng = self.plan.seed.derive("trial", u64::from(number)).stream();
        let Some(point) = self.plan.sampler.propose(&view, &mut rng) else { return Ask::Done };
        let params = self.plan.space.params(&point);
        self.trials.push(Trial::new(number, point));
        Ask::Trial { number, params }
    }

    /// Takes the value of the first metric that trial `number` has come to at `step`, and says whether to give it up. A
    /// step that has been reported already changes nothing.
    pub fn report(&mut self, number: u32, step: u32, value: f64) -> Result<bool, TuneError> {
        self.check_running(number)?;
        let n_known = self.n_known(number);
        let (before, rest) = self.trials.split_at_mut(number as usize);
        let trial = &mut rest[0];
        if trial.curve.contains_key(&step) {
            return Ok(false);
        }
        trial.curve.insert(step, value);
        let [goal] = self.plan.goals[..] else { return Ok(false) };
        let view = PruneView { goal, known: &before[..n_known], seed: self.plan.seed };
        Ok(self.plan.pruner.judge(&view, trial))
    }

    /// Takes how trial `number` ended.
    pub fn tell(&mut self, number: u32, outcome: Outcome) -> Result<(), TuneError> {
        self.check_running(number)?;
        let n_goals = self.plan.goals.len();
        let trial = &mut self.trials[number as usize];
        (trial.state, trial.values) = match outcome {
            Outcome::Complete(values) if values.len() != n_goals => {
                let why = format!("has {} values, and there are {n_goals} metrics", values.len());
                return Err(TuneError::Trial { number, why });
            }
            Outcome::Complete(values) if values.iter().all(|value| value.is_finite()) => (TrialState::Complete, values),
            Outcome::Complete(_) | Outcome::Failed => (TrialState::Failed, vec![]),
            Outcome::Pruned => (TrialState::Pruned, vec![]),
        };
        Ok(())
    }

    /// The complete trial with the best value, the first of several; with several metrics `None`, see
    /// [`Study::pareto_front`].
    pub fn best(&self) -> Option<&Trial> {
        let [goal] = self.plan.goals[..] else { return None };
        let loss = |trial: &Trial| trial.values.first().map_or(f64::INFINITY, |value| goal.loss(*value));
        self.complete().min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    /// Numbers of the complete trials that no other dominates, ascending: nowhere worse and somewhere better.
    pub fn pareto_front(&self) -> Vec<u32> {
        let losses: Vec<Vec<f64>> = self.complete().map(|trial| trial.losses(&self.plan.goals)).collect();
        let ranks = pareto::ranks(&losses);
        self.complete().zip(ranks).filter(|(_, rank)| *rank == 0).map(|(trial, _)| trial.number).collect()
    }

    /// How much each parameter matters for being among the best tenth of the complete trials, the most important first.
    pub fn importances(&self) -> Vec<Importance> {
        let complete: Vec<&Trial> = self.complete().collect();
        importances(&self.plan.space, &self.plan.goals, &complete, self.plan.seed)
    }

    fn complete(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.state == TrialState::Complete)
    }

    /// Trials whose end counts for trial `number`.
    fn n_known(&self, number: u32) -> usize {
        (number + 1).saturating_sub(self.plan.parallel) as usize
    }

    fn check_running(&self, number: u32) -> Result<(), TuneError> {
        let why = match self.trials.get(number as usize).map(|trial| trial.state) {
            None => "has not begun",
            Some(TrialState::Running) => return Ok(()),
            Some(_) => "has ended",
        };
        Err(TuneError::Trial { number, why: why.into() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Domain;
    use crate::pruners::{KeepAll, MedianConfig};
    use crate::samplers::{Random, TpeConfig};
    use crate::space::Dimension;

    fn plan(parallel: u32) -> StudyPlan {
        let line = |name: &str| Dimension::new(name, Domain::float(0.0, 1.0, None, false).unwrap());
        StudyPlan {
            space: Space::new(vec![line("x"), line("y")]).unwrap(),
            goals: vec![Goal::Minimize],
            sampler: Box::new(TpeConfig { startup_trials: 4, ..TpeConfig::default() }),
            pruner: Box::new(MedianConfig { startup_trials: 2, ..MedianConfig::default() }),
            trials: 30,
            parallel,
            seed: Seed(7),
        }
    }

    fn loss(params: &Map<String, Value>) -> f64 {
        (params["x"].as_f64().unwrap() - 0.2).powi(2) + params["y"].as_f64().unwrap()
    }

    /// Evaluates a trial of three steps.
    fn evaluate(study: &mut Study, number: u32) {
        let params = study.record(number).unwrap().params;
        for step in 0..3 {
            let value = loss(&params) * f64::from(3 - step);
            if study.report(number, step, value).unwrap() {
                return study.tell(number, Outcome::Pruned).unwrap();
            }
        }
        study.tell(number, Outcome::Complete(vec![loss(&params)])).unwrap();
    }

    fn begin(study: &mut Study) -> Option<u32> {
        match study.ask() {
            Ask::Trial { number, .. } => Some(number),
            Ask::Wait | Ask::Done => None,
        }
    }

    /// Runs a study, of the trials that run always ending the one that `pick` says.
    fn run(mut study: Study, pick: fn(&[u32]) -> u32) -> Study {
        loop {
            while begin(&mut study).is_some() {}
            let running: Vec<u32> = study.running().collect();
            if running.is_empty() {
                return study;
            }
            evaluate(&mut study, pick(&running));
        }
    }

    fn records(study: &Study) -> Vec<TrialRecord> {
        (0..study.trials().len() as u32).map(|number| study.record(number).unwrap()).collect()
    }

    #[test]
    fn the_order_in_which_trials_end_makes_no_difference() {
        let first = run(Study::new(plan(3)).unwrap(), |running| running[0]);
        let last = run(Study::new(plan(3)).unwrap(), |running| running[running.len() - 1]);
        assert_eq!(records(&first), records(&last));
        let count = |state| first.trials().iter().filter(|trial| trial.state == state).count();
        assert!(count(TrialState::Pruned) > 3 && count(TrialState::Complete) > 5);
        let alone = run(Study::new(plan(1)).unwrap(), |running| running[0]);
        assert_ne!(records(&first), records(&alone), "with other knowledge other trials are proposed");
    }

    #[test]
    fn no_more_than_the_plan_says_run_at_once() {
        let mut study = Study::new(plan(3)).unwrap();
        assert_eq!((0..4).map(|_| begin(&mut study)).collect::<Vec<_>>(), [Some(0), Some(1), Some(2), None]);
        evaluate(&mut study, 2);
        assert_eq!(study.ask(), Ask::Wait, "what trial 0 comes to counts for trial 3");
        evaluate(&mut study, 0);
        assert_eq!(begin(&mut study), Some(3));
        assert_eq!(study.ask(), Ask::Wait);
    }

    #[test]
    fn a_study_that_was_interrupted_goes_on_as_if_it_had_not_been() {
        let whole = run(Study::new(plan(3)).unwrap(), |running| running[0]);
        let mut study = Study::new(plan(3)).unwrap();
        for _ in 0..40 {
            if begin(&mut study).is_none() {
                let first = study.running().next();
                evaluate(&mut study, first.unwrap());
            }
        }
        let running: Vec<u32> = study.running().collect();
        study.report(running[0], 0, 0.5).unwrap();
        let kept: Vec<TrialRecord> = serde_json::from_str(&serde_json::to_string(&records(&study)).unwrap()).unwrap();
        let resumed = Study::resume(plan(3), &kept).unwrap();
        assert_eq!(resumed.running().collect::<Vec<_>>(), running);
        assert_eq!(records(&run(resumed, |running| running[0])), records(&whole));
    }

    #[test]
    fn records_that_do_not_fit_are_refused() {
        let study = run(Study::new(plan(1)).unwrap(), |running| running[0]);
        let of = |change: fn(&mut Vec<TrialRecord>)| {
            let mut kept = records(&study);
            change(&mut kept);
            Study::resume(plan(1), &kept).unwrap_err().to_string()
        };
        assert!(of(|kept| drop(kept.remove(3))).contains("trial 4 stands where trial 3"));
        assert!(of(|kept| kept[0].values.clear()).contains("trial 0 is complete without a value"));
        assert!(of(|kept| drop(kept[1].params.insert("x".into(), json!(3)))).contains("x: 3 is not in the space"));
    }

    #[test]
    fn values_that_are_no_numbers_fail_a_trial_and_the_best_is_complete() {
        let mut study = Study::new(StudyPlan { pruner: Box::new(KeepAll), ..plan(1) }).unwrap();
        for value in [f64::NAN, 3.0, f64::INFINITY, 2.0, 2.0] {
            let number = begin(&mut study).unwrap();
            study.tell(number, Outcome::Complete(vec![value])).unwrap();
        }
        let states: Vec<TrialState> = study.trials().iter().map(|trial| trial.state).collect();
        use TrialState::{Complete, Failed};
        assert_eq!(states, [Failed, Complete, Failed, Complete, Complete]);
        assert_eq!(study.best().map(|trial| trial.number), Some(3));
        let again = study.tell(3, Outcome::Failed).unwrap_err().to_string();
        assert_eq!(again, "trial 3 has ended");
        assert_eq!(study.report(9, 0, 1.0).unwrap_err().to_string(), "trial 9 has not begun");
        let number = begin(&mut study).unwrap();
        study.tell(number, Outcome::Complete(vec![1.0, 2.0])).unwrap_err();
        assert_eq!(study.running().collect::<Vec<_>>(), [number]);
    }

    #[test]
    fn several_metrics_have_a_front_and_no_best() {
        let goals = vec![Goal::Minimize, Goal::Maximize];
        let mut study = Study::new(StudyPlan { goals, sampler: Box::new(Random), ..plan(1) }).unwrap();
        for values in [[1.0, 1.0], [2.0, 3.0], [2.0, 2.0], [0.5, 0.0], [3.0, 3.0]] {
            let number = begin(&mut study).unwrap();
            assert!(!study.report(number, 0, 9.0).unwrap());
            study.tell(number, Outcome::Complete(values.to_vec())).unwrap();
        }
        assert_eq!(study.pareto_front(), [0, 1, 3]);
        assert!(study.best().is_none());
    }
}
