//! `gbdt` of volatilities on the regressors of `har-x`.

use std::ops::ControlFlow;

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::har_x::{HarXRows, REGRESSORS, WARM_UP};
use candlecast_learn::{
    Asked, Extent, FitContext, FitError, FitObserver, FitOutcome, Learner, ModelState, Progress, RestoreError, Samples,
    Stop, Task, TrainState,
};
use candlecast_testkit::{World, normals};
use serde_json::{Value, json};

use crate::world::{build, direction, fit, predict, price, volatility};

/// Candles whose log variance goes back to its mean by 1 % a candle, of which the last ranges tell a part. Origins are
/// those that have the regressors. `features` are those of the panel.
fn world(n: usize, features: &FeatureTable, task: Task) -> World {
    let mut rng = Seed(41).derive("world", 0).stream();
    let mut log_variance = 0.0_f64;
    let shocks = normals(n, &mut rng);
    let returns: Vec<f64> = shocks
        .iter()
        .map(|shock| {
            log_variance = 0.99 * log_variance + 0.2 * rng.normal();
            0.006 * (0.5 * log_variance).exp() * shock
        })
        .collect();
    World::new(&returns, features, WARM_UP, WARM_UP, task)
}

fn plain(n: usize, task: Task) -> World {
    world(n, &FeatureTable::default(), task)
}

fn learner(more: &Value) -> Box<dyn Learner> {
    let mut params = json!({ "inputs": "har-x", "rounds": 60, "maxDepth": 3, "learningRate": 0.1 });
    params.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    build("gbdt", &params)
}

#[test]
fn it_is_of_the_volatility_task_only_and_asks_for_no_features() {
    let learner = learner(&Value::Null);
    assert_eq!([volatility(24), price(24), direction(24)].map(|task| learner.supports(&task)), [true, false, false]);
    assert_eq!((learner.lookback(), learner.windows(&volatility(24))), (WARM_UP, &[1_825][..]));
    assert!(learner.inputs(&Asked::hourly(volatility(24))).features.ids().is_empty());
    let world = plain(1_000, price(3));
    let error = fit(&*learner, &world.train(), None, 1).unwrap_err();
    assert!(matches!(error, FitError::Unsupported { .. }), "{error}");
    // Without the parameter all is as it was.
    let features = build("gbdt", &Value::Null);
    assert_eq!((features.lookback(), features.windows(&volatility(24))), (1, &[365][..]));
    assert!(!features.inputs(&Asked::hourly(volatility(24))).features.ids().is_empty());
}

#[test]
fn the_regressors_tell_a_part_of_the_volatility() {
    let world = plain(4_000, volatility(4));
    let (train, valid, test) = (world.train(), world.valid(), world.test());
    let outcome = fit(&*learner(&Value::Null), &train, Some(&valid), 1).unwrap();
    assert!(outcome.steps > 0, "no tree was kept");
    let (rows, forecasts) = (HarXRows::of(&test), predict(&outcome, &test));
    let spread = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
    };
    let of_base: Vec<f64> = (0..test.len()).map(|i| rows.target(i)).collect();
    let errors: Vec<f64> = (0..test.len()).map(|i| test.log_variance(i) - forecasts.row(i)[0]).collect();
    let share = spread(&errors) / spread(&of_base);
    assert!(share < 0.9, "the variance of the errors is {share:.3} of that of the level's");
    assert_eq!(outcome.model.importances(), None, "what is read are no features");
}

/// Whatever features the panel has, nothing of them is read.
#[test]
fn features_are_not_read() {
    let (n, task) = (1_600, volatility(4));
    let column = normals(n, &mut Seed(9).stream());
    let features = FeatureTable { names: vec!["noise".into()], columns: vec![column] };
    let [without, with] = [plain(n, task), world(n, &features, task)].map(|world| {
        let outcome = fit(&*learner(&Value::Null), &world.train(), Some(&world.valid()), 1).unwrap();
        (outcome.model.state(), predict(&outcome, &world.test()))
    });
    assert_eq!(without, with);
}

