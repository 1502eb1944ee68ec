//! Pipelines of every task, from fit to saved state and back.

use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::{
    CLASSES, Dataset, FittedForecaster, Fold, FoldRows, Forecaster, Labels, Market, PipelineConfig, Silent, Start,
    Task, ThresholdUnit, Thresholds,
};
use serde_json::json;

use crate::forecasters::{baseline, config, learner, model, restored, state_of};
use crate::markets::{closes_only, generated, market, with_features};

const HORIZON: usize = 6;
const N_CANDLES: usize = 2_000;
const FIT_ROW: usize = 1_700;

fn made() -> Arc<Market> {
    market(&generated(N_CANDLES, 21))
}

fn fit(forecaster: &Forecaster) -> FittedForecaster {
    let rows = FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..N_CANDLES };
    let fold = Fold::of_rows(forecaster.market(0), &rows);
    forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0
}

#[test]
fn baselines_of_every_task_forecast_and_are_restored_with_the_same_bits() {
    let market = made();
    let panel = closes_only(&market);
    let rows: Vec<usize> = (FIT_ROW..FIT_ROW + 100).filter(|&row| panel.is_origin(row, 1)).collect();
    assert!(rows.len() > 50);
    let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
    let tasks = [
        Task::Price { horizon: HORIZON },
        Task::Direction { horizon: HORIZON, labels },
        Task::Volatility { horizon: HORIZON },
    ];
    for task in tasks {
        for &id in task.kind().baselines() {
            let pipeline = fit(&baseline(id, &market, task));
            let forecasts = pipeline.predict(&panel, &rows);
            let n = rows.len() * task.width();
            assert_eq!((forecasts.width, forecasts.means.len(), forecasts.scales.len()), (task.width(), n, n), "{id}");
            assert!(forecasts.means.iter().all(|m| m.is_finite()) && forecasts.scales.iter().all(|&s| s > 0.0), "{id}");
            let n_borders = if matches!(task, Task::Direction { .. }) { rows.len() } else { 0 };
            assert_eq!(forecasts.borders.len(), n_borders, "{id}");
            assert_eq!(restored(&pipeline).predict(&panel, &rows), forecasts, "{id}");
        }
    }
}

/// `majority` of directions with these labels, a share of whose training window validates.
fn majority(market: &Arc<Market>, labels: Labels, valid_share: f64) -> FittedForecaster {
    let (learner, data) = (learner("majority", &json!({})), Dataset::single(closes_only(market)));
    let config = config("majority", &json!({}), &*learner, &data, Task::Direction { horizon: 4, labels });
    let config = PipelineConfig { valid_share, ..config };
    fit(&Forecaster::pipeline("majority", true, config, learner, data))
}

/// The shares of the classes are those that the percentiles name, in units of the volatility.
#[test]
fn thresholds_of_directions_are_found_on_the_training_part_in_their_unit() {
    let market = made();
    // Without a validation part the thresholds are found on all that the shares are counted over.
    let pipeline = majority(&market, Labels::Adaptive { low: 0.2, high: 0.7 }, 0.0);
    let shares = pipeline.predict(&closes_only(&market), &[FIT_ROW]).means;
    for (share, expected) in shares.iter().zip([0.2, 0.5, 0.3]) {
        assert!((share - expected).abs() < 0.01, "{shares:?}");
    }
    assert_eq!(shares.len(), CLASSES);
    let thresholds = state_of(&pipeline).thresholds.unwrap();
    assert_eq!(thresholds.unit, ThresholdUnit::Volatility);
    // A return over the horizon is about as large as expected.
    assert!((-2.0..-0.3).contains(&thresholds.sell) && (0.1..1.5).contains(&thresholds.buy), "{thresholds:?}");
    let thresholds = state_of(&majority(&market, Labels::Fixed { threshold: 0.01 }, 0.0)).thresholds.unwrap();
    assert_eq!((thresholds.sell, thresholds.buy, thresholds.unit), (-0.01, 0.01, ThresholdUnit::Return));
}

/// Whatever features and windows they read, and whether or not they validate.
#[test]
fn all_models_of_a_fold_are_asked_for_the_same_classes() {
    let market = made();
    let task = Task::Direction { horizon: 4, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
    let network = json!({ "epochs": 1, "hiddenSize": 4, "sequenceLength": 50 });
    let forecasters = [
        baseline("majority", &market, task),
        baseline("stratified", &market, task),
        model("linear", &json!({}), with_features(&market), task),
        model("gru", &network, with_features(&market), task),
    ];
    let fitted: Vec<FittedForecaster> = forecasters.iter().map(fit).collect();
    let thresholds: Vec<Thresholds> = fitted.iter().map(|model| model.thresholds().unwrap()).collect();
    assert!(thresholds.iter().all(|t| *t == thresholds[0]), "{thresholds:?}");
    let row = FIT_ROW + 50;
    let borders = fitted[0].borders(&market, row).unwrap();
    assert!(fitted.iter().all(|model| model.borders(&market, row) == Some(borders)));
    let scale = market.volatility()[row] * 2.0;
    assert_eq!((borders.sell, borders.buy), (thresholds[0].sell * scale, thresholds[0].buy * scale));
}
