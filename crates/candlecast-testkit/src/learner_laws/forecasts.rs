//! Laws of forecasts: repeatable, restored to the bit, of the right shape, and with skill where there is a signal.

use candlecast_learn::{FitOutcome, ModelState, Prediction, Samples, Task};

use super::tape::{N_CANDLES, Tape};
use super::{SHORT, Subject, WAVE, all_finite, bits, predict};

/// Candles of the market with a signal, and the reversion of its returns.
const SIGNAL: (usize, f64) = (2_000, 0.6);

pub(super) fn laws(subject: Subject<'_>, task: Task) {
    let world = Tape::reverting(N_CANDLES, 0.4).world(subject.learner.lookback(), task);
    let (train, valid, test) = (world.train(), world.valid(), world.test());
    for valid in [Some(&valid), None] {
        let outcome = a_fit_is_repeatable_at_any_number_of_threads(subject, task, (&train, valid), &test);
        a_forecast_has_its_shape(subject, task, &outcome, &test);
        a_saved_model_is_the_same_model(subject, task, &outcome, &test);
        a_forecast_does_not_depend_on_its_company(subject, task, &outcome, &test);
        a_forecast_reads_no_future(subject, task, &outcome, &test);
        importances_are_shares(subject, task, &outcome, &test);
    }
    if task == SHORT {
        a_planted_signal_is_found(subject, task);
    }
    if task == WAVE {
        a_planted_wave_is_found(subject, task);
    }
}

fn a_fit_is_repeatable_at_any_number_of_threads(
    subject: Subject<'_>,
    task: Task,
    (train, valid): (&Samples<'_>, Option<&Samples<'_>>),
    test: &Samples<'_>,
) -> FitOutcome {
    let fit = |threads: usize| {
        subject
            .fit_heard(train, valid, threads, &mut candlecast_learn::Silent)
            .unwrap_or_else(|e| panic!("{} must be fitted: {e}", subject.on(task)))
    };
    let once = fit(1);
    let expected = bits(&predict(&once, test));
    for (threads, other) in [(1, fit(1)), (2, fit(2))] {
        let on = format!("{} with {threads} threads", subject.on(task));
        assert_eq!(bits(&predict(&other, test)), expected, "{on}: one seed must give the same bits");
        assert_eq!(other.model.state(), once.model.state(), "{on}: one seed must give the same state");
        assert_eq!(
            (other.stopped, other.steps, &other.curve),
            (once.stopped, once.steps, &once.curve),
            "{on}: one seed must take the same course"
        );
    }
    once
}

fn a_forecast_has_its_shape(subject: Subject<'_>, task: Task, outcome: &FitOutcome, test: &Samples<'_>) {
    let on = subject.on(task);
    let prediction = predict(outcome, test);
    assert_eq!((prediction.width, prediction.mean.len()), (task.width(), test.len() * task.width()), "{on}");
    assert!(all_finite(&prediction), "{on}: every forecast must be a finite number");
    if let Some(scale) = &prediction.scale {
        assert_eq!(scale.len(), prediction.mean.len(), "{on}: a scale for every mean");
        assert!(scale.iter().all(|&s| s > 0.0), "{on}: scales must be above 0");
    }
    if let Task::Direction { .. } = task {
        for i in 0..test.len() {
            let row = prediction.row(i);
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{on}: {row:?} are no probabilities");
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{on}: {row:?} do not sum to 1");
        }
    }
    let mut used = Prediction { width: 7, mean: vec![f64::NAN; 5], scale: Some(vec![-1.0; 5]) };
    outcome.model.predict_into(test, &mut used);
    assert_eq!(bits(&used), bits(&prediction), "{on}: what was in the buffer must not matter");
    assert_eq!(used.scale.is_some(), prediction.scale.is_some(), "{on}: what was in the buffer must not matter");
    outcome.model.predict_into(&test.slice(0..0), &mut used);
    assert_eq!((used.width, used.mean.len()), (task.width(), 0), "{on}: no samples, no forecasts");
}

fn a_saved_model_is_the_same_model(subject: Subject<'_>, task: Task, outcome: &FitOutcome, test: &Samples<'_>) {
    let on = subject.on(task);
    let state = outcome.model.state();
    let text = serde_json::to_string(&state).unwrap_or_else(|e| panic!("{on}: a state must be serialisable: {e}"));
    let read: ModelState = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{on}: a state must be read: {e}"));
    assert_eq!(read, state, "{on}: a state must come back from JSON as it was");
    let restored =
        subject.learner.restore(&read, &task).unwrap_or_else(|e| panic!("{on}: its own state must be taken: {e}"));
    let mut again = Prediction::default();
    restored.predict_into(test, &mut again);
    assert_eq!(bits(&again), bits(&predict(outcome, test)), "{on}: a restored model must forecast the same bits");
    assert_eq!(restored.state(), state, "{on}: a restored model must have the same state");
    assert_eq!(restored.importances(), outcome.model.importances(), "{on}: a restored model has the same importances");
}