/// With the factor the mean of what came true over what was forecast is 1 on the samples that it was found by: without a
/// choice of rounds and a validation part those that were learnt from.
#[test]
fn forecasts_are_relative_to_the_level_of_har_x_and_smeared() {
    let world = plain(1_600, volatility(4));
    let train = world.train();
    let outcome = fit(&*learner(&json!({ "patience": 0 })), &train, None, 1).unwrap();
    let forecasts = predict(&outcome, &train);
    let rows = HarXRows::of(&train);
    let ratio = |i: usize| (rows.base(i) + rows.target(i) - forecasts.row(i)[0]).exp();
    let mean = (0..train.len()).map(ratio).sum::<f64>() / train.len() as f64;
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    // The trees give numbers of the size of the targets: the level is added to them.
    let relative: Vec<f64> = (0..train.len()).map(|i| forecasts.row(i)[0] - rows.base(i)).collect();
    assert!(relative.iter().all(|value| value.abs() < 6.0), "{relative:?}");
}

#[test]
fn a_saved_model_forecasts_the_same_bits_and_a_damaged_one_is_refused() {
    let task = volatility(24);
    let world = plain(1_600, task);
    let learner = learner(&Value::Null);
    let outcome = fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap();
    let text = serde_json::to_string(&outcome.model.state()).unwrap();
    let state: ModelState = serde_json::from_str(&text).unwrap();
    let restored = learner.restore(&state, &task).unwrap();
    let mut again = candlecast_learn::Prediction::default();
    restored.predict_into(&world.test(), &mut again);
    assert_eq!(again, predict(&outcome, &world.test()));
    assert_eq!(state.fact::<usize>("features"), Ok(REGRESSORS));
    let mut other = state.clone();
    other.facts["features"] = json!(REGRESSORS + 1);
    assert!(matches!(learner.restore(&other, &task), Err(RestoreError::Shape { .. })));
}

/// Keeps the checkpoint of one step.
struct Keeper {
    at: usize,
    heard: usize,
    kept: Option<TrainState>,
}

impl FitObserver for Keeper {
    fn on_step(&mut self, _: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.heard += 1;
        if self.heard == self.at {
            self.kept = Some(snapshot());
        }
        ControlFlow::Continue(())
    }
}

fn observed(
    learner: &dyn Learner,
    train: &Samples<'_>,
    valid: &Samples<'_>,
    resume: Option<&TrainState>,
    observer: &mut dyn FitObserver,
) -> FitOutcome {
    let extent = Extent::default();
    let mut cx = FitContext { seed: Seed(7), valid: Some(valid), threads: 1, warm: None, resume, extent, observer };
    learner.fit(train, &mut cx).unwrap()
}

#[test]
fn a_checkpoint_goes_on_bit_for_bit_at_any_number_of_threads() {
    let world = plain(1_600, volatility(24));
    let (train, valid) = (world.train(), world.valid());
    let learner = learner(&json!({ "rounds": 20, "patience": 20, "subsample": 0.7 }));
    let whole = fit(&*learner, &train, Some(&valid), 2).unwrap();
    // Within the first of two fits, which chooses the rounds.
    for at in [3, 20] {
        let mut keeper = Keeper { at, heard: 0, kept: None };
        let undisturbed = observed(&*learner, &train, &valid, None, &mut keeper);
        assert_eq!(undisturbed.model.state(), whole.model.state());
        let kept = keeper.kept.expect("the step was reached");
        let resumed = observed(&*learner, &train, &valid, Some(&kept), &mut candlecast_learn::Silent);
        assert_eq!(resumed.model.state(), whole.model.state(), "from {at}");
        assert_eq!((resumed.steps, &resumed.curve), (whole.steps, &whole.curve), "from {at}");
    }
}
