//! A model that goes along candle by candle gives the features, forecasts and intervals of the batch.

use std::sync::Arc;

use candlecast_core::{
    CandleSeries, Columns, FeatureTable, FilledSeries, Forecast, Interval, ModelRequest, Seed, TimeRange, Timestamp,
};
use candlecast_features::Engine;
use candlecast_ingest::ImportOptions;
use candlecast_learn::{CalibrationState, FittedForecaster, Fold, Forecaster, Market, Panel, Silent, Start};
use candlecast_pipeline::{FeatureFrames, LiveForecaster, LoadedModel, PipelineOptions};
use serde_json::{Value, json};

use super::{generated, rows};
use crate::scene::key;
use crate::world::model;

const HORIZON: usize = 5;

/// A model fitted on the first rows of a market, what the batch needs to replay it, and its features over all rows.
struct Case {
    market: Arc<Market>,
    forecaster: Forecaster,
    fit_row: usize,
    table: FeatureTable,
}

impl Case {
    fn new(series: &CandleSeries, request: &ModelRequest, fit_row: usize) -> Self {
        let common = PipelineOptions { min_candles: 500, ..PipelineOptions::new(HORIZON) };
        let market = Arc::new(Market::new(FilledSeries::new(series, common.max_fill)));
        let forecaster = FeatureFrames::new(Arc::clone(&market)).forecaster(request, &common).unwrap();
        let features = forecaster.recipe().features();
        let table = if features.ids().is_empty() {
            FeatureTable::default()
        } else {
            Engine::new(&features).unwrap().compute(market.series())
        };
        Self { market, forecaster, fit_row, table }
    }

    fn panel(&self) -> &Panel {
        &self.forecaster.as_pipeline().unwrap().data.panels()[0]
    }

    fn fitted(&self) -> FittedForecaster {
        let series = self.market.series();
        let fit_at = Timestamp(series.columns().open_time[self.fit_row]);
        let test = TimeRange { from: fit_at, to: fit_at };
        let learn_from = Timestamp(series.columns().open_time[0]);
        let fold = Fold { learn_from, earliest: learn_from, fit_at, test, apart: vec![], parts: vec![] };
        self.forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0
    }

    fn live(&self, history: &CandleSeries) -> LiveForecaster {
        let model = LoadedModel {
            id: "a-model".into(),
            model: self.forecaster.name.clone(),
            version: "1.0.0".into(),
            forecaster: self.fitted(),
            calibration: CalibrationState::new(0.9, &self.forecaster.task(), 24.0),
            trained_to: self.market.series().close_time(self.fit_row - 1),
            fell_back: None,
        };
        LiveForecaster::open(model, history).unwrap()
    }

    fn batch(&self, fitted: &FittedForecaster, row: usize) -> Forecast {
        let mut calibrator = fitted.replay(
            self.panel(),
            CalibrationState::new(0.9, &self.forecaster.task(), 24.0),
            self.fit_row - 1,
            row,
        );
        fitted.forecast(self.panel(), row, &mut calibrator)
    }

    /// Goes through `series` behind its first `history` candles; how many forecasts were compared.
    fn compare(&self, series: &CandleSeries, history: usize) -> usize {
        let fitted = self.fitted();
        let mut live = self.live(&rows(series, 0..history, series.key()));
        let largest: Vec<f64> = self.table.columns.iter().map(|column| largest(column)).collect();
        let mut compared = 0;
        for i in history..series.len() {
            let candle = series.candle(i);
            let row = self.market.series().row_at(candle.open_time).unwrap();
            let forecast = live.push(&candle).cloned();
            for (k, column) in self.table.columns.iter().enumerate() {
                assert_near(live.features()[k], column[row], 1e-12 * largest[k], &self.table.names[k], row);
            }
            assert_eq!(forecast.is_some(), self.panel().is_origin(row, fitted.lookback()), "row {row}");
            if let Some(forecast) = forecast.filter(|_| i < history + 40 || i % 29 == 0) {
                assert_same_forecast(&forecast, &self.batch(&fitted, row));
                compared += 1;
            }
        }
        compared
    }
}

fn largest(column: &[f64]) -> f64 {
    column.iter().filter(|v| !v.is_nan()).fold(0.0, |most, v| v.abs().max(most))
}