fn a_forecast_does_not_depend_on_its_company(
    subject: Subject<'_>,
    task: Task,
    outcome: &FitOutcome,
    test: &Samples<'_>,
) {
    let together = predict(outcome, test);
    let largest = together.mean.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let half = test.len() / 2;
    let alone = (0..test.len()).map(|i| i..i + 1);
    for range in alone.chain([0..half, half..test.len()]) {
        let part = predict(outcome, &test.slice(range.clone()));
        let expected = &together.mean[range.start * together.width..range.end * together.width];
        for (a, b) in part.mean.iter().zip(expected) {
            assert!(
                (a - b).abs() <= subject.row_tolerance * largest,
                "{}: samples {range:?} give {a} on their own and {b} among all",
                subject.on(task)
            );
        }
    }
}

/// Whatever the market does after an origin, the forecast from it is the same to the bit.
fn a_forecast_reads_no_future(subject: Subject<'_>, task: Task, outcome: &FitOutcome, test: &Samples<'_>) {
    let half = test.slice(0..test.len() / 2);
    let expected = bits(&predict(outcome, &half));
    let last = half.ids()[half.len() - 1].row as usize;
    let world = Tape::reverting(N_CANDLES, 0.4).other_after(last).world(subject.learner.lookback(), task);
    let other = world.test().slice(0..half.len());
    assert_eq!(other.ids(), half.ids(), "both markets have the same origins");
    assert_ne!(
        other.return_over_horizon(half.len() - 1),
        half.return_over_horizon(half.len() - 1),
        "the future must be another one"
    );
    assert_eq!(bits(&predict(outcome, &other)), expected, "{}: the future must not matter", subject.on(task));
}

fn importances_are_shares(subject: Subject<'_>, task: Task, outcome: &FitOutcome, test: &Samples<'_>) {
    let Some(shares) = outcome.model.importances() else { return };
    let on = subject.on(task);
    assert_eq!(shares.len(), test.width(), "{on}: an importance for every feature");
    assert!(shares.iter().all(|&s| s >= 0.0), "{on}: {shares:?}");
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{on}: {shares:?} do not sum to 1");
}

/// Returns of which 36 % of the variance can be known one step ahead must be forecast better than by nothing.
fn a_planted_signal_is_found(subject: Subject<'_>, task: Task) {
    let world = Tape::reverting(SIGNAL.0, SIGNAL.1).world(subject.learner.lookback(), task);
    let (train, valid, test) = (world.train(), world.valid(), world.test());
    let outcome =
        subject.fit(&train, Some(&valid)).unwrap_or_else(|e| panic!("{} must be fitted: {e}", subject.on(task)));
    let prediction = predict(&outcome, &test);
    let (mut error, mut naive, mut first) = (0.0, 0.0, [0.0]);
    for i in 0..test.len() {
        test.returns_into(i, &mut first);
        error += (first[0] - prediction.row(i)[0]).powi(2);
        naive += first[0].powi(2);
    }
    assert!(
        error < 0.97 * naive,
        "{}: the squared error of the first step is {:.3} of the naive one's, with a signal that brings it to 0.64",
        subject.on(task),
        error / naive
    );
}

/// Where the log variance is a wave that a feature tells, forecasts must come nearer to it than the base does, however
/// its level is chosen.
fn a_planted_wave_is_found(subject: Subject<'_>, task: Task) {
    let world = Tape::waving(SIGNAL.0).world(subject.learner.lookback(), task);
    let (train, valid, test) = (world.train(), world.valid(), world.test());
    let outcome =
        subject.fit(&train, Some(&valid)).unwrap_or_else(|e| panic!("{} must be fitted: {e}", subject.on(task)));
    let prediction = predict(&outcome, &test);
    let of_base: Vec<f64> = (0..test.len()).map(|i| test.log_variance(i) - test.base_log_variance(i)).collect();
    let errors: Vec<f64> = (0..test.len()).map(|i| test.log_variance(i) - prediction.row(i)[0]).collect();
    let share = spread(&errors) / spread(&of_base);
    assert!(
        share < 0.8,
        "{}: the variance of the errors is {share:.3} of the base's, with a wave that brings it to about 0.5",
        subject.on(task)
    );
    // What is forecast is the expected variance, so the ratio of what came true to it is 1 on average.
    let ratio = errors.iter().map(|error| error.exp()).sum::<f64>() / test.len() as f64;
    assert!((0.65..1.45).contains(&ratio), "{}: variances are {ratio:.2} of what was forecast", subject.on(task));
}

/// Sum of squared deviations from the mean.
fn spread(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|v| (v - mean).powi(2)).sum()
}
