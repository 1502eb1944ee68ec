//! Laws of progress and of stopping.

use std::ops::ControlFlow;

use candlecast_learn::{FitError, FitObserver, Progress, Samples, Stop, Task, TrainState};

use super::tape::{N_CANDLES, Tape};
use super::{Subject, all_finite, predict};

pub(super) fn laws(subject: Subject<'_>, task: Task) {
    let world = Tape::reverting(N_CANDLES, 0.4).world(subject.learner.lookback(), task);
    let (train, valid, test) = (world.train(), world.valid(), world.test());
    for valid in [Some(&valid), None] {
        progress_goes_forward(subject, task, &train, valid);
        for stop in [Stop::Cancelled, Stop::Pruned] {
            for at in [1, 2] {
                a_fit_ends_when_asked(subject, task, (&train, valid, &test), (at, stop));
            }
        }
    }
}

/// Keeps what it hears; stops the fit at a step.
#[derive(Debug, Default)]
struct Watcher {
    heard: Vec<Progress>,
    stop: Option<(usize, Stop)>,
}

impl FitObserver for Watcher {
    fn on_step(&mut self, progress: &Progress, _: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.heard.push(*progress);
        match self.stop {
            Some((at, stop)) if self.heard.len() == at => ControlFlow::Break(stop),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn progress_goes_forward(subject: Subject<'_>, task: Task, train: &Samples<'_>, valid: Option<&Samples<'_>>) {
    let on = format!("{}, validation part: {}", subject.on(task), valid.is_some());
    let mut watcher = Watcher::default();
    let outcome = subject.fit_heard(train, valid, 1, &mut watcher).unwrap_or_else(|e| panic!("{on}: {e}"));
    let steps: Vec<(usize, usize)> = watcher.heard.iter().map(|p| (p.step, p.of)).collect();
    assert!(steps.windows(2).all(|w| w[0].0 < w[1].0), "{on}: steps must go forward: {steps:?}");
    assert!(steps.iter().all(|&(step, of)| (1..=of).contains(&step)), "{on}: no step beyond the last: {steps:?}");
    for p in &watcher.heard {
        let numbers = [p.train_loss, p.valid_loss, p.learning_rate];
        assert!(numbers.iter().flatten().all(|v| v.is_finite()), "{on}: {p:?}");
    }
    let curve = &outcome.curve;
    assert!(curve.train.iter().chain(&curve.valid).all(|v| v.is_finite()), "{on}: losses must be finite");
    assert!(!matches!(outcome.stopped, Stop::Cancelled | Stop::Pruned), "{on}: nobody asked it to stop");
}

/// A fit that was told to stop does no further step, and says why it ended or that there is nothing to keep.
fn a_fit_ends_when_asked(
    subject: Subject<'_>,
    task: Task,
    (train, valid, test): (&Samples<'_>, Option<&Samples<'_>>, &Samples<'_>),
    (at, stop): (usize, Stop),
) {
    let on = format!("{}, validation part: {}, {stop:?} at {at}", subject.on(task), valid.is_some());
    let mut watcher = Watcher { stop: Some((at, stop)), ..Watcher::default() };
    let result = subject.fit_heard(train, valid, 1, &mut watcher);
    if watcher.heard.len() < at {
        // Exact solutions have no steps, and short fits may be over before.
        let outcome = result.unwrap_or_else(|e| panic!("{on}: {e}"));
        assert_ne!(outcome.stopped, stop, "{on}: nobody asked it to stop");
        return;
    }
    assert_eq!(watcher.heard.len(), at, "{on}: it went on");
    match result {
        Ok(outcome) => {
            assert_eq!(outcome.stopped, stop, "{on}");
            assert!(all_finite(&predict(&outcome, test)), "{on}: what was kept must forecast finite numbers");
        }
        Err(error) => assert_eq!(error, FitError::Cancelled, "{on}"),
    }
}
