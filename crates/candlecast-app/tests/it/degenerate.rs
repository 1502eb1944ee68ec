//! Series that nothing can be learnt from, and settings that cannot work: an error that says what to do, or numbers
//! that are finite.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use candlecast_core::market::random_walk;
use candlecast_core::{
    Blame, Candle, CandleSeries, Columns, FeatureSet, Interval, ModelRequest, NoProgress, Problem, Seed, SeriesKey,
    Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_ingest::ImportOptions;
use candlecast_learn::{ModelReport, Report};
use candlecast_pipeline::catalog::supporting;
use candlecast_pipeline::{Method, PipelineOptions, evaluate_series};
use serde_json::{Value, json};

use crate::world::{model, store, world};

const HORIZON: usize = 6;

/// Hourly candles of 2023 with these closes; volumes go up and down.
fn series_of(closes: &[f64]) -> CandleSeries {
    let start = Timestamp::year_start(2023);
    let mut columns = Columns::default();
    for (i, &close) in closes.iter().enumerate() {
        let open = if i == 0 { close } else { closes[i - 1] };
        columns.push(&Candle {
            open_time: start.plus_ms(i as i64 * Interval::H1.ms()),
            open,
            high: open.max(close),
            low: open.min(close),
            close,
            volume: 1.0 + (i * 37 % 11) as f64,
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("ODDUSDT").unwrap(), Interval::H1);
    CandleSeries::new(key, columns).unwrap()
}

fn evaluate(series: &CandleSeries, models: &[ModelRequest], common: &PipelineOptions) -> Result<Report, Problem> {
    evaluate_series(series, models, common, TimeRange::ALL, Seed(42))
}

fn of_features(features: &[&str]) -> PipelineOptions {
    PipelineOptions { features: Some(FeatureSet::of(features)), ..PipelineOptions::new(HORIZON) }
}

/// Settings that make fits quick.
fn quick(id: &str) -> ModelRequest {
    let params = match id {
        "gbdt" => json!({ "rounds": 10, "maxDepth": 3 }),
        "random-forest" => json!({ "trees": 8 }),
        "lstm" | "gru" => json!({ "sequenceLength": 6, "hiddenSize": 8, "epochs": 2 }),
        _ => Value::Null,
    };
    model(id, params)
}

/// Every model of prices.
fn every_model() -> Vec<&'static str> {
    supporting(&PipelineOptions::new(HORIZON).task().unwrap())
}

fn all_finite(m: &ModelReport) -> bool {
    let (skill, m) = (m.skill, m.metrics.price().unwrap());
    let errors = [m.mae, m.rmse, m.mse, m.mape, m.smape, m.mean_error, m.max_error, m.min_error, m.mase];
    let shares = [m.r2, m.r2_price, m.directional_accuracy, m.coverage, m.interval_width, skill];
    errors.iter().chain(&shares).flatten().all(|v| v.is_finite())
}

#[test]
fn a_price_that_never_moves_is_named() {
    let still = series_of(&vec![100.0; 3_000]);
    // The volume moves, so that there is a feature; the price does not.
    let common = of_features(&["log_return_1", "volume_ratio_20"]);
    for id in every_model() {
        let error = evaluate(&still, &[quick(id)], &common).expect_err(id);
        assert_eq!((error.code, error.blame), ("fit-failed", Blame::Data), "{id}: {error}");
        assert!(error.detail.contains(id) && error.detail.contains("move"), "{id}: {error}");
    }
}

/// The default features include some that a price at rest leaves undefined.
#[test]
fn a_price_that_never_moves_is_named_with_the_models_own_features() {
    let still = series_of(&vec![100.0; 3_000]);
    for id in every_model() {
        let error = evaluate(&still, &[quick(id)], &PipelineOptions::new(HORIZON)).expect_err(id);
        assert_eq!(error.blame, Blame::Data, "{id}: {error}");
        assert!(
            error.detail.contains("move") || error.detail.contains("feature"),
            "{id}: nothing is missing, the price stands still, yet: {error}"
        );
    }
}

#[test]
fn baselines_on_a_price_that_never_moves_have_finite_scores() {
    let report = evaluate(&series_of(&vec![100.0; 3_000]), &[], &PipelineOptions::new(HORIZON)).unwrap();
    assert_eq!(report.models.len(), 4);
    for m in &report.models {
        assert!(all_finite(m), "{}: {:?}", m.name, m.metrics);
        assert_eq!(m.metrics.loss(), Some(0.0), "{}", m.name);
        assert!(
            m.forecasts.calibrated.iter().all(|c| (c.upper - c.lower).is_finite() && c.confidence == 0.5),
            "{}",
            m.name
        );
        assert!(!m.vs_reference.verdict.starts_with("better"), "{}: {}", m.name, m.vs_reference.verdict);
    }
}

#[test]
fn too_few_candles_are_counted() {
    for n in [0, 1, 2, 200, 1_000] {
        let walk = random_walk(n, Seed(1), 0.0);
        for id in every_model() {
            let error = evaluate(&walk, &[quick(id)], &PipelineOptions::new(HORIZON)).expect_err(id);
            assert_eq!((error.code, error.status), ("too-few-candles", 422), "{id} on {n}: {error}");
            let said = error.detail.contains(&format!("{n} candles")) && error.detail.contains("1000 to train on");
            assert!(said && error.detail.contains("import more"), "{id} on {n}: {error}");
        }
    }
}

/// The least number of candles that may be asked for: what fits is scored, what does not says why.
#[test]
fn few_candles_are_enough_or_too_few_but_never_nonsense() {
    let walk = random_walk(400, Seed(2), 0.0);
    let common = PipelineOptions { min_candles: 200, ..PipelineOptions::new(HORIZON) };
    for id in every_model() {
        match evaluate(&walk, &[quick(id)], &common) {
            Ok(report) => {
                assert!(report.models.iter().all(all_finite), "{id}");
                assert!(report.notes.iter().any(|note| note.contains("200")), "{id}: {:?}", report.notes);
            }
            Err(error) => {
                assert!(["fit-failed", "too-few-candles"].contains(&error.code), "{id}: {error}");
                assert!(error.detail.contains("too few") || error.detail.contains("longer"), "{id}: {error}");
            }
        }
    }
    assert!(evaluate(&walk, &[quick("hybrid")], &common).is_ok(), "400 closes are enough for two hundred to train on");
    let short = evaluate(&random_walk(200, Seed(2), 0.0), &[quick("hybrid")], &common).unwrap_err();
    assert!(short.code == "too-few-candles" && short.detail.contains("212 are needed"), "{short}");
}

#[tokio::test]
async fn two_hundred_stored_candles_are_refused_too() {
    let world = world();
    let key = store(&world.app, &random_walk(200, Seed(3), 0.0)).await;
    let method = Method::walk_forward(TimeRange::ALL);
    let asked = candlecast_app::evaluate(
        &world.app,
        &key,
        vec![quick("hybrid")],
        PipelineOptions::new(HORIZON),
        method,
        Arc::new(NoProgress),
    );
    let error = asked.await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("too-few-candles", 1), "{error}");
}

#[tokio::test]
async fn a_cancelled_evaluation_says_so() {
    let world = world();
    let key = store(&world.app, &random_walk(2_000, Seed(3), 0.0)).await;
    world.cancel.store(true, Ordering::Relaxed);
    let method = Method::walk_forward(TimeRange::ALL);
    let asked = candlecast_app::evaluate(
        &world.app,
        &key,
        vec![quick("hybrid")],
        PipelineOptions::new(HORIZON),
        method,
        Arc::new(NoProgress),
    );
    let error = asked.await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("cancelled", 130), "{error}");
}

