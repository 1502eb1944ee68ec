//! Digests of all that a run computes, part by part, so that a change of bits says where it began.

use std::collections::BTreeMap;

use candlecast_core::Forecast;
use candlecast_learn::walk_forward::ForecastTable;
use candlecast_learn::{CalibrationState, Market, ModelReport, PipelineState, Plan, Report, Values};

use crate::bits::Bits;

/// Digests by what they are of.
pub(crate) type Digests = BTreeMap<String, String>;

/// Which rows of `market` train, test and are scored.
pub(crate) fn of_plan(plan: &Plan, market: &Market) -> String {
    let rows = plan.rows(market);
    let mut bits = Bits::default();
    bits.count(rows.folds.len());
    for fold in &rows.folds {
        bits.counts(&[fold.window_start, fold.fit_row, fold.test.start, fold.test.end]);
    }
    bits.counts(&[rows.scored.start, rows.scored.end, rows.known_to]).texts(&plan.notes);
    bits.hex()
}

/// Forecasts of one model over `horizon` steps and how its fits went. The time that they took is no part of it.
pub(crate) fn of_table(table: &ForecastTable, horizon: usize) -> String {
    of_table_with(table, horizon, &table.forecasts.scales)
}

/// As [`of_table`], of class forecasts. Errors of probabilities have no unit, so their scales are 1. The record is older:
/// there the volatility at the origin times the root of 1, 2 and 3 stood for the three of them, which nothing read. Those
/// numbers enter here, so that the record goes on telling whether a probability has changed.
pub(crate) fn of_class_table(table: &ForecastTable, horizon: usize, market: &Market) -> String {
    assert!(table.forecasts.scales.iter().all(|&scale| scale == 1.0), "errors of probabilities have no unit");
    let recorded: Vec<f64> = table
        .rows
        .iter()
        .flat_map(|&row| {
            let sigma = market.volatility()[row].max(1e-8);
            [1.0_f64, 2.0, 3.0].map(|k| sigma * k.sqrt())
        })
        .collect();
    of_table_with(table, horizon, &recorded)
}

fn of_table_with(table: &ForecastTable, horizon: usize, scales: &[f64]) -> String {
    let mut bits = Bits::default();
    bits.counts(&table.rows).count(horizon).floats(&table.forecasts.means).floats(scales);
    bits.count(table.fits.len());
    for fit in &table.fits {
        bits.text(&format!("{:?}", fit.stopped)).counts(&[fit.steps, fit.n_train, fit.n_valid]);
        bits.floats(&fit.curve.train).floats(&fit.curve.valid).texts(&fit.dropped);
    }
    bits.hex()
}

/// What a report on prices says of the run and of every model.
pub(crate) fn of_report(report: &Report) -> Digests {
    let mut bits = Bits::default();
    bits.counts(&[report.horizon, report.origins, report.left_out, report.calibration_outcomes]);
    bits.float(report.level).texts(&report.notes).count(report.models.len());
    let mut digests = Digests::from([("report".to_owned(), bits.hex())]);
    for model in &report.models {
        digests.insert(format!("{} calibration", model.name), of_calibration(model));
        digests.insert(format!("{} scores", model.name), of_scores(model));
    }
    digests
}

/// Forecasts of the scored origins with their intervals and confidences, and what calibration knows at the end.
fn of_calibration(model: &ModelReport) -> String {
    let mut bits = Bits::default();
    let forecasts = &model.forecasts;
    for time in [forecasts.from, forecasts.to] {
        bits.text(&time.map_or_else(String::new, |t| t.ms().to_string()));
    }
    bits.counts(&forecasts.rows).floats(&forecasts.means).count(forecasts.calibrated.len());
    for c in &forecasts.calibrated {
        bits.float(c.mean).float(c.lower).float(c.upper).float(c.confidence).flag(c.calibrated);
    }
    add_calibration(&mut bits, &model.calibration);
    bits.hex()
}

/// As JSON, whose numbers are read back to the same bits: this is how the state is stored with a model.
fn add_calibration(bits: &mut Bits, state: &CalibrationState) {
    bits.text(&serde_json::to_string(state).unwrap());
}

/// Metrics, steps, tests, verdict, direction and reliability.
fn of_scores(model: &ModelReport) -> String {
    let mut bits = Bits::default();
    let m = model.metrics.price().unwrap();
    let of_prices = [m.mae, m.rmse, m.mse, m.mape, m.smape, m.mean_error, m.max_error, m.min_error, m.r2_price];
    let others = [m.r2, m.directional_accuracy, m.coverage, m.interval_width, m.skill, m.skill_scaled, m.mase];
    for value in of_prices.into_iter().chain(others) {
        bits.option(value);
    }
    bits.count(m.ties).count(model.per_horizon.len());
    for step in &model.per_horizon {
        bits.count(step.step);
        for value in [step.mae, step.coverage, step.directional_accuracy, step.p_value] {
            bits.option(value);
        }
        bits.text(step.verdict.as_str());
    }
    let vs = &model.vs_reference;
    bits.test(vs.test).option(vs.corrected).test(vs.signal.map(|signal| signal.test)).text(&vs.verdict);
    bits.option(vs.signal.map(|signal| signal.corrected)).text(vs.code.as_str());
    bits.counts(&[vs.independent, vs.tries, vs.earlier_tries]);
    bits.option(model.direction.map(|d| d.reference)).test(model.direction.and_then(|d| d.test));
    let reliability = &model.reliability;
    bits.count(reliability.table.len());
    for &(confidence, right, n) in &reliability.table {
        bits.float(confidence).float(right).count(n);
    }
    bits.option(reliability.ece).option(reliability.brier);
    bits.hex()
}

/// A fitted pipeline as it would be saved, without its configuration.
pub(crate) fn of_pipeline(state: &PipelineState) -> String {
    let mut bits = Bits::default();
    let scaler = &state.scaler;
    bits.count(state.lookback).text(&format!("{:?}", scaler.kind));
    bits.counts(&scaler.keep).floats(&scaler.center).floats(&scaler.scale).option(scaler.clip).texts(&scaler.dropped);
    bits.option(state.thresholds.map(|t| t.sell)).option(state.thresholds.map(|t| t.buy));
    bits.text(&state.model.facts.to_string()).count(state.model.tensors.len());
    for (name, tensor) in &state.model.tensors {
        bits.text(name).counts(&tensor.shape);
        match &tensor.values {
            Values::F32(values) => bits.singles(values),
            Values::F64(values) => bits.floats(values),
        };
    }
    bits.hex()
}

/// Forecasts in prices, and what calibration knew after the last of them.
pub(crate) fn of_forecasts(forecasts: &[Option<Forecast>], calibration: &CalibrationState) -> String {
    let mut bits = Bits::default();
    bits.count(forecasts.len());
    for forecast in forecasts {
        bits.flag(forecast.is_some());
        let Some(forecast) = forecast else { continue };
        bits.text(&forecast.origin.ms().to_string()).float(forecast.origin_price).float(forecast.level);
        bits.count(forecast.steps().len());
        for s in forecast.steps() {
            bits.count(s.step).text(&s.target_time.ms().to_string());
            bits.float(s.price).float(s.lower).float(s.upper).float(s.confidence).flag(s.calibrated);
        }
    }
    add_calibration(&mut bits, calibration);
    bits.hex()
}
