//! Laws of walking forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use candlecast_core::{FeatureSet, FeatureTable, Seed};
use candlecast_learn::walk_forward::WalkForwardError;
use candlecast_learn::{
    Contender, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, Market, ModelState, Panel, Plan, PlanConfig,
    RestoreError, Samples, ScalerKind, Task, TrainWindow, walk_forward,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;

use crate::contenders::{all_baselines, baseline, contender, learner};
use crate::hooks::TestHooks;
use crate::learners::{Heard, LastRow, by_rule, row_of};
use crate::markets::{closes_only, generated, market, time_of, with_features};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };

/// A market of 3,000 candles and a plan that scores 700 of them.
fn scene() -> (Arc<Market>, Plan) {
    let market = market(&generated(3_000, 1));
    let window = TrainWindow::Rolling { days: 40 };
    let config = PlanConfig { horizon: HORIZON, window, retrain_days: 7, min_candles: 500 };
    let plan = config.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    (market, plan)
}

fn last_row(heard: &Arc<Heard>, market: &Arc<Market>) -> Contender {
    contender("last-row", LastRow::heard_by(heard), closes_only(market), TASK)
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn each_origin_is_forecast_once_and_by_the_newest_fit() {
    let (market, plan) = scene();
    let heard = Arc::new(Heard::default());
    let contenders = [last_row(&heard, &market), baseline("naive", &market, TASK)];
    let (tables, left_out) = walk_forward::run(&contenders, &plan, Seed(1), &TestHooks::default()).unwrap();
    assert_eq!((tables.len(), left_out), (2, 0));

    let expected: Vec<usize> = (plan.folds[0].test.start..2_900).collect();
    assert!(expected.len() > 2_000 && plan.folds.len() > 10, "calibration and scoring take many fits");
    let table = &tables[0];
    assert_eq!(table.rows, expected);
    assert_eq!(tables[1].rows, expected, "all contenders forecast from the same origins");
    let mut origins = heard.origins.lock().unwrap().clone();
    origins.sort_unstable();
    assert_eq!(origins, expected, "no origin is forecast twice");

    // The last label of a fit is complete one candle before the fit.
    let last_trained = |fit_row: usize| fit_row - HORIZON - 1;
    assert_eq!(table.means.len(), expected.len() * HORIZON);
    for (row, means) in table.rows.iter().zip(table.means.chunks(HORIZON)) {
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
    let mut contenders = all_baselines(&market, TASK);
    let params = json!({ "rounds": 8, "maxDepth": 3, "subsample": 0.7 });
    contenders.push(contender("gbdt", learner("gbdt", &params), with_features(&market), TASK));
    let run = |threads: usize| {
        pool(threads).install(|| walk_forward::run(&contenders, &plan, Seed(1), &TestHooks::default())).unwrap()
    };
    let alone = run(1);
    assert!(alone.0[4].means.iter().any(|&mean| mean != 0.0));
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

/// Fails in every fit. The fit whose last training row is `waits_at` waits until another one has failed.
#[derive(Debug)]
struct Failing {
    waits_at: Option<usize>,
    failed: Arc<AtomicUsize>,
}

impl Learner for Failing {
    fn supports(&self, _: &Task) -> bool {
        true
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn uses_validation(&self) -> bool {
        false
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if self.waits_at == Some(row_of(train, train.len() - 1)) {
            let patience = Instant::now() + Duration::from_secs(20);
            while self.failed.load(Ordering::SeqCst) == 0 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let before = self.failed.fetch_add(1, Ordering::SeqCst);
        Err(FitError::Degenerate(format!("{before} failed before")))
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Err(RestoreError::Missing { name: "a model that could be fitted".into() })
    }
}

#[test]
fn of_several_errors_the_first_fits_is_told_whatever_failed_first() {
    let (market, plan) = scene();
    let failed = Arc::new(AtomicUsize::new(0));
    let failing = |name: &str, waits_at: Option<usize>| {
        let learner = Failing { waits_at, failed: Arc::clone(&failed) };
        contender(name, Box::new(learner), closes_only(&market), TASK)
    };
    let first_fit = plan.folds[0].fit_row;
    let contenders = [failing("slow", Some(first_fit - HORIZON - 1)), failing("quick", None)];
    let error = pool(2).install(|| walk_forward::run(&contenders, &plan, Seed(1), &TestHooks::default())).unwrap_err();
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
        let contenders = [last_row(&heard, &market)];
        let hooks = TestHooks { cancel_at: Some(cancel_at), ..TestHooks::default() };
        let error = pool(1).install(|| walk_forward::run(&contenders, &plan, Seed(1), &hooks)).unwrap_err();
        assert_eq!(error, WalkForwardError::Cancelled);
        assert_eq!(heard.n_fits(), fits, "cancelled at question {cancel_at}");
    }
}

#[test]
fn a_forecast_that_is_no_number_names_its_origin() {
    let (market, plan) = scene();
    for odd in [f64::NAN, f64::INFINITY] {
        let learner = by_rule(move |x, i, h| if (row_of(x, i), h) == (2_300, 1) { odd } else { 0.0 });
        let contenders = [contender("odd", learner, closes_only(&market), TASK)];
        let error = walk_forward::run(&contenders, &plan, Seed(1), &TestHooks::default()).unwrap_err();
        assert_eq!(error, WalkForwardError::NotFinite { model: "odd".into(), row: 2_300 });
    }
}

#[test]
fn a_range_without_origins_is_refused_before_any_fit() {
    let (market, plan) = scene();
    let heard = Arc::new(Heard::default());
    let n = market.series().len();
    let ends = FeatureTable {
        names: vec!["ends".into()],
        columns: vec![(0..n).map(|row| if row < 2_200 { row as f64 } else { f64::NAN }).collect()],
    };
    let panel = Panel::new(Arc::clone(&market), &ends);
    let contenders = [contender("last-row", LastRow::heard_by(&heard), panel, TASK)];
    let error = walk_forward::run(&contenders, &plan, Seed(1), &TestHooks::default()).unwrap_err();
    assert_eq!(error, WalkForwardError::NoOrigins { left_out: 700 });
    assert_eq!(heard.n_fits(), 0);
}
