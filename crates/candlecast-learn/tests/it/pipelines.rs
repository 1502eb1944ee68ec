//! Pipelines of every task, from fit to saved state and back.

use std::sync::Arc;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FeatureSet, FeatureTable, FilledSeries, Seed};
use candlecast_learn::baselines::{baselines_of, catalog};
use candlecast_learn::{
    CLASSES, Contender, FittedPipeline, Fold, Labels, Learner, Market, Panel, PipelineConfig, PipelineState,
    ScalerKind, Silent, Task, ThresholdUnit, TrainWindow,
};
use serde_json::json;

const N_CANDLES: usize = 2_000;
const FIT_ROW: usize = 1_700;

fn panel() -> Panel {
    let generated = generate(&MarketConfig { n_candles: N_CANDLES, ..MarketConfig::default() });
    let market = Arc::new(Market::new(FilledSeries::new(&generated[0].series, 3)));
    Panel::new(market, &FeatureTable::default())
}

fn learner(id: &str) -> Box<dyn Learner> {
    catalog().iter().find(|entry| entry.id == id).unwrap().build(&json!({})).unwrap()
}

fn contender(id: &str, task: Task, panel: &Panel) -> Contender {
    let config = PipelineConfig {
        model: id.into(),
        params: json!({}),
        features: FeatureSet::default(),
        scaler: ScalerKind::None,
        clip: None,
        max_fill: 3,
        task,
        level: 0.9,
        window: TrainWindow::Expanding,
        retrain_days: 7,
        valid_share: 0.15,
        min_candles: 200,
    };
    Contender { name: id.into(), baseline: true, config, learner: learner(id), panel: panel.clone() }
}

fn fit(contender: &Contender) -> FittedPipeline {
    let fold = Fold { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..N_CANDLES };
    contender.fit(&fold, Seed(1), 1, &mut Silent).unwrap().0
}

#[test]
fn baselines_of_every_task_forecast_and_are_restored_with_the_same_bits() {
    let panel = panel();
    let rows: Vec<usize> = (FIT_ROW..FIT_ROW + 100).filter(|&row| panel.is_origin(row, 1)).collect();
    assert!(rows.len() > 50);
    let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
    let tasks = [Task::Price { horizon: 6 }, Task::Direction { horizon: 6, labels }, Task::Volatility { horizon: 6 }];
    for task in tasks {
        for &id in baselines_of(&task) {
            let pipeline = fit(&contender(id, task, &panel));
            let (means, scales) = pipeline.predict(&panel, &rows);
            assert_eq!((means.len(), scales.len()), (rows.len() * task.width(), means.len()), "{id}");
            assert!(means.iter().all(|m| m.is_finite()) && scales.iter().all(|&s| s > 0.0), "{id}");
            let text = serde_json::to_string(&pipeline.state()).unwrap();
            let state: PipelineState = serde_json::from_str(&text).unwrap();
            let restored = FittedPipeline::restore(state, &*learner(id)).unwrap();
            assert_eq!(restored.predict(&panel, &rows), (means, scales), "{id}");
        }
    }
}

/// The shares of the classes are those that the percentiles name, in units of the volatility.
#[test]
fn thresholds_of_directions_are_found_on_the_training_part_in_their_unit() {
    let panel = panel();
    let rows = [FIT_ROW];
    let adaptive = Labels::Adaptive { low: 0.2, high: 0.7 };
    let pipeline = fit(&contender("majority", Task::Direction { horizon: 4, labels: adaptive }, &panel));
    let (shares, _) = pipeline.predict(&panel, &rows);
    for (share, expected) in shares.iter().zip([0.2, 0.5, 0.3]) {
        assert!((share - expected).abs() < 0.01, "{shares:?}");
    }
    assert_eq!(shares.len(), CLASSES);
    let thresholds = pipeline.state().thresholds.unwrap();
    assert_eq!(thresholds.unit, ThresholdUnit::Volatility);
    // A return over the horizon is about as large as expected.
    assert!((-2.0..-0.3).contains(&thresholds.sell) && (0.1..1.5).contains(&thresholds.buy), "{thresholds:?}");
    let fixed = Labels::Fixed { threshold: 0.01 };
    let pipeline = fit(&contender("majority", Task::Direction { horizon: 4, labels: fixed }, &panel));
    let thresholds = pipeline.state().thresholds.unwrap();
    assert_eq!((thresholds.sell, thresholds.buy, thresholds.unit), (-0.01, 0.01, ThresholdUnit::Return));
}
