//! Work that survives an interruption: kept forecasts, checkpoints, and that they change no bit.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::walk_forward::{ForecastTable, WalkForwardError};
use candlecast_learn::{
    CHECKPOINT_SECONDS, Checkpointed, Dataset, FitObserver, Forecaster, Market, ModelState, Plan, PlanConfig, Progress,
    Silent, Stop, Task, TrainState, TrainWindow, recall_fit, walk_forward,
};
use serde_json::{Value, json};

use crate::forecasters::{forecaster, forecaster_over, model};
use crate::hooks::{Pruning, TestHooks};
use crate::learners::{Heard, LastRow};
use crate::markets::{closes_only, generated, market, time_of, with_features};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 60 },
    retrain_days: 7,
    min_candles: 500,
    warm_up: 0,
};
const FOLDS: usize = 3;

/// What a run keeps, by name.
type Kept = BTreeMap<String, Vec<u8>>;

/// A market and the last `folds` of a walk-forward's fits, all of which are scored.
fn scene(folds: usize) -> (Arc<Market>, Plan) {
    let market = market(&generated(3_000, 2));
    let mut plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    plan.folds.drain(..plan.folds.len() - folds);
    (market, plan)
}

fn run(forecaster: &Forecaster, plan: &Plan, hooks: &TestHooks) -> Result<ForecastTable, WalkForwardError> {
    let mut models = walk_forward::run(std::slice::from_ref(forecaster), plan, Seed(1), hooks)?;
    Ok(models.remove(0).table)
}

fn last_row(heard: &Arc<Heard>, market: &Arc<Market>) -> Forecaster {
    forecaster("last-row", LastRow::heard_by(heard), closes_only(market), TASK)
}

/// A run of three quick fits that goes on with what is `kept`: its forecasts, its fits, and what is kept after it.
fn go_on(kept: &Kept, hooks: TestHooks) -> (ForecastTable, usize, Kept) {
    let (market, plan) = scene(FOLDS);
    let heard = Arc::new(Heard::default());
    let hooks = hooks.with_store(kept.clone());
    let table = run(&last_row(&heard, &market), &plan, &hooks).unwrap();
    (table, heard.n_fits(), hooks.kept())
}

/// Everything but the time that fits took.
fn assert_same(a: &ForecastTable, b: &ForecastTable, context: &str) {
    let timeless = |table: &ForecastTable| ForecastTable { fit_seconds: 0.0, ..table.clone() };
    assert_eq!(timeless(a), timeless(b), "{context}");
}

#[test]
fn forecasts_of_fits_that_are_done_are_read_back() {
    let (whole, fits, kept) = go_on(&Kept::new(), TestHooks::slow());
    assert_eq!((fits, kept.len()), (FOLDS, FOLDS));
    let id = last_row(&Arc::default(), &scene(FOLDS).0).id().to_owned();
    assert!(kept.keys().eq(&[0, 1, 2].map(|fold| format!("{id}-{fold}.piece"))), "{:?}", kept.keys());
    let (again, fits, kept_again) = go_on(&kept, TestHooks::slow());
    assert_eq!((&again, fits, &kept_again), (&whole, 0, &kept));

    let mut without_one = kept.clone();
    without_one.pop_first();
    let (rest, fits, kept_again) = go_on(&without_one, TestHooks::slow());
    assert_same(&rest, &whole, "one piece is missing");
    assert_eq!((fits, kept_again.len()), (1, FOLDS));
}

#[test]
fn forecasts_of_quick_fits_are_not_worth_keeping() {
    let (_, fits, kept) = go_on(&Kept::new(), TestHooks::default());
    assert_eq!((fits, kept.len()), (FOLDS, 0));
}