/// What is no number never reaches the store, so no model ever reads it.
#[tokio::test]
async fn what_is_no_number_is_not_stored() {
    let walk = random_walk(300, Seed(4), 0.0);
    let spoilt = [(10, 4, "NaN"), (20, 4, "inf"), (30, 2, "-inf"), (40, 1, "0"), (50, 5, "nan"), (60, 3, "1e999")];
    let mut text = String::from("open_time,open,high,low,close,volume\n");
    for i in 0..walk.len() {
        let c = walk.candle(i);
        let mut fields = vec![c.open_time.ms().to_string()];
        fields.extend([c.open, c.high, c.low, c.close, c.volume].map(|v| v.to_string()));
        for &(_, field, value) in spoilt.iter().filter(|s| s.0 == i) {
            fields[field] = value.into();
        }
        writeln!(text, "{}", fields.join(",")).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ODDUSDT-1h.csv");
    std::fs::write(&path, text).unwrap();
    let world = world();
    let imported =
        candlecast_app::import_file(&world.app, &path, &ImportOptions::default(), &NoProgress).await.unwrap();
    assert_eq!(imported.report.rejected, spoilt.len() as u64);
    let stored = world.app.series(&imported.key).await.unwrap();
    assert_eq!(stored.len(), walk.len() - spoilt.len());
    let c = stored.columns();
    for column in [&c.open, &c.high, &c.low, &c.close, &c.volume] {
        assert!(column.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn a_learning_rate_of_a_million_is_refused_with_its_bounds() {
    let walk = random_walk(2_000, Seed(5), 0.0);
    for id in ["lstm", "gru"] {
        let error =
            evaluate(&walk, &[model(id, json!({ "learningRate": 1e6 }))], &PipelineOptions::new(HORIZON)).unwrap_err();
        assert_eq!((error.code, error.exit_code()), ("bad-parameter", 2), "{error}");
        assert_eq!(error.field.as_deref(), Some("learningRate"), "{error}");
        assert!(error.detail.contains("0.000001 to 1") || error.detail.contains("1e-6"), "no bounds: {error}");
    }
}

/// The greatest learning rate there is, with no bound on the gradient: bad, but finite.
#[test]
fn the_greatest_learning_rate_gives_numbers_or_an_error() {
    let walk = random_walk(2_000, Seed(6), 0.0);
    let params = json!({
        "sequenceLength": 6, "hiddenSize": 8, "epochs": 4, "learningRate": 1.0, "gradientClip": 0.0,
    });
    for id in ["lstm", "gru"] {
        match evaluate(&walk, &[model(id, params.clone())], &PipelineOptions::new(HORIZON)) {
            Ok(report) => assert!(report.models.iter().all(all_finite), "{id}"),
            Err(error) => assert!(error.detail.contains("learningRate"), "{id}: {error}"),
        }
    }
}

/// The price flickers by one unit in the last place, rests, and then leaves all bounds: measured in its volatility
/// the jump is beyond single precision once squared. Clipped targets have no such jumps.
#[test]
fn an_infinite_loss_is_named_with_its_remedy() {
    let mut closes: Vec<f64> =
        (0..1_600).map(|i| if i < 1_000 && i % 8 < 4 { 1.0 - f64::EPSILON / 2.0 } else { 1.0 }).collect();
    closes.extend((0..600).map(|i| 1e300 * (1.0 + 0.01 * f64::from(i % 7))));
    let series = series_of(&closes);
    let common = PipelineOptions { min_candles: 2_000, retrain_days: 365, ..of_features(&["log_return_1"]) };
    for id in ["lstm", "gru"] {
        let params = json!({ "sequenceLength": 6, "hiddenSize": 8, "epochs": 2, "target": "raw" });
        let error = evaluate(&series, &[model(id, params)], &common).unwrap_err();
        assert_eq!(error.code, "fit-failed", "{id}: {error}");
        let said = ["loss", "epoch 1", "became inf", "learningRate below 0.001", "extreme values"];
        assert!(said.iter().all(|part| error.detail.contains(part)), "{id}: {error}");
    }
}
