//! Directions and volatilities, walked forward and scored beside all their baselines.

use std::ops::Range;
use std::sync::Arc;

use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, Seed};
use candlecast_learn::walk_forward::ForecastTable;
use candlecast_learn::{
    CLASSES, CalibrationState, ClassMetrics, Forecaster, Labels, Market, ModelReport, Plan, PlanConfig, Report, Task,
    TaskMetrics, TrainWindow, VolatilityMetrics, walk_forward,
};
use rayon::ThreadPoolBuilder;
use serde_json::json;

use crate::forecasters::{LEVEL, all_baselines, forecaster, model, report, report_of, report_on};
use crate::hooks::TestHooks;
use crate::learners::MeanVariance;
use crate::markets::{
    closes_only, clustered_returns, ending_with, generated, market, of_returns, time_of, with_features,
    with_other_future, with_variances, without,
};

const LABELS: Labels = Labels::Adaptive { low: 0.25, high: 0.75 };
const DIRECTION: Task = Task::Direction { horizon: 4, labels: LABELS };
const VOLATILITY: Task = Task::Volatility { horizon: 12 };

/// Fits of 60 days, every 15 days.
fn plan_config(horizon: usize) -> PlanConfig {
    let window = TrainWindow::Rolling { days: 60 };
    PlanConfig { horizon, window, retrain_days: 15, min_candles: 1_000, warm_up: 0 }
}

/// The baselines of directions, `linear` and `gbdt`.
fn of_directions(market: &Arc<Market>, task: Task) -> Vec<Forecaster> {
    let mut all = all_baselines(market, task);
    for (id, params) in [("linear", json!({})), ("gbdt", json!({ "rounds": 10, "maxDepth": 2 }))] {
        all.push(model(id, &params, with_features(market), task));
    }
    all
}

/// The baselines of the volatility, `linear` and the mean variance of the training part.
fn of_volatilities(market: &Arc<Market>, task: Task) -> Vec<Forecaster> {
    let mut all = all_baselines(market, task);
    all.push(model("linear", &json!({}), with_variances(market), task));
    all.push(forecaster("mean-variance", Box::new(MeanVariance), closes_only(market), task));
    all
}

fn classes(model: &ModelReport) -> &ClassMetrics {
    let TaskMetrics::Direction(metrics) = &model.metrics else { panic!("{:?}", model.metrics) };
    metrics
}

fn variances(model: &ModelReport) -> &VolatilityMetrics {
    let TaskMetrics::Volatility(metrics) = &model.metrics else { panic!("{:?}", model.metrics) };
    metrics
}

fn names(report: &Report) -> Vec<&str> {
    report.models.iter().map(|model| model.name.as_str()).collect()
}

/// How often each class came true.
fn outcomes(model: &ModelReport) -> [usize; CLASSES] {
    classes(model).confusion.map(|row| row.iter().sum())
}

fn direction_report(series: &CandleSeries, task: Task) -> Report {
    let market = market(series);
    let plan = plan_config(task.horizon()).walk_forward(&market, time_of(&market, 2_200..3_500)).unwrap();
    report(&of_directions(&market, task), &plan)
}

#[test]
fn on_independent_returns_no_class_is_forecast_better_than_by_the_majority() {
    let mut better = Vec::new();
    for seed in 0..10 {
        let report = direction_report(&random_walk(3_600, Seed(seed), 0.0), DIRECTION);
        assert_eq!(names(&report), ["majority", "stratified", "linear", "gbdt"]);
        assert_eq!((report.reference.as_str(), report.origins), ("majority", 1_300));
        let came_true = outcomes(&report.models[0]);
        assert!(came_true.iter().all(|&n| n > 200), "{came_true:?}");
        assert_eq!(came_true.iter().sum::<usize>(), report.origins);
        for model in &report.models {
            let (name, verdict) = (&model.name, &model.vs_reference.verdict);
            assert_eq!(outcomes(model), came_true, "{name}: all models are asked for the same classes");
            assert!(model.metrics.coverage().is_none() && model.per_horizon.is_empty(), "{name}");
            if verdict.starts_with("better") {
                better.push(format!("seed {seed}: {name}: {verdict}"));
            }
        }
        let stratified = report_on(&report, "stratified");
        let verdict = &stratified.vs_reference.verdict;
        assert!(verdict.starts_with("worse than majority"), "seed {seed}: a drawn class costs: {verdict}");
        assert_eq!(report.models[0].vs_reference.verdict, "the reference");
        assert_eq!(report.models[0].skill, Some(0.0));
    }
    // Of 20 verdicts at 5 % each, corrected over the models of a walk; those of one walk go together. Of 60 walks there
    // were 3 of `linear` and 2 of `gbdt`.
    assert!(better.len() <= 3, "{better:?}");
}

