//! Laws of fitting, saving and forecasting.

use std::sync::Arc;

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::{
    CalibrationState, Dataset, FitError, FittedForecaster, FittedPipeline, Fold, FoldRows, Forecaster, ForecasterState,
    Labels, Market, Panel, PipelineState, Silent, Start, Task, split,
};
use serde_json::json;

use crate::forecasters::{Catalogs, LEVEL, VALID_SHARE, baseline, forecaster, model, panel_of, restored, state_of};
use crate::learners::{by_rule, by_rule_on, row_of};
use crate::markets::{closes_only, features, generated, market, with_features, with_other_future};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
/// A fit in the middle of a market of 3,000 candles.
const FOLD: FoldRows = FoldRows { window_start: 200, fit_row: 1_800, test: 1_800..3_000 };

fn fitted(forecaster: &Forecaster) -> FittedForecaster {
    let fold = Fold::of_rows(forecaster.market(0), &FOLD);
    let fit = forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent);
    fit.unwrap_or_else(|e| panic!("{}: {e}", forecaster.name)).0
}

fn refusal(forecaster: &Forecaster, rows: &FoldRows) -> FitError {
    let fold = Fold::of_rows(forecaster.market(0), rows);
    forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).map(|_| ()).unwrap_err()
}

/// Last training row of [`FOLD`] for windows of one row.
fn last_trained(panel: &Panel) -> usize {
    let fold = Fold::of_rows(panel.market(), &FOLD);
    let parts = split(&fold, &Dataset::single(panel.clone()), 1, HORIZON, VALID_SHARE);
    assert!(parts.valid.len() > 200, "the validation part is behind the training part");
    parts.train.last().unwrap().row as usize
}

/// The features of `market`, a million times as large from `row` on.
fn huge_from(market: &Arc<Market>, row: usize) -> Panel {
    let mut table = features(market);
    for column in &mut table.columns {
        for value in &mut column[row..] {
            *value *= 1e6;
        }
    }
    Panel::new(Arc::clone(market), &table)
}

fn linear(panel: Panel, task: Task) -> Forecaster {
    model("linear", &json!({ "target": "raw" }), panel, task)
}

#[test]
fn the_scaler_sees_the_training_part_only() {
    let market = market(&generated(3_000, 3));
    let scaler = |panel: Panel| state_of(&fitted(&linear(panel, TASK))).scaler;
    let plain = with_features(&market);
    let last = last_trained(&plain);
    let expected = scaler(plain);
    assert_eq!((expected.keep.as_slice(), expected.clip), (&[0, 1][..], Some(10.0)));
    assert_eq!(scaler(huge_from(&market, last + 1)), expected, "what follows the training part is not looked at");
    assert_ne!(scaler(huge_from(&market, last)), expected, "the last training row is");
}

#[test]
fn class_thresholds_see_the_training_part_only() {
    let series = generated(3_000, 3);
    let task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
    let thresholds = |market: &Arc<Market>| {
        let gbdt = model("gbdt", &json!({ "rounds": 2, "maxDepth": 2 }), with_features(market), task);
        state_of(&fitted(&gbdt)).thresholds.unwrap()
    };
    let plain = market(&series);
    let expected = thresholds(&plain);
    assert!(expected.sell < 0.0 && expected.buy > 0.0);
    // The last label reaches one horizon beyond the last training row.
    let first_unseen = last_trained(&with_features(&plain)) + HORIZON + 1;
    assert_eq!(thresholds(&market(&with_other_future(&series, first_unseen))), expected);
    assert_ne!(thresholds(&market(&with_other_future(&series, 1_000))), expected);
}

#[test]
fn a_restored_pipeline_forecasts_the_same_bits() {
    let market = market(&generated(3_000, 3));
    let rows: Vec<usize> = FOLD.test.collect();
    for (id, params) in [
        ("linear", json!({})),
        ("hybrid", json!({})),
        ("gbdt", json!({ "rounds": 10, "maxDepth": 3 })),
        ("random-forest", json!({ "trees": 5 })),
        ("gru", json!({ "epochs": 1, "hiddenSize": 6, "sequenceLength": 8 })),
    ] {
        let panel = if id == "hybrid" { closes_only(&market) } else { with_features(&market) };
        let forecaster = model(id, &params, panel, TASK);
        let pipeline = fitted(&forecaster);
        let expected = pipeline.predict(panel_of(&forecaster), &rows);
        assert_eq!((expected.means.len(), expected.scales.len()), (rows.len() * HORIZON, rows.len() * HORIZON));
        assert_eq!(restored(&pipeline).predict(panel_of(&forecaster), &rows), expected, "{id}");
    }
}

