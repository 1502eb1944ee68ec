//! The document of `compare` and `backtest`.

use candlecast_core::Timestamp;
use candlecast_learn::significance::Test;
use candlecast_learn::{Metrics, ModelReport, Report};
use serde::Serialize;
use serde_json::Value;

use crate::evaluation::Evaluation;
use crate::fingerprint::instruction_set;

/// Metrics of one model. Prices in quote units, `mape` and `smape` in percent, shares in 0..1.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsDoc {
    mae: Option<f64>,
    rmse: Option<f64>,
    mse: Option<f64>,
    mape: Option<f64>,
    smape: Option<f64>,
    r2: Option<f64>,
    r2_price: Option<f64>,
    directional_accuracy: Option<f64>,
    directional_ties: usize,
    mean_error: Option<f64>,
    max_error: Option<f64>,
    min_error: Option<f64>,
    coverage: Option<f64>,
    interval_width: Option<f64>,
    skill: Option<f64>,
    mase: Option<f64>,
}

impl From<&Metrics> for MetricsDoc {
    fn from(m: &Metrics) -> Self {
        Self {
            mae: m.mae,
            rmse: m.rmse,
            mse: m.mse,
            mape: m.mape,
            smape: m.smape,
            r2: m.r2,
            r2_price: m.r2_price,
            directional_accuracy: m.directional_accuracy,
            directional_ties: m.ties,
            mean_error: m.mean_error,
            max_error: m.max_error,
            min_error: m.min_error,
            coverage: m.coverage,
            interval_width: m.interval_width,
            skill: m.skill,
            mase: m.mase,
        }
    }
}

/// Metrics as JSON.
pub fn metrics_value(m: &Metrics) -> Value {
    serde_json::to_value(MetricsDoc::from(m)).unwrap_or(Value::Null)
}

/// Metrics as JSON with the rows they were scored on, so that later figures can be told to be of the same origins.
pub fn scored_metrics_value(m: &ModelReport, origins: usize) -> Value {
    let mut value = metrics_value(&m.metrics);
    if let Some(object) = value.as_object_mut() {
        object.insert("origins".into(), origins.into());
        object.insert("scoredFrom".into(), m.forecasts.from.map_or(Value::Null, |t| t.ms().into()));
        object.insert("scoredTo".into(), m.forecasts.to.map_or(Value::Null, |t| t.ms().into()));
        object.insert("verdict".into(), m.vs_naive.verdict.clone().into());
    }
    value
}

/// Metrics of every baseline as JSON, by name.
pub fn baselines_value(report: &Report) -> Value {
    Value::Object(
        report.models.iter().filter(|m| m.baseline).map(|m| (m.name.clone(), metrics_value(&m.metrics))).collect(),
    )
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepDoc {
    step: usize,
    mae: Option<f64>,
    coverage: Option<f64>,
    directional_accuracy: Option<f64>,
    p_value: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct TestDoc {
    statistic: f64,
    p_value: f64,
}

impl From<Test> for TestDoc {
    fn from(t: Test) -> Self {
        Self { statistic: t.statistic, p_value: t.p_value }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct VsNaiveDoc {
    test: &'static str,
    statistic: Option<f64>,
    p_value: Option<f64>,
    p_value_holm: Option<f64>,
    verdict: String,
    clark_west: Option<TestDoc>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct DirectionDoc {
    reference: f64,
    statistic: Option<f64>,
    p_value: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReliabilityBinDoc {
    confidence: f64,
    right: f64,
    count: usize,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReliabilityDoc {
    ece: Option<f64>,
    brier: Option<f64>,
    table: Vec<ReliabilityBinDoc>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct FitsDoc {
    count: usize,
    mean_steps: f64,
    mean_train_samples: f64,
    dropped_features: Vec<String>,
}

/// One model of a report.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelReportDoc {
    model: String,
    baseline: bool,
    metrics: MetricsDoc,
    per_horizon: Vec<StepDoc>,
    vs_naive: VsNaiveDoc,
    direction: Option<DirectionDoc>,
    reliability: ReliabilityDoc,
    fits: FitsDoc,
    fit_seconds: f64,
}

impl From<&ModelReport> for ModelReportDoc {
    fn from(m: &ModelReport) -> Self {
        let n = m.fits.len().max(1) as f64;
        let mut dropped: Vec<String> = m.fits.iter().flat_map(|f| f.dropped.clone()).collect();
        dropped.sort();
        dropped.dedup();
        Self {
            model: m.name.clone(),
            baseline: m.baseline,
            metrics: (&m.metrics).into(),
            per_horizon: m
                .per_horizon
                .iter()
                .map(|s| StepDoc {
                    step: s.step,
                    mae: s.mae,
                    coverage: s.coverage,
                    directional_accuracy: s.directional_accuracy,
                    p_value: s.p_value,
                })
                .collect(),
            vs_naive: VsNaiveDoc {
                test: "diebold-mariano-hln",
                statistic: m.vs_naive.test.map(|t| t.statistic),
                p_value: m.vs_naive.test.map(|t| t.p_value),
                p_value_holm: m.vs_naive.corrected,
                verdict: m.vs_naive.verdict.clone(),
                clark_west: m.vs_naive.clark_west.map(Into::into),
            },
            direction: m.direction.map(|d| DirectionDoc {
                reference: d.reference,
                statistic: d.test.map(|t| t.statistic),
                p_value: d.test.map(|t| t.p_value),
            }),
            reliability: ReliabilityDoc {
                ece: m.reliability.ece,
                brier: m.reliability.brier,
                table: m
                    .reliability
                    .table
                    .iter()
                    .map(|&(confidence, right, count)| ReliabilityBinDoc { confidence, right, count })
                    .collect(),
            },
            fits: FitsDoc {
                count: m.fits.len(),
                mean_steps: m.fits.iter().map(|f| f.steps as f64).sum::<f64>() / n,
                mean_train_samples: m.fits.iter().map(|f| f.n_train as f64).sum::<f64>() / n,
                dropped_features: dropped,
            },
            fit_seconds: m.fit_seconds,
        }
    }
}

/// A whole evaluation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationDoc {
    venue: String,
    symbol: String,
    interval: String,
    synthetic: bool,
    horizon_steps: usize,
    origins: usize,
    left_out: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    interval_level: f64,
    calibration_outcomes: usize,
    notes: Vec<String>,
    models: Vec<ModelReportDoc>,
    seed: u64,
    instruction_set: &'static str,
    program: &'static str,
    fingerprint: String,
}

impl EvaluationDoc {
    /// The document of `e`, run with `seed`.
    pub fn new(e: &Evaluation, seed: u64) -> Self {
        Self {
            venue: e.key.venue.to_string(),
            symbol: e.key.symbol.to_string(),
            interval: e.key.interval.to_string(),
            synthetic: e.key.venue.is_synthetic(),
            horizon_steps: e.report.horizon,
            origins: e.report.origins,
            left_out: e.report.left_out,
            from: e.scored.map(|r| r.from),
            to: e.scored.map(|r| r.to),
            interval_level: e.report.level,
            calibration_outcomes: e.report.calibration_outcomes,
            notes: e.report.notes.clone(),
            models: e.report.models.iter().map(Into::into).collect(),
            seed,
            instruction_set: instruction_set(),
            program: env!("CARGO_PKG_VERSION"),
            fingerprint: e.fingerprint.clone(),
        }
    }
}
