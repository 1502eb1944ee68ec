//! Forecasters that learn from several markets: one fit, forecasts for each of them.

use std::sync::Arc;

use candlecast_core::{Seed, TimeRange, Timestamp};
use candlecast_learn::walk_forward::{ForecastTable, WalkForwardError};
use candlecast_learn::{
    Dataset, Fold, FoldRows, Forecaster, Labels, Market, Panel, Plan, PlanConfig, Silent, Start, Task, TrainWindow,
    split, walk_forward,
};
use rayon::ThreadPoolBuilder;
use serde_json::{Value, json};

use crate::forecasters::{VALID_SHARE, forecaster_over, learner, state_of, tables};
use crate::hooks::TestHooks;
use crate::learners::{Heard, LastRow};
use crate::markets::{closes_only, market, pair, time_of, with_features};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 60 },
    retrain_days: 15,
    min_candles: 500,
    warm_up: 0,
};

/// Two markets of 2,600 candles, and a plan that scores 500 of them.
fn scene() -> ([Arc<Market>; 2], Plan) {
    let markets = pair(2_600, 14).map(|series| market(&series));
    let plan = CONFIG.walk_forward(&markets[0], time_of(&markets[0], 2_000..2_500)).unwrap();
    (markets, plan)
}

/// The model `id` over `panels`.
fn over(id: &str, params: &Value, panels: Vec<Panel>, task: Task) -> Forecaster {
    forecaster_over(id, params, learner(id, params), Dataset::new(panels), task)
}

fn linear(panels: Vec<Panel>) -> Forecaster {
    over("linear", &json!({ "target": "raw" }), panels, TASK)
}

/// Tables of the only forecaster, one a market.
fn tables_of(forecaster: Forecaster, plan: &Plan, hooks: &TestHooks) -> Vec<ForecastTable> {
    walk_forward::run_each(&[forecaster], plan, Seed(1), hooks).remove(0).unwrap()
}

#[test]
fn one_fit_a_fold_forecasts_every_market() {
    let (markets, plan) = scene();
    let heard = Arc::new(Heard::default());
    let data = Dataset::new(markets.iter().map(closes_only).collect());
    let hooks = TestHooks::default();
    let both = forecaster_over("last-row", &json!({}), LastRow::heard_by(&heard), data, TASK);
    assert_eq!(both.n_markets(), 2);
    let tables = tables_of(both, &plan, &hooks);
    let n = plan.folds.len();
    assert_eq!((tables.len(), heard.n_fits(), hooks.done.lock().unwrap().len()), (2, n, n));

    let rows = plan.rows(&markets[0]);
    let expected: Vec<usize> = (rows.folds[0].test.start..2_500).collect();
    for table in &tables {
        assert_eq!((&table.rows, table.fits.len(), table.left_out, table.abstained), (&expected, n, 0, 0));
        assert_eq!(table.forecasts.means, tables[0].forecasts.means, "this model looks at no candle");
    }
    assert_ne!(tables[0].forecasts.scales, tables[1].forecasts.scales, "each market has a volatility of its own");
    let mut asked = heard.origins.lock().unwrap().clone();
    asked.sort_unstable();
    let twice: Vec<usize> = expected.iter().flat_map(|&row| [row, row]).collect();
    assert_eq!(asked, twice, "each origin of each market is forecast once");
    // Samples of both markets stand in time order, so that the last one trained on is the newest of either.
    for (fold, means) in rows.folds.iter().zip(tables[0].forecasts.means.chunks(HORIZON * 360)) {
        assert_eq!(means[0], (fold.fit_row - HORIZON - 1) as f64);
    }
}

#[test]
fn models_learn_from_all_markets_and_forecast_each_by_its_own_candles() {
    let (markets, plan) = scene();
    let panels = || markets.iter().map(with_features).collect::<Vec<_>>();
    let both = tables_of(linear(panels()), &plan, &TestHooks::default());
    for (k, panel) in panels().into_iter().enumerate() {
        let alone = tables(&[linear(vec![panel])], &plan).remove(0);
        assert_eq!(both[k].rows, alone.rows, "market {k}");
        assert_ne!(both[k].forecasts.means, alone.forecasts.means, "market {k}: the other one was learnt from, too");
        assert_eq!(both[k].forecasts.scales, alone.forecasts.scales, "market {k}: its own volatility");
        for (pooled, own) in both[k].fits.iter().zip(&alone.fits) {
            // The validation part may begin with the second market's sample of an instant.
            assert!(pooled.n_train.abs_diff(2 * own.n_train) <= 2, "{} {}", pooled.n_train, own.n_train);
        }
    }
    assert_ne!(both[0].forecasts.means, both[1].forecasts.means);
}

