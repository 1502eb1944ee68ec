//! Laws of data that cannot be learnt from: an error that says so, or a finite forecast; never NaN, never a panic.

use candlecast_learn::{Asked, FitError, FitOutcome, Task, ThresholdUnit, Thresholds};

use super::tape::{N_CANDLES, NOISE, ROW_OF_TEST, ROW_OF_TRAIN, ROW_OF_VALID, Tape};
use super::{Subject, all_finite, predict};
use crate::world::World;

/// Far beyond any market, well within single precision.
const HUGE: f64 = 1e30;

pub(super) fn laws(subject: Subject<'_>, task: Task) {
    too_few_samples_are_refused(subject, task);
    a_price_that_never_moves_is_refused_or_stays(subject, task);
    a_straight_line_is_no_trap(subject, task);
    a_standstill_at_the_start_is_no_trap(subject, task);
    a_bad_tick_is_no_trap(subject, task);
    a_huge_feature_is_no_trap(subject, task);
    features_that_are_no_numbers_are_named(subject, task);
    if let Task::Direction { .. } = task {
        one_class_is_refused(subject, task);
    }
}

fn world(subject: Subject<'_>, task: Task, tape: &Tape) -> World {
    tape.world(subject.learner.lookback(), task)
}

fn market() -> Tape {
    Tape::reverting(N_CANDLES, 0.4)
}

pub(super) fn an_unsupported_task_is_refused(subject: Subject<'_>, task: Task) {
    let world = world(subject, task, &market());
    let error = refused(subject, task, subject.fit(&world.train(), None));
    match &error {
        FitError::Unsupported { model, task: named } => {
            assert_eq!((model.as_str(), named.as_str()), (subject.id, task.id()));
        }
        other => panic!("{}: {other} does not say that the task is not supported", subject.on(task)),
    }
}

fn too_few_samples_are_refused(subject: Subject<'_>, task: Task) {
    let world = world(subject, task, &market());
    let need = subject.learner.min_samples();
    for n in [0, 1, 5, need.saturating_sub(1)].into_iter().filter(|&n| n < need) {
        let error = refused(subject, task, subject.fit(&world.train().slice(0..n), None));
        assert_eq!(error, FitError::TooFewSamples { have: n, need }, "{}", subject.on(task));
    }
}

fn a_price_that_never_moves_is_refused_or_stays(subject: Subject<'_>, task: Task) {
    let world = world(subject, task, &Tape::of_returns(vec![0.0; N_CANDLES]));
    for valid in [Some(&world.valid()), None] {
        match (subject.fit(&world.train(), valid), task) {
            (Ok(outcome), Task::Price { .. }) => {
                let prediction = predict(&outcome, &world.test());
                assert!(prediction.mean.iter().all(|v| v.abs() < 1e-6), "{}: it does not stay", subject.on(task));
            }
            (Ok(outcome), Task::Volatility { .. }) => {
                let (prediction, test) = (predict(&outcome, &world.test()), world.test());
                let stays = |i: usize| (prediction.row(i)[0] - test.base_log_variance(i)).abs() < 1e-6;
                assert!((0..test.len()).all(stays), "{}: it does not stay", subject.on(task));
            }
            (Ok(_), Task::Direction { .. }) => panic!("{}: one class must be refused", subject.on(task)),
            (Err(error), _) => assert!(
                matches!(error, FitError::Degenerate(_) | FitError::OneClass { .. }),
                "{}: {error} is another matter",
                subject.on(task)
            ),
        }
    }
}

/// Every return is the same: no variance, no error of a mean, perfect correlation.
fn a_straight_line_is_no_trap(subject: Subject<'_>, task: Task) {
    let world = world(subject, task, &Tape::of_returns(vec![1e-3; N_CANDLES]));
    for valid in [Some(&world.valid()), None] {
        finite_or_refused(subject, task, &world, subject.fit(&world.train(), valid));
    }
}