#[test]
fn a_state_that_contradicts_its_learner_is_refused() {
    let forecaster = linear(with_features(&market(&generated(3_000, 3))), TASK);
    let learner = &forecaster.as_pipeline().unwrap().learner;
    let sound = state_of(&fitted(&forecaster));
    assert!(FittedPipeline::restore(sound.clone(), &**learner).is_ok());
    let mut lookback = sound.clone();
    lookback.lookback = 2;
    let mut lengths = sound.clone();
    lengths.scaler.center.pop();
    let mut scale = sound.clone();
    scale.scaler.scale[0] = 0.0;
    let mut model = sound;
    model.config.model = "no-such-model".into();
    for state in [&lookback, &lengths, &scale] {
        assert!(FittedPipeline::restore(state.clone(), &**learner).is_err());
    }
    for state in [lookback, lengths, scale, model] {
        assert!(FittedForecaster::restore(ForecasterState::Pipeline(Box::new(state)), &Catalogs).is_err());
    }
}

#[test]
fn forecasts_do_not_depend_on_how_many_are_made_at_once() {
    let market = market(&generated(7_000, 4));
    let mean_of_window = by_rule_on(5, |x, i, h| {
        let window = x.window(i);
        (h + 1) as f64 * f64::from(window.iter().sum::<f32>()) / window.len() as f64
    });
    let forecaster = forecaster("window", mean_of_window, with_features(&market), TASK);
    let (pipeline, panel) = (fitted(&forecaster), panel_of(&forecaster));
    // More than are scaled at once, and with gaps between them.
    let rows: Vec<usize> = (1_800..7_000).filter(|row| row % 11 != 3).collect();
    let all = pipeline.predict(panel, &rows);
    for (i, &row) in rows.iter().enumerate().filter(|(i, _)| i % 13 == 0 || (4_090..4_100).contains(i)) {
        assert_eq!(all.row(i), pipeline.predict(panel, &[row]).row(0), "row {row}");
    }
}

#[test]
fn features_are_found_by_their_ids_among_others_and_in_any_order() {
    let market = market(&generated(3_000, 3));
    let forecaster = linear(with_features(&market), TASK);
    let pipeline = fitted(&forecaster);
    let mut table = features(&market);
    table.names.reverse();
    table.columns.reverse();
    table.names.insert(1, "other".into());
    table.columns.insert(1, vec![1e9; 3_000]);
    let rows = [1_900, 2_500];
    let expected = pipeline.predict(panel_of(&forecaster), &rows);
    assert_eq!(pipeline.predict(&Panel::new(market, &table), &rows), expected);
}

#[test]
fn without_a_scale_of_its_own_a_model_gets_that_of_har_x_or_the_volatility_times_the_root_of_the_step() {
    let market = market(&generated(3_000, 3));
    let pipeline = fitted(&baseline("naive", &market, TASK));
    let forecasts = pipeline.predict(&closes_only(&market), &[2_000]);
    let expected: Vec<f64> = (1..=HORIZON).map(|h| market.volatility()[2_000] * (h as f64).sqrt()).collect();
    // Behind 1,000 candles whose ranges and volumes are known there is a fit of the scale, of which these differ little.
    for (scale, expected) in forecasts.scales.iter().zip(&expected) {
        assert!((0.4..2.5).contains(&(scale / expected)), "{scale} {expected}");
    }
    let early = FoldRows { window_start: 0, fit_row: 900, test: 900..1_000 };
    let fold = Fold::of_rows(&market, &early);
    let naive = baseline("naive", &market, TASK).fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
    let expected: Vec<f64> = (1..=HORIZON).map(|h| market.volatility()[950] * (h as f64).sqrt()).collect();
    assert_eq!(naive.predict(&closes_only(&market), &[950]).scales, expected, "before that it is the volatility");
}

#[test]
fn a_forecast_does_not_know_what_follows_its_origin() {
    const ROW: usize = 2_500;
    let series = generated(3_000, 3);
    let forecast = |market: &Arc<Market>| {
        let forecaster = linear(with_features(market), TASK);
        let (pipeline, panel) = (fitted(&forecaster), panel_of(&forecaster));
        let fresh = CalibrationState::new(LEVEL, &TASK, 24.0);
        let mut calibrator = pipeline.replay(panel, fresh, FOLD.fit_row, ROW);
        let known = calibrator.state().clone();
        (pipeline.forecast(panel, ROW, &mut calibrator), known)
    };
    let expected = forecast(&market(&series));
    assert_eq!(expected.1.outcomes(), ROW - FOLD.fit_row - HORIZON + 1, "every outcome known by then was learnt");
    assert_eq!(forecast(&market(&with_other_future(&series, ROW + 1))), expected);
    assert_ne!(forecast(&market(&with_other_future(&series, ROW))).0, expected.0);
    let market = market(&series);
    let last = market.series().close_time(ROW);
    assert_eq!((expected.0.origin, expected.0.steps().len()), (last, HORIZON));
    assert!(expected.0.steps().iter().all(|s| s.lower < s.price && s.price < s.upper && s.target_time > last));
}

