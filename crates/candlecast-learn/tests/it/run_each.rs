//! Laws of runs in which a forecaster may fail: it ends alone.

use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::walk_forward::{ForecastTable, NoHooks, Outcome, WalkForwardError};
use candlecast_learn::{Combine, FitError, Forecaster, Market, Plan, PlanConfig, Task, TrainWindow, walk_forward};
use rayon::ThreadPoolBuilder;
use serde_json::json;

use crate::forecasters::{baseline, forecaster, model};
use crate::hooks::TestHooks;
use crate::learners::{Failing, Heard, LastRow, by_rule, row_of};
use crate::markets::{closes_only, generated, market, time_of, with_features};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 60 },
    retrain_days: 15,
    min_candles: 500,
    warm_up: 0,
};

fn scene() -> (Arc<Market>, Plan) {
    let market = market(&generated(2_600, 13));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_000..2_500)).unwrap();
    (market, plan)
}

fn run_each(forecasters: &[Forecaster], plan: &Plan, hooks: &TestHooks) -> Vec<Outcome> {
    walk_forward::run_each(forecasters, plan, Seed(1), hooks)
}

/// As [`run_each`], one fit after another.
fn one_by_one(forecasters: &[Forecaster], plan: &Plan, hooks: &TestHooks) -> Vec<Outcome> {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| run_each(forecasters, plan, hooks))
}

fn failing(market: &Arc<Market>) -> Forecaster {
    forecaster("failing", Box::new(Failing::default()), closes_only(market), TASK)
}

fn gbdt(market: &Arc<Market>) -> Forecaster {
    model("gbdt", &json!({ "rounds": 6, "maxDepth": 2, "patience": 0 }), with_features(market), TASK)
}

fn error_of(outcome: &Outcome) -> &WalkForwardError {
    &outcome.as_ref().unwrap_err().1
}

/// The only table of a forecaster that did not fail, without the time that it took.
fn timeless(outcome: &Outcome) -> ForecastTable {
    let [table] = &outcome.as_ref().unwrap()[..] else { panic!("one market, one table") };
    ForecastTable { fit_seconds: 0.0, ..table.clone() }
}

#[test]
fn a_forecaster_whose_fit_fails_ends_alone() {
    let (market, plan) = scene();
    let sound = [baseline("naive", &market, TASK), gbdt(&market)];
    let alone = run_each(&sound, &plan, &TestHooks::default());
    let forecasters = [baseline("naive", &market, TASK), failing(&market), gbdt(&market)];
    let hooks = TestHooks::default();
    let outcomes = run_each(&forecasters, &plan, &hooks);
    assert_eq!((outcomes.len(), &outcomes[0], &outcomes[2]), (3, &alone[0], &alone[1]));
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    let (order, error) = outcomes[1].as_ref().unwrap_err();
    assert_eq!(*order, 1, "its first fit is the second of all");
    match error {
        WalkForwardError::Fit { model, at, source: FitError::Degenerate(_) } => {
            assert_eq!((model.as_str(), *at), ("failing", plan.folds[0].fit_at));
        }
        other => panic!("{other}"),
    }
    let n = plan.folds.len();
    assert_eq!(hooks.done.lock().unwrap().len(), 2 * n, "fits that failed are not done");
    let first_of_all = walk_forward::run(&forecasters, &plan, Seed(1), &NoHooks).map(|_| ()).unwrap_err();
    assert!(matches!(first_of_all, WalkForwardError::Fit { .. }), "where all are needed its failure is that of all");
}

#[test]
fn a_forecaster_whose_forecast_is_no_number_ends_alone() {
    let (market, plan) = scene();
    let odd = by_rule(|x, i, _| if row_of(x, i) == 2_100 { f64::NAN } else { 0.0 });
    let forecasters = [forecaster("odd", odd, closes_only(&market), TASK), baseline("naive", &market, TASK)];
    let outcomes = run_each(&forecasters, &plan, &TestHooks::default());
    assert_eq!(error_of(&outcomes[0]), &WalkForwardError::NotFinite { model: "odd".into(), row: 2_100 });
    assert!(outcomes[1].is_ok());
}