#[test]
fn the_scaler_is_fitted_on_the_training_parts_of_all_markets() {
    let (markets, _) = scene();
    let panels: Vec<Panel> = markets.iter().map(with_features).collect();
    let rows = FoldRows { window_start: 300, fit_row: 2_000, test: 2_000..2_600 };
    let fold = Fold::of_rows(&markets[0], &rows);
    let scaler = |panels: Vec<Panel>| {
        let fit = linear(panels).fit(&fold, Seed(1), 1, Start::default(), &mut Silent);
        state_of(&fit.unwrap().0).scaler
    };
    let both = scaler(panels.clone());
    let train = split(&fold, &Dataset::new(panels.clone()), 1, HORIZON, VALID_SHARE).train;
    assert!((0..2).all(|panel| train.iter().filter(|id| id.panel == panel).count() > 1_000));
    for (j, (center, scale)) in both.center.iter().zip(&both.scale).enumerate() {
        let values: Vec<f64> =
            train.iter().map(|id| f64::from(panels[id.panel as usize].row(id.row as usize)[j])).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((center - mean).abs() < 1e-12 * deviation.max(1.0), "{center} {mean}");
        assert!((scale / deviation - 1.0).abs() < 1e-12, "{scale} {deviation}");
    }
    for panel in panels {
        let alone = scaler(vec![panel]);
        assert_ne!((&alone.center, &alone.scale), (&both.center, &both.scale));
    }
}

/// Baselines learn from the market that is forecast alone: a model with a pool is asked for the same classes.
#[test]
fn classes_are_those_of_the_markets_that_are_forecast() {
    let (markets, _) = scene();
    let rows = FoldRows { window_start: 300, fit_row: 2_000, test: 2_000..2_600 };
    let fold = Fold::of_rows(&markets[0], &rows);
    let task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
    let params = json!({ "rounds": 4, "maxDepth": 2, "patience": 0 });
    let thresholds = |panels: Vec<Panel>, n: usize| {
        let forecaster = over("gbdt", &params, panels, task).forecasting_first(n);
        forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0.thresholds().unwrap()
    };
    let both = || markets.iter().map(with_features).collect::<Vec<_>>();
    let alone = thresholds(vec![with_features(&markets[0])], 1);
    assert_eq!(thresholds(both(), 1), alone);
    assert_ne!(thresholds(both(), 2), alone);
}

#[test]
fn a_dataset_of_one_market_is_that_market() {
    let ([market, _], plan) = scene();
    let panel = || with_features(&market);
    let params = json!({ "rounds": 4, "maxDepth": 2 });
    let single = forecaster_over("gbdt", &params, learner("gbdt", &params), Dataset::single(panel()), TASK);
    let list_of_one = over("gbdt", &params, vec![panel()], TASK);
    assert_eq!(single.id(), list_of_one.id());
    assert_eq!(tables_of(list_of_one, &plan, &TestHooks::default()), tables(&[single], &plan));
}

#[test]
fn a_market_without_anything_to_train_on_changes_nothing_for_the_others_and_is_forecast() {
    const LATE: usize = 1_990;
    let [whole, other] = pair(2_600, 14);
    let from = Timestamp(other.open_time()[LATE]);
    let late = market(&other.between(TimeRange { from, to: TimeRange::ALL.to }));
    let whole = market(&whole);
    // One fit, at row 2,000: ten candles of the late market lie before it, of which none has a volatility.
    let mut plan = CONFIG.simple(&whole, time_of(&whole, 0..2_000), time_of(&whole, 2_000..2_500)).unwrap();
    plan.folds.drain(..plan.folds.len() - 1);
    for (id, params) in [("linear", json!({})), ("gbdt", json!({ "rounds": 4, "maxDepth": 2, "patience": 0 }))] {
        let alone = tables(&[over(id, &params, vec![with_features(&whole)], TASK)], &plan);
        let both = over(id, &params, vec![with_features(&whole), with_features(&late)], TASK);
        let both = tables_of(both, &plan, &TestHooks::default());
        assert_eq!(both[0], alone[0], "{id}");
        let rows: Vec<usize> = (32..2_500 - LATE).collect();
        assert_eq!(both[1].rows, rows, "{id}: its volatility is known from its 33rd candle on");
        assert_eq!((both[1].left_out, both[1].abstained), (22, 0), "{id}");
        assert!(both[1].forecasts.means.iter().any(|&mean| mean != 0.0), "{id}");
    }
}

#[test]
fn a_market_that_ends_before_the_scored_rows_is_told() {
    let [whole, other] = pair(2_600, 14);
    let to = Timestamp(other.open_time()[1_900]);
    let ended = market(&other.between(TimeRange { from: TimeRange::ALL.from, to }));
    let whole = market(&whole);
    let plan = CONFIG.walk_forward(&whole, time_of(&whole, 2_000..2_500)).unwrap();
    let hooks = TestHooks::default();
    let both = linear(vec![with_features(&whole), with_features(&ended)]);
    let outcomes = walk_forward::run_each(&[both], &plan, Seed(1), &hooks);
    assert_eq!(outcomes[0], Err((0, WalkForwardError::NoOrigins { left_out: 0 })));
    assert_eq!(hooks.questions(), 0, "before any fit");
}

#[test]
fn pooled_directions_and_volatilities_have_the_same_bits_at_any_number_of_threads() {
    let (markets, plan) = scene();
    let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
    let tasks = [Task::Direction { horizon: HORIZON, labels }, Task::Volatility { horizon: HORIZON }];
    for task in tasks {
        let run = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let panels = markets.iter().map(with_features).collect();
            // Without patience all rounds are kept, whatever they are worth.
            let params = json!({ "rounds": 4, "maxDepth": 2, "patience": 0 });
            pool.install(|| tables_of(over("gbdt", &params, panels, task), &plan, &TestHooks::default()))
        };
        let alone = run(1);
        assert_eq!(alone.len(), 2);
        assert_ne!(alone[0].forecasts.means, alone[1].forecasts.means);
        assert_eq!(run(3), alone, "{task:?}");
    }
}