#[test]
fn a_calibration_that_is_saved_goes_on_as_if_nothing_had_happened() {
    let market = market(&generated(3_000, 3));
    let forecaster = linear(with_features(&market), TASK);
    let (pipeline, panel) = (fitted(&forecaster), panel_of(&forecaster));
    let fresh = CalibrationState::new(LEVEL, &TASK, 24.0);
    let learnt = pipeline.replay(panel, fresh, 1_800, 2_400).state().clone();
    let text = serde_json::to_string(&learnt).unwrap();
    let read: CalibrationState = serde_json::from_str(&text).unwrap();
    let go_on = |state: CalibrationState| {
        let mut calibrator = pipeline.replay(panel, state, 2_400, 2_900);
        pipeline.forecast(panel, 2_900, &mut calibrator)
    };
    let expected = go_on(learnt);
    let steps = expected.steps();
    assert!(
        steps.len() == HORIZON && steps.iter().all(|step| step.calibrated),
        "1,100 outcomes are enough for a confidence"
    );
    assert_eq!(go_on(read), expected);
    assert_ne!(go_on(CalibrationState::new(LEVEL, &TASK, 24.0)), expected, "what was learnt before matters");
}

#[test]
fn fits_that_make_no_sense_are_refused() {
    let market = market(&generated(3_000, 3));
    let few = FoldRows { window_start: 1_740, fit_row: 1_800, test: 1_800..1_900 };
    match refusal(&linear(with_features(&market), TASK), &few) {
        FitError::TooFewSamples { have, need } => assert!(have < need && need == 50, "{have} {need}"),
        other => panic!("{other}"),
    }
    let constant = FeatureTable { names: vec!["constant".into()], columns: vec![vec![1.0; 3_000]] };
    let error = refusal(&linear(Panel::new(Arc::clone(&market), &constant), TASK), &FOLD);
    assert!(matches!(&error, FitError::Degenerate(text) if text.contains("constant")), "{error}");
    let direction = Task::Direction { horizon: HORIZON, labels: Labels::Fixed { threshold: 0.01 } };
    let unable = forecaster("by-rule", by_rule(|_, _, _| 0.0), closes_only(&market), direction);
    let expected = FitError::Unsupported { model: "by-rule".into(), task: "direction".into() };
    assert_eq!(refusal(&unable, &FOLD), expected);
}

#[test]
fn constant_features_are_left_out_and_named() {
    let market = market(&generated(3_000, 3));
    let mut table = features(&market);
    table.names.insert(1, "constant".into());
    table.columns.insert(1, vec![7.0; 3_000]);
    let forecaster = model("linear", &json!({ "target": "raw" }), Panel::new(Arc::clone(&market), &table), TASK);
    let fold = Fold::of_rows(&market, &FOLD);
    let (pipeline, summary) = forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap();
    assert_eq!(summary.dropped, ["constant"]);
    let kept: Vec<&str> = state_of(&pipeline).scaler.keep.iter().map(|&k| table.names[k].as_str()).collect();
    assert_eq!(kept, ["body", "range"]);
    let without = fitted(&model("linear", &json!({ "target": "raw" }), with_features(&market), TASK));
    let rows = [2_000, 2_001];
    let expected = without.predict(&with_features(&market), &rows);
    assert_eq!(pipeline.predict(panel_of(&forecaster), &rows), expected, "as if they had not been there");
}

#[test]
fn rows_are_those_of_the_market_whatever_part_is_forecast() {
    let market = market(&generated(3_000, 3));
    let forecaster = forecaster("row", by_rule(|x, i, _| row_of(x, i) as f64), with_features(&market), TASK);
    let rows = [1_900, 1_950, 2_999];
    let forecasts = fitted(&forecaster).predict(panel_of(&forecaster), &rows);
    let expected: Vec<f64> = rows.iter().flat_map(|&row| [row as f64; HORIZON]).collect();
    assert_eq!(forecasts.means, expected);
}

#[test]
fn weights_of_features_that_are_dropped_here_are_no_beginning() {
    let market = market(&generated(3_000, 3));
    let mut table = features(&market);
    // Constant over the window of the first fit, whose two weights are of the other features.
    table.names.insert(1, "late".into());
    table.columns.insert(1, (0..3_000).map(|row| if row < 1_300 { 0.0 } else { (row % 7) as f64 }).collect());
    let forecaster = model("linear", &json!({ "target": "raw" }), Panel::new(Arc::clone(&market), &table), TASK);
    let fold = |fit_row| Fold::of_rows(&market, &FoldRows { window_start: 200, fit_row, test: fit_row..3_000 });
    let begin = |warm: Option<&PipelineState>, fit_row| {
        forecaster
            .fit(&fold(fit_row), Seed(1), 1, Start { warm, resume: None }, &mut Silent)
            .map(|fit| state_of(&fit.0))
    };
    let (before, after) = (begin(None, 1_200).unwrap(), begin(None, 2_600).unwrap());
    assert_eq!((&before.scaler.keep[..], &after.scaler.keep[..]), (&[0, 2][..], &[0, 1, 2][..]));
    let other = Err(FitError::OtherFeatures { feature: "late".into() });
    assert_eq!(begin(Some(&before), 2_600), other);
    assert_eq!(begin(Some(&after), 1_200), other);
    assert_eq!(begin(Some(&after), 2_600), Ok(after.clone()));
}