/// Within 1e-9 of the value; near zero, where a feature is a difference of larger numbers, within `slack`.
fn assert_near(live: f64, batch: f64, slack: f64, name: &str, row: usize) {
    let near = (live - batch).abs() <= 1e-9 * batch.abs() + slack;
    assert!(near || (live.is_nan() && batch.is_nan()), "{name} at row {row}: {live} {batch}");
}

fn assert_same_forecast(live: &Forecast, batch: &Forecast) {
    assert_eq!((&live.key, live.origin, live.origin_price), (&batch.key, batch.origin, batch.origin_price));
    assert_eq!((live.level, live.steps().len()), (batch.level, batch.steps().len()));
    for (a, b) in live.steps().iter().zip(batch.steps()) {
        assert_eq!((a.step, a.target_time, a.calibrated), (b.step, b.target_time, b.calibrated));
        for (x, y) in [(a.price, b.price), (a.lower, b.lower), (a.upper, b.upper), (a.confidence, b.confidence)] {
            assert!((x - y).abs() <= 1e-6 * y.abs(), "origin {}, step {}: {x} {y}", live.origin, a.step);
        }
    }
}

/// An hourly market with gaps of 1 to 3 candles, which are filled, and of 4 and 30, which end a segment.
fn gapped() -> CandleSeries {
    let mut missing: Vec<usize> = vec![1_200, 1_650, 1_700, 1_701, 1_760, 1_761, 1_762, 2_300, 2_302];
    missing.extend(1_900..1_904);
    missing.extend(2_350..2_380);
    generated(&key("binance", "BTCUSDT", Interval::H1), 2_700, &missing)
}

#[test]
fn models_go_along_with_a_generated_market_as_in_the_batch() {
    let series = gapped();
    let models = [
        model("linear", Value::Null),
        model("hybrid", Value::Null),
        model("gbdt", json!({ "rounds": 20, "maxDepth": 3 })),
        model("gru", json!({ "hiddenSize": 8, "epochs": 1 })),
    ];
    for request in &models {
        let case = Case::new(&series, request, 1_600);
        // From where the fit ended, from within a segment, from behind a short gap, from the start of a segment.
        for history in [1_599, 1_640, 1_699, 1_894] {
            let compared = case.compare(&series, history);
            // Behind a gap `linear` and `gbdt` are silent for 199 candles.
            assert!(compared >= 10, "{}: {compared} forecasts from {history}", request.id);
        }
    }
}

#[test]
fn without_history_a_model_warms_up_on_what_comes() {
    let series = gapped();
    let case = Case::new(&series, &model("linear", Value::Null), 1_600);
    let head = rows(&series, 0..400, series.key());
    let compared = case.compare(&head, 0);
    assert!(compared > 5, "{compared}");
}

#[test]
fn models_go_along_with_real_candles_as_in_the_batch() {
    let Some(series) = real_minutes("BTCUSDT-1m.2021-04-20_2021-05-20.csv.gz") else { return };
    for request in [model("linear", Value::Null), model("hybrid", Value::Null)] {
        let case = Case::new(&series, &request, 2_500);
        let compared = case.compare(&series, 2_600);
        assert!(compared >= 60, "{compared}");
    }
}

/// 4,000 recorded candles around the longest gap of the file, with three short gaps and one long one put in.
fn real_minutes(name: &str) -> Option<CandleSeries> {
    let path = candlecast_testenv::real_data()?.join("candles").join(name);
    let mut import = candlecast_ingest::open(&path, &ImportOptions::default()).unwrap();
    let mut whole = CandleSeries::empty(import.key().clone());
    while let Some(chunk) = import.next_chunk().unwrap() {
        whole = whole.merged(&chunk).unwrap();
    }
    let step = whole.key().interval.ms();
    let jump = |i: &usize| whole.open_time()[*i] - whole.open_time()[*i - 1];
    let widest = (3_100..whole.len() - 900).max_by_key(jump).unwrap();
    println!("{name}: {} candles are missing before {}", jump(&widest) / step - 1, whole.candle(widest).open_time);
    let missing = |i: usize| [2_650, 2_700, 2_701, 2_750, 2_751, 2_752].contains(&i) || (2_900..2_912).contains(&i);
    let mut columns = Columns::default();
    for i in (0..4_000).filter(|&i| !missing(i)) {
        columns.push(&whole.candle(widest - 3_100 + i));
    }
    Some(CandleSeries::new(whole.key().clone(), columns).unwrap())
}