#[test]
fn a_reversal_that_is_there_makes_classes_better_known_than_by_the_majority() {
    let task = Task::Direction { horizon: 1, labels: LABELS };
    let report = direction_report(&random_walk(3_600, Seed(5), 0.4), task);
    let linear = report_on(&report, "linear");
    let verdict = &linear.vs_reference.verdict;
    assert!(verdict.starts_with("better than majority"), "{verdict}");
    assert!(linear.skill.unwrap() > 0.0);
    let accuracy = |name: &str| classes(report_on(&report, name)).balanced_accuracy.unwrap();
    assert!(accuracy("linear") > accuracy("majority") + 0.03, "{} {}", accuracy("linear"), accuracy("majority"));
    assert!((accuracy("majority") - 1.0 / 3.0).abs() < 1e-12, "one class of three, always");
    // The confidence that is issued is that of the class, and it is about right.
    let ece = linear.reliability.ece.unwrap();
    assert!(ece < 0.1, "{ece}");
    assert_eq!(linear.forecasts.calibrated.len(), report.origins);
    assert!(linear.forecasts.calibrated.iter().all(|c| c.calibrated && (0.0..=1.0).contains(&c.confidence)));
    // One class an origin; the surest tenth are right more often than all of them.
    let (recent, selected) = (linear.recent.unwrap(), linear.selected.unwrap());
    assert_eq!((recent.directions, Some(recent.to)), (recent.origins, linear.forecasts.to));
    let sure = linear.forecasts.calibrated.iter().filter(|c| c.confidence >= selected.threshold).count();
    assert_eq!((selected.asked, selected.count, selected.hits.unwrap().directions), (false, sure, sure));
    assert!(selected.hits.unwrap().rate > classes(linear).accuracy.unwrap(), "{selected:?}");
}

#[test]
fn clustered_volatility_is_forecast_and_its_intervals_cover_what_they_promise() {
    let market = market(&of_returns(&clustered_returns(6_000, 3)));
    let window = TrainWindow::Rolling { days: 100 };
    let config = PlanConfig { window, retrain_days: 20, min_candles: 1_500, ..plan_config(VOLATILITY.horizon()) };
    let plan = config.walk_forward(&market, time_of(&market, 4_000..5_900)).unwrap();
    let report = report(&of_volatilities(&market, VOLATILITY), &plan);
    assert_eq!(names(&report), ["ewma", "log-har", "linear", "mean-variance"]);
    assert_eq!((report.reference.as_str(), report.origins, report.left_out), ("log-har", 1_900, 0));
    assert!(report.calibration_outcomes > 1_400, "{}", report.calibration_outcomes);
    for model in &report.models {
        let (name, metrics) = (&model.name, variances(model));
        assert_eq!((model.abstained, metrics.count, metrics.zero_variance), (0, 1_900, 0), "{name}");
        let coverage = metrics.coverage.unwrap();
        assert!((coverage - LEVEL).abs() < 0.025, "{name}: {coverage}");
        assert_eq!(model.metrics.coverage(), Some(coverage), "{name}");
        assert!(model.direction.is_none() && model.vs_reference.signal.is_none(), "{name}");
    }
    let qlike = |name: &str| variances(report_on(&report, name)).qlike.unwrap();
    assert!(qlike("linear") < qlike("ewma"), "{} {}", qlike("linear"), qlike("ewma"));
    assert!(qlike("log-har") < 0.9 * qlike("mean-variance"), "{} {}", qlike("log-har"), qlike("mean-variance"));
    let verdict = &report_on(&report, "mean-variance").vs_reference.verdict;
    assert!(verdict.starts_with("worse than log-har"), "{verdict}");
    let skill = report_on(&report, "linear").skill.unwrap();
    assert!((skill - (1.0 - qlike("linear") / qlike("log-har"))).abs() < 1e-12);
}