#[test]
fn a_damaged_or_wrong_length_piece_is_fitted_again() {
    let (whole, _, kept) = go_on(&Kept::new(), TestHooks::slow());
    let changed = |bytes: &[u8], change: &dyn Fn(&mut Value)| {
        let mut piece: Value = serde_json::from_slice(bytes).unwrap();
        change(&mut piece);
        serde_json::to_vec(&piece).unwrap()
    };
    let pop = |list: &mut Value| assert!(list.as_array_mut().unwrap().pop().is_some());
    let pop_mean = |piece: &mut Value| pop(&mut piece["markets"][0]["means"]);
    let pop_scale = |piece: &mut Value| pop(&mut piece["markets"][0]["scales"]);
    for name in kept.keys() {
        let bytes = &kept[name];
        let damaged = [
            ("empty", vec![]),
            ("cut off", bytes[..bytes.len() / 2].to_vec()),
            ("not JSON", vec![0xff; bytes.len()]),
            ("a mean is missing", changed(bytes, &pop_mean)),
            ("a scale is missing", changed(bytes, &pop_scale)),
            (
                "a mean and a scale are missing",
                changed(bytes, &|piece| {
                    pop_mean(piece);
                    pop_scale(piece);
                }),
            ),
            ("rows are of another width", changed(bytes, &|piece| piece["markets"][0]["width"] = json!(1))),
            ("the market is missing", changed(bytes, &|piece| pop(&mut piece["markets"]))),
            ("the count is missing", changed(bytes, &|piece| pop(&mut piece["stand_ins"]))),
        ];
        for (damage, content) in damaged {
            let mut store = kept.clone();
            store.insert(name.clone(), content);
            let (table, fits, kept_again) = go_on(&store, TestHooks::slow());
            assert_same(&table, &whole, damage);
            assert_eq!(fits, 1, "{damage}");
            assert_ne!(kept_again[name], store[name], "{damage}: the sound piece replaces it");
        }
    }
}

#[test]
fn two_trials_of_one_model_never_read_each_others_forecasts() {
    let (market, plan) = scene(FOLDS);
    let heard = Arc::new(Heard::default());
    let trial = |number: usize| {
        let data = Dataset::single(closes_only(&market));
        forecaster_over("last-row", &json!({ "trial": number }), LastRow::heard_by(&heard), data, TASK)
    };
    let mut kept = Kept::new();
    for (number, fits) in [(1, FOLDS), (2, 2 * FOLDS), (1, 2 * FOLDS), (2, 2 * FOLDS)] {
        let hooks = TestHooks::slow().with_store(kept);
        run(&trial(number), &plan, &hooks).unwrap();
        assert_eq!(heard.n_fits(), fits, "trial {number}");
        kept = hooks.kept();
        assert_eq!(kept.len(), fits, "trial {number}");
    }
}

#[test]
fn a_trial_beside_the_pieces_of_another_has_the_bits_of_one_that_runs_alone() {
    let (market, plan) = scene(FOLDS);
    let trial = |rounds: usize| {
        model("gbdt", &json!({ "rounds": rounds, "maxDepth": 2, "patience": 0 }), with_features(&market), TASK)
    };
    assert_eq!(trial(3).id(), trial(3).id());
    assert_ne!(trial(3).id(), trial(6).id());
    let alone = TestHooks::slow();
    let few = run(&trial(3), &plan, &alone).unwrap();
    let many = run(&trial(6), &plan, &TestHooks::slow()).unwrap();
    let beside = TestHooks::slow().with_store(alone.kept());
    assert_same(&run(&trial(6), &plan, &beside).unwrap(), &many, "beside another trial");
    assert_ne!(few.forecasts, many.forecasts);
    // Now that both are kept, each is read back: what is asked before each fit is asked, and nothing more.
    for (rounds, expected) in [(3, &few), (6, &many)] {
        let hooks = TestHooks::slow().with_store(beside.kept());
        assert_same(&run(&trial(rounds), &plan, &hooks).unwrap(), expected, "read back");
        assert_eq!(hooks.questions(), FOLDS, "{rounds} rounds");
    }
}