#[test]
fn an_ensemble_fails_with_its_member_and_the_other_member_does_not() {
    let (market, plan) = scene();
    let mix = Forecaster::ensemble("mix", Combine::Average, vec![gbdt(&market), failing(&market)]).unwrap();
    let outcomes = run_each(&[mix, gbdt(&market)], &plan, &TestHooks::default());
    assert!(matches!(error_of(&outcomes[0]), WalkForwardError::Fit { model, .. } if model == "failing"));
    let alone = run_each(&[gbdt(&market)], &plan, &TestHooks::default());
    assert_eq!(timeless(&outcomes[1]), timeless(&alone[0]));
}

#[test]
fn a_pruned_forecaster_ends_alone_and_nothing_of_it_is_kept() {
    let (market, plan) = scene();
    let forecasters = [baseline("naive", &market, TASK), gbdt(&market)];
    let n = plan.folds.len();
    let undisturbed = run_each(&forecasters, &plan, &TestHooks::slow());
    let (naive, hopeless) = (forecasters[0].id(), forecasters[1].id());
    let hooks = TestHooks { hopeless: Some(hopeless.to_owned()), ..TestHooks::slow() };
    let outcomes = run_each(&forecasters, &plan, &hooks);
    assert_eq!(error_of(&outcomes[1]), &WalkForwardError::Pruned { model: "gbdt".into() });
    assert_eq!(timeless(&outcomes[0]), timeless(&undisturbed[0]));

    let mut watched = hooks.watched.lock().unwrap().clone();
    watched.sort_unstable();
    let mut every_fit: Vec<(String, usize)> =
        [naive, hopeless].iter().flat_map(|id| (0..n).map(move |fold| ((*id).to_owned(), fold))).collect();
    every_fit.sort_unstable();
    assert_eq!(watched, every_fit, "whoever searches could watch every fit");

    let kept = hooks.kept();
    let pieces: Vec<&String> = kept.keys().filter(|name| name.ends_with(".piece")).collect();
    assert!(pieces.len() == n && pieces.iter().all(|name| name.starts_with(naive)), "{pieces:?}");
    // Whoever wants the forecasts after all gets those of a whole fit.
    let again = run_each(&forecasters, &plan, &TestHooks::slow().with_store(kept));
    assert_eq!(timeless(&again[1]), timeless(&undisturbed[1]));
}

#[test]
fn a_cancellation_ends_all_that_is_not_done() {
    let (market, plan) = scene();
    let heard = Arc::new(Heard::default());
    let last_row = || forecaster("last-row", LastRow::heard_by(&heard), closes_only(&market), TASK);
    let forecasters = [last_row(), baseline("naive", &market, TASK)];
    let undisturbed = one_by_one(&forecasters, &plan, &TestHooks::default());
    let n = plan.folds.len();
    assert_eq!(heard.n_fits(), n);

    let from_the_start = TestHooks { cancel_at: Some(1), ..TestHooks::default() };
    let outcomes = one_by_one(&forecasters, &plan, &from_the_start);
    assert!(outcomes.iter().all(|outcome| *error_of(outcome) == WalkForwardError::Cancelled));
    assert_eq!(heard.n_fits(), n, "no further fit is begun");

    // Fits are begun fold by fold, so the very last one is the other forecaster's.
    let at_the_last_fit = TestHooks { cancel_at: Some(2 * n), ..TestHooks::default() };
    let outcomes = one_by_one(&forecasters, &plan, &at_the_last_fit);
    assert_eq!(outcomes[0], undisturbed[0], "what was done before is there");
    assert_eq!(outcomes[1], Err((2 * n - 1, WalkForwardError::Cancelled)));
    let run =
        || walk_forward::run(&forecasters, &plan, Seed(1), &TestHooks { cancel_at: Some(3), ..TestHooks::default() });
    assert_eq!(run().map(|_| ()), Err(WalkForwardError::Cancelled));
}