/// The volatility is exactly 0 at a third of the training origins; the rest can be learnt from.
fn a_standstill_at_the_start_is_no_trap(subject: Subject<'_>, task: Task) {
    let world = world(subject, task, &market().still_before(240));
    for valid in [Some(&world.valid()), None] {
        let outcome = subject
            .fit(&world.train(), valid)
            .unwrap_or_else(|e| panic!("{}: most of the market moves, yet: {e}", subject.on(task)));
        for samples in [world.train(), world.test()] {
            assert!(all_finite(&predict(&outcome, &samples)), "{}: forecasts must be finite", subject.on(task));
        }
    }
}

/// One close of about 1e30 among prices of about 100.
fn a_bad_tick_is_no_trap(subject: Subject<'_>, task: Task) {
    for row in [ROW_OF_TRAIN, ROW_OF_VALID, ROW_OF_TEST] {
        let world = world(subject, task, &market().with_return(row, 64.0).with_return(row + 1, -64.0));
        for valid in [Some(&world.valid()), None] {
            finite_or_refused(subject, task, &world, subject.fit(&world.train(), valid));
        }
    }
}

fn a_huge_feature_is_no_trap(subject: Subject<'_>, task: Task) {
    for row in [ROW_OF_TRAIN, ROW_OF_VALID, ROW_OF_TEST] {
        for value in [HUGE, -HUGE] {
            let world = world(subject, task, &market().with_noise(row, value));
            finite_or_refused(subject, task, &world, subject.fit(&world.train(), Some(&world.valid())));
        }
    }
}

fn features_that_are_no_numbers_are_named(subject: Subject<'_>, task: Task) {
    let reads_features = !subject.learner.inputs(&Asked::hourly(task)).features.ids().is_empty();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let spoilt = world(subject, task, &market().with_noise(ROW_OF_TRAIN, value));
        let result = subject.fit(&spoilt.train(), None);
        if reads_features {
            match refused(subject, task, result) {
                FitError::NotFinite { what, remedy, .. } => {
                    assert!(what.contains(NOISE), "{}: `{what}` does not name the feature", subject.on(task));
                    assert!(!remedy.is_empty(), "{}: what to do must be said", subject.on(task));
                }
                other => panic!("{}: {other} does not say that {NOISE} is {value}", subject.on(task)),
            }
        } else {
            finite_or_refused(subject, task, &spoilt, result);
        }
        // In the validation part it may be refused or passed over, but it must not spoil the forecasts.
        let late = world(subject, task, &market().with_noise(ROW_OF_VALID, value));
        finite_or_refused(subject, task, &late, subject.fit(&late.train(), Some(&late.valid())));
    }
}

fn one_class_is_refused(subject: Subject<'_>, task: Task) {
    let wide = Thresholds { sell: -10.0, buy: 10.0, unit: ThresholdUnit::Return };
    let world = world(subject, task, &market()).with_thresholds(wide);
    for valid in [Some(&world.valid()), None] {
        let error = refused(subject, task, subject.fit(&world.train(), valid));
        let expected = FitError::OneClass { class: 1, samples: world.train().len() };
        assert_eq!(error, expected, "{}", subject.on(task));
    }
}

/// The error of a fit that must fail.
fn refused(subject: Subject<'_>, task: Task, result: Result<FitOutcome, FitError>) -> FitError {
    match result {
        Ok(_) => panic!("{}: this must be refused", subject.on(task)),
        Err(error) => error,
    }
}

/// An error in words, or finite forecasts of the test part.
fn finite_or_refused(subject: Subject<'_>, task: Task, world: &World, result: Result<FitOutcome, FitError>) {
    match result {
        Ok(outcome) => {
            assert!(
                all_finite(&predict(&outcome, &world.test())),
                "{}: forecasts are not finite, and no error said so",
                subject.on(task)
            );
        }
        Err(error) => assert!(error.to_string().len() > 20, "{}: `{error}` says too little", subject.on(task)),
    }
}