#[test]
fn origins_after_which_nothing_moved_have_no_loss_for_any_model() {
    // From the close of candle 3,999 on the price stands still for 40 candles.
    const STILL: Range<usize> = 4_000..4_040;
    let mut returns = clustered_returns(4_400, 4);
    returns[STILL].fill(0.0);
    let market = market(&of_returns(&returns));
    let plan = plan_config(VOLATILITY.horizon()).walk_forward(&market, time_of(&market, 3_800..4_300)).unwrap();
    let report = report(&all_baselines(&market, VOLATILITY), &plan);
    // The origins whose 12 returns ahead are all of the standstill.
    let still = STILL.len() + 1 - VOLATILITY.horizon();
    for model in &report.models {
        let metrics = variances(model);
        assert_eq!((metrics.zero_variance, metrics.count), (still, report.origins - still), "{}", model.name);
        assert_eq!((model.forecasts.rows.len(), model.abstained), (report.origins, 0), "{}", model.name);
        assert!(metrics.qlike.unwrap().is_finite(), "{}", model.name);
    }
    assert_eq!((report.origins, report.left_out), (500, 0));
    assert!(report_on(&report, "ewma").vs_reference.test.is_some());
}

/// All that is computed of forecasts and their scores.
#[derive(Debug, PartialEq)]
struct Everything {
    tables: Vec<ForecastTable>,
    metrics: Vec<TaskMetrics>,
    verdicts: Vec<String>,
    calibrations: Vec<CalibrationState>,
}

fn everything(series: &CandleSeries, task: Task, plan_of: &dyn Fn(&Market) -> Plan) -> Everything {
    let market = market(series);
    let plan = plan_of(&market);
    let all = match task {
        Task::Volatility { .. } => of_volatilities(&market, task),
        Task::Price { .. } | Task::Direction { .. } => of_directions(&market, task),
    };
    let models = walk_forward::run(&all, &plan, Seed(1), &TestHooks::default()).unwrap();
    let tables = models.iter().map(|model| model.table.clone()).collect();
    let models = report_of(&all, models, &plan).models;
    Everything {
        tables,
        metrics: models.iter().map(|model| model.metrics).collect(),
        verdicts: models.iter().map(|model| model.vs_reference.verdict.clone()).collect(),
        calibrations: models.into_iter().map(|model| model.calibration).collect(),
    }
}

#[test]
fn classes_and_variances_that_are_not_known_yet_are_never_read() {
    let series = generated(3_000, 7);
    for task in [DIRECTION, VOLATILITY] {
        let horizon = task.horizon();
        let plan_of = |m: &Market| plan_config(horizon).walk_forward(m, time_of(m, 2_200..2_600)).unwrap();
        let expected = everything(&series, task, &plan_of);
        let known_to = plan_of(&market(&series)).rows(&market(&series)).known_to;
        assert_eq!(known_to, 2_600 + horizon);
        assert_eq!(everything(&with_other_future(&series, known_to), task, &plan_of), expected, "{task:?}");
        // The last outcome that is known does count: the price cannot have fallen and risen.
        let same = |factor: f64| everything(&ending_with(&series, known_to - 1, factor), task, &plan_of) == expected;
        assert!(!same(0.5) || !same(2.0), "{task:?}");
    }
}

#[test]
fn all_tasks_give_the_same_bits_at_any_number_of_threads() {
    let series = without(&generated(3_000, 8), &[2_300..2_301, 2_400..2_409]);
    for task in [DIRECTION, VOLATILITY] {
        let horizon = task.horizon();
        let plan_of = |m: &Market| plan_config(horizon).walk_forward(m, time_of(m, 2_200..2_800)).unwrap();
        let with_threads = |n: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| everything(&series, task, &plan_of))
        };
        let alone = with_threads(1);
        assert_eq!(with_threads(3), alone, "{task:?}");
        // Behind the border `ewma` has too few closes at first, and `log-har` no month to look back on.
        let silent = alone.tables.iter().map(|table| table.abstained > 0).collect::<Vec<_>>();
        let expected = if task == VOLATILITY { [true, true, false, false] } else { [false; 4] };
        assert_eq!(silent, expected, "{task:?}");
    }
}
