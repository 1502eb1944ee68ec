//! The laws of [`Learner`] and [`candlecast_learn::Fitted`].

mod forecasts;
mod hostile;
mod parameters;
mod stopping;
mod tape;

use candlecast_core::Seed;
use candlecast_core::catalog::Entry;
use candlecast_learn::{
    Extent, FitContext, FitError, FitObserver, FitOutcome, Labels, Learner, Prediction, Samples, Silent, Task,
};
use serde_json::Value;

/// Root of the randomness of every fit.
const SEED: Seed = Seed(7);

/// The task in which a planted signal must be found.
const SHORT: Task = Task::Price { horizon: 3 };

/// The task in which a planted wave of the volatility must be found.
const WAVE: Task = Task::Volatility { horizon: 3 };

/// A short horizon, one beyond the steps that a learner may forecast directly, classes, and the variance.
const TASKS: [Task; 4] = [
    SHORT,
    Task::Price { horizon: 24 },
    Task::Direction { horizon: 3, labels: Labels::Adaptive { low: 0.25, high: 0.75 } },
    WAVE,
];

/// A learner to be judged.
#[derive(Debug)]
pub struct LearnerLaws<'a> {
    /// The catalog's entry.
    pub entry: &'a Entry<dyn Learner>,
    /// Parameters that make its fits quick; windows of at most 32 rows.
    pub params: Value,
    /// How far the forecast of a sample on its own may lie from the same forecast among others, as a share of the
    /// largest forecast: 0 where each sample is computed alike, rounding where many are computed at once.
    pub row_tolerance: f64,
}

/// What is judged.
#[derive(Debug, Clone, Copy)]
struct Subject<'a> {
    id: &'a str,
    learner: &'a dyn Learner,
    row_tolerance: f64,
}

/// Asserts that the catalog states a learner's defaults and search space rightly, and that the learner and what it
/// fits keep the contracts of [`Learner`] and [`candlecast_learn::Fitted`] for every task it supports: repeatable at
/// any number of threads, restored to the bit, finite, blind to the future, honest about what cannot be fitted, quick to stop, and able to
/// find a signal that is there.
///
/// # Panics
/// At the first broken law.
pub fn assert_learner_laws(case: &LearnerLaws<'_>) {
    parameters::laws(case.entry);
    let learner = case.entry.build(&case.params).unwrap_or_else(|e| panic!("{} must be built: {e}", case.entry.id));
    let subject = Subject { id: case.entry.id, learner: &*learner, row_tolerance: case.row_tolerance };
    assert!((1..=32).contains(&learner.lookback()), "{}: a window has 1 row or more, here at most 32", subject.id);
    let (supported, other): (Vec<Task>, Vec<Task>) = TASKS.into_iter().partition(|task| learner.supports(task));
    assert!(!supported.is_empty(), "{} supports no task", subject.id);
    for task in supported {
        forecasts::laws(subject, task);
        stopping::laws(subject, task);
        hostile::laws(subject, task);
    }
    for task in other {
        hostile::an_unsupported_task_is_refused(subject, task);
    }
}

impl Subject<'_> {
    /// Fits on one thread, with nobody listening.
    fn fit(&self, train: &Samples<'_>, valid: Option<&Samples<'_>>) -> Result<FitOutcome, FitError> {
        self.fit_heard(train, valid, 1, &mut Silent)
    }

    fn fit_heard(
        &self,
        train: &Samples<'_>,
        valid: Option<&Samples<'_>>,
        threads: usize,
        observer: &mut dyn FitObserver,
    ) -> Result<FitOutcome, FitError> {
        let mut cx =
            FitContext { seed: SEED, valid, threads, warm: None, resume: None, extent: Extent::default(), observer };
        self.learner.fit(train, &mut cx)
    }

    /// Says which learner broke a law, on what.
    fn on(&self, task: Task) -> String {
        format!("{} on {task:?}", self.id)
    }
}

fn predict(outcome: &FitOutcome, samples: &Samples<'_>) -> Prediction {
    let mut out = Prediction::default();
    outcome.model.predict_into(samples, &mut out);
    out
}

fn all_finite(prediction: &Prediction) -> bool {
    let scales = prediction.scale.as_deref().unwrap_or(&[]);
    prediction.mean.iter().chain(scales).all(|v| v.is_finite())
}

/// The bits of means and scales.
fn bits(prediction: &Prediction) -> Vec<u64> {
    let scales = prediction.scale.as_deref().unwrap_or(&[]);
    prediction.mean.iter().chain(scales).map(|v| v.to_bits()).collect()
}