/// Learners that fit in steps, with the step at which they are interrupted.
fn stepwise() -> [(&'static str, Value, usize); 2] {
    // With raw targets: it forecasts something, however little it has learnt in four epochs.
    let network = json!({ "epochs": 4, "patience": 10, "hiddenSize": 6, "sequenceLength": 8, "target": "raw" });
    let boosting = json!({ "rounds": 20, "patience": 0, "maxDepth": 3, "subsample": 0.7 });
    [("gbdt", boosting, 9), ("lstm", network, 2)]
}

fn stepwise_forecaster(id: &str, params: &Value, market: &Arc<Market>) -> Forecaster {
    model(id, params, with_features(market), TASK)
}

#[test]
fn a_cancelled_fit_goes_on_to_the_same_bits() {
    let (market, plan) = scene(1);
    for (id, params, step) in stepwise() {
        let forecaster = stepwise_forecaster(id, &params, &market);
        let undisturbed = TestHooks::default();
        let whole = run(&forecaster, &plan, &undisturbed).unwrap();
        assert!(whole.forecasts.means.iter().any(|&mean| mean != 0.0), "{id} forecasts something");
        assert!(undisturbed.questions() > 1 + step, "{id} has steps after the interruption");

        // The first question comes before the fit, then one after each step.
        let cancelled = TestHooks { cancel_at: Some(1 + step), ..TestHooks::default() };
        assert_eq!(run(&forecaster, &plan, &cancelled), Err(WalkForwardError::Cancelled), "{id}");
        let kept = cancelled.kept();
        assert_eq!(kept.len(), 1, "{id}: one checkpoint");

        let resumed = TestHooks::default().with_store(kept);
        assert_eq!(run(&forecaster, &plan, &resumed), Ok(whole), "{id}");
        assert_eq!(
            resumed.questions(),
            undisturbed.questions() - step,
            "{id}: steps that were done are not done again"
        );
    }
}

#[test]
fn a_fit_begins_anew_behind_a_damaged_checkpoint() {
    let (market, plan) = scene(1);
    let (id, params, step) = stepwise()[0].clone();
    let forecaster = stepwise_forecaster(id, &params, &market);
    let undisturbed = TestHooks::default();
    let whole = run(&forecaster, &plan, &undisturbed).unwrap();
    let cancelled = TestHooks { cancel_at: Some(1 + step), ..TestHooks::default() };
    run(&forecaster, &plan, &cancelled).unwrap_err();
    let kept: Kept =
        cancelled.kept().into_iter().map(|(name, bytes)| (name, bytes[..bytes.len() - 1].to_vec())).collect();
    let resumed = TestHooks::default().with_store(kept);
    assert_eq!(run(&forecaster, &plan, &resumed), Ok(whole));
    assert_eq!(resumed.questions(), undisturbed.questions());
}

/// Tells `observer` of a step and gives its answer.
fn step(observer: &mut impl FitObserver, step: usize) -> ControlFlow<Stop> {
    let progress = Progress { step, of: 100, train_loss: None, valid_loss: None, learning_rate: None };
    observer.on_step(&progress, &|| TrainState { step, state: ModelState::default() })
}

#[test]
fn a_fit_keeps_a_checkpoint_every_ten_seconds() {
    let hooks = TestHooks::default();
    *hooks.clock.lock().unwrap() = 100.0;
    let mut observer = Checkpointed::new(&hooks, "a-fit", Silent);
    let passed = [0.3, 0.99, 1.0, 1.5, 1.99, 2.0];
    let kept: Vec<Option<usize>> = passed
        .iter()
        .enumerate()
        .map(|(i, intervals)| {
            *hooks.clock.lock().unwrap() = 100.0 + intervals * CHECKPOINT_SECONDS;
            assert_eq!(step(&mut observer, i + 1), ControlFlow::Continue(()));
            recall_fit(&hooks, "a-fit").map(|state| state.step)
        })
        .collect();
    assert_eq!(kept, [None, None, Some(3), Some(3), Some(3), Some(6)]);
    assert_eq!(recall_fit(&hooks, "another-fit"), None);
}

#[test]
fn a_cancelled_fit_is_kept_at_once_and_the_inner_observer_is_obeyed() {
    let hooks = TestHooks { cancel_at: Some(4), ..TestHooks::default() };
    let mut observer = Checkpointed::new(&hooks, "a-fit", Pruning::default());
    let answers: Vec<ControlFlow<Stop>> = (1..=4).map(|n| step(&mut observer, n)).collect();
    let [pass, pruned, cancelled] =
        [ControlFlow::Continue(()), ControlFlow::Break(Stop::Pruned), ControlFlow::Break(Stop::Cancelled)];
    assert_eq!(answers, [pass, pass, pruned, cancelled]);
    assert_eq!(recall_fit(&hooks, "a-fit").map(|state| state.step), Some(4));
}
