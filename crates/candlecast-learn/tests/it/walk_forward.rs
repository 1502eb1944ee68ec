//! Laws of walking forward.

use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::walk_forward::{ForecastTable, WalkForwardError};
use candlecast_learn::{FitError, Forecaster, Market, Plan, PlanConfig, Task, TrainWindow, walk_forward};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;

use crate::forecasters::{all_baselines, baseline, forecaster, model, tables};
use crate::hooks::TestHooks;
use crate::learners::{Failing, Heard, LastRow, by_rule, row_of};
use crate::markets::{closes_only, generated, market, time_of, with_features};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 40 },
    retrain_days: 7,
    min_candles: 500,
    warm_up: 0,
};

/// A market of 3,000 candles and a plan that scores 700 of them.
fn scene() -> (Arc<Market>, Plan) {
    let market = market(&generated(3_000, 1));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    (market, plan)
}

fn last_row(heard: &Arc<Heard>, market: &Arc<Market>) -> Forecaster {
    forecaster("last-row", LastRow::heard_by(heard), closes_only(market), TASK)
}

/// The error of a run, of which there has to be one.
fn error_of(forecasters: &[Forecaster], plan: &Plan, hooks: &TestHooks) -> WalkForwardError {
    walk_forward::run(forecasters, plan, Seed(1), hooks).map(|_| ()).unwrap_err()
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn each_origin_is_forecast_once_and_by_the_newest_fit() {
    let (market, plan) = scene();
    let heard = Arc::new(Heard::default());
    let forecasters = [last_row(&heard, &market), baseline("naive", &market, TASK)];
    let tables = tables(&forecasters, &plan);
    assert!(tables.iter().all(|table| (table.left_out, table.abstained) == (0, 0)));

    let plan = plan.rows(&market);
    let expected: Vec<usize> = (plan.folds[0].test.start..2_900).collect();
    assert!(expected.len() > 2_000 && plan.folds.len() > 10, "calibration and scoring take many fits");
    let table = &tables[0];
    assert_eq!(table.rows, expected);
    assert_eq!(tables[1].rows, expected, "all forecast from the same origins");
    let mut origins = heard.origins.lock().unwrap().clone();
    origins.sort_unstable();
    assert_eq!(origins, expected, "no origin is forecast twice");

    // The last label of a fit is complete one candle before the fit.
    let last_trained = |fit_row: usize| fit_row - HORIZON - 1;
    let means = &table.forecasts.means;
    assert_eq!(means.len(), expected.len() * HORIZON);
    for (row, means) in table.rows.iter().zip(means.chunks(HORIZON)) {
        let newest = plan.folds.iter().map(|fold| fold.fit_row).filter(|fit_row| fit_row <= row).max().unwrap();
        assert_eq!(means, [last_trained(newest) as f64; HORIZON], "row {row}");
    }
    // The volatility is known from the 33rd candle on.
    let windows: Vec<(usize, usize)> =
        plan.folds.iter().map(|fold| (fold.window_start.max(32), last_trained(fold.fit_row))).collect();
    let mut fits = heard.fits.lock().unwrap().clone();
    fits.sort_unstable_by_key(|fit| fit.1);
    assert_eq!(fits, windows, "one fit a fold, on its window");
}

#[test]
fn forecasts_are_the_same_bits_at_any_number_of_threads() {
    let (market, plan) = scene();
    let mut forecasters = all_baselines(&market, TASK);
    let params = json!({ "rounds": 8, "maxDepth": 3, "subsample": 0.7 });
    forecasters.push(model("gbdt", &params, with_features(&market), TASK));
    let run = |threads: usize| -> Vec<ForecastTable> { pool(threads).install(|| tables(&forecasters, &plan)) };
    let alone = run(1);
    assert!(alone[4].forecasts.means.iter().any(|&mean| mean != 0.0));
    for threads in [2, 3] {
        assert_eq!(run(threads), alone, "{threads} threads");
    }
}

#[test]
fn every_fit_is_told_once() {
    let (market, plan) = scene();
    let hooks = TestHooks::default();
    walk_forward::run(&all_baselines(&market, TASK), &plan, Seed(1), &hooks).unwrap();
    let mut told = hooks.done.lock().unwrap().clone();
    told.sort_unstable();
    let n = 4 * plan.folds.len();
    assert_eq!(told, (1..=n).map(|done| (done, n)).collect::<Vec<_>>());
}

#[test]
fn of_several_errors_the_first_fits_is_told_whatever_failed_first() {
    let (market, plan) = scene();
    let failing = Failing::default();
    let first_fit = plan.rows(&market).folds[0].fit_row;
    let slow = failing.waiting_at(first_fit - HORIZON - 1);
    let forecasters = [
        forecaster("slow", Box::new(slow), closes_only(&market), TASK),
        forecaster("quick", Box::new(failing), closes_only(&market), TASK),
    ];
    let error = pool(2).install(|| error_of(&forecasters, &plan, &TestHooks::default()));
    match &error {
        WalkForwardError::Fit { model, at, source: FitError::Degenerate(text) } => {
            assert_eq!((model.as_str(), *at), ("slow", market.series().close_time(first_fit - 1)));
            assert_ne!(text, "0 failed before", "another fit was to fail before");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_cancelled_run_says_so_and_begins_no_further_fit() {
    let (market, plan) = scene();
    for (cancel_at, fits) in [(1, 0), (4, 3)] {
        let heard = Arc::new(Heard::default());
        let forecasters = [last_row(&heard, &market)];
        let hooks = TestHooks { cancel_at: Some(cancel_at), ..TestHooks::default() };
        let error = pool(1).install(|| error_of(&forecasters, &plan, &hooks));
        assert_eq!(error, WalkForwardError::Cancelled);
        assert_eq!(heard.n_fits(), fits, "cancelled at question {cancel_at}");
    }
}

#[test]
fn a_forecast_that_is_no_number_names_its_origin() {
    let (market, plan) = scene();
    for odd in [f64::NAN, f64::INFINITY] {
        let learner = by_rule(move |x, i, h| if (row_of(x, i), h) == (2_300, 1) { odd } else { 0.0 });
        let forecasters = [forecaster("odd", learner, closes_only(&market), TASK)];
        let error = error_of(&forecasters, &plan, &TestHooks::default());
        assert_eq!(error, WalkForwardError::NotFinite { model: "odd".into(), row: 2_300 });
    }
}

#[test]
fn a_range_without_origins_is_refused_before_any_fit() {
    let (market, plan) = scene();
    let heard = Arc::new(Heard::default());
    // Every candle of the market belongs to the warm-up.
    let plan = Plan { warm_up: market.series().len(), ..plan };
    let forecasters = [last_row(&heard, &market), baseline("naive", &market, TASK)];
    let hooks = TestHooks::default();
    assert_eq!(error_of(&forecasters, &plan, &hooks), WalkForwardError::NoOrigins { left_out: 700 });
    assert_eq!((heard.n_fits(), hooks.questions()), (0, 0));
}
