//! Documents of `predictions`.

use candlecast_core::Timestamp;
use candlecast_learn::Metrics;
use candlecast_meta::{LoggedPrediction, Page};
use candlecast_pipeline::{Accuracy, GroupAccuracy, ModelAccuracy};
use serde::Serialize;

use crate::settle::Settlement;

/// A logged prediction. Prices in quote units.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionDoc {
    model_id: String,
    venue: String,
    symbol: String,
    interval: String,
    origin: Timestamp,
    step: u32,
    target_time: Timestamp,
    made_at: Timestamp,
    origin_price: f64,
    price: f64,
    lower_bound: Option<f64>,
    upper_bound: Option<f64>,
    interval_level: Option<f64>,
    confidence: Option<f64>,
    status: String,
    actual: Option<f64>,
    error: Option<f64>,
    validated_at: Option<Timestamp>,
    synthetic: bool,
}

impl From<&LoggedPrediction> for PredictionDoc {
    fn from(p: &LoggedPrediction) -> Self {
        let made = &p.made;
        Self {
            model_id: made.model_id.clone(),
            venue: made.series.venue.to_string(),
            symbol: made.series.symbol.to_string(),
            interval: made.series.interval.to_string(),
            origin: made.origin,
            step: made.step,
            target_time: made.target_time,
            made_at: made.made_at,
            origin_price: made.base_price,
            price: made.prediction,
            lower_bound: made.interval.map(|i| i.lower),
            upper_bound: made.interval.map(|i| i.upper),
            interval_level: made.interval.map(|i| i.level),
            confidence: made.confidence,
            status: p.status.to_string(),
            actual: p.actual,
            error: p.error,
            validated_at: p.validated_at,
            synthetic: made.series.venue.is_synthetic(),
        }
    }
}

/// A page of the prediction log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionsDoc {
    predictions: Vec<PredictionDoc>,
    /// What `--after` takes for the next page; null on the last.
    next: Option<String>,
}

impl From<&Page<LoggedPrediction>> for PredictionsDoc {
    fn from(page: &Page<LoggedPrediction>) -> Self {
        Self {
            predictions: page.items.iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// What became of predictions that were looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettlementDoc {
    validated: u64,
    unscorable: u64,
    unscorable_missing: u64,
    unscorable_halted: u64,
    pending: u64,
    problems: Vec<String>,
}

impl SettlementDoc {
    /// The document of `s`, after which `pending` predictions wait.
    pub fn new(s: &Settlement, pending: u64) -> Self {
        Self {
            validated: s.validated,
            unscorable: s.missing + s.halted,
            unscorable_missing: s.missing,
            unscorable_halted: s.halted,
            pending,
            problems: s.problems.clone(),
        }
    }
}

/// Rolling accuracy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccuracyDoc {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    window_days: Option<u32>,
    /// True where only the newest predictions of the window were read.
    cut: bool,
    models: Vec<ModelAccuracyDoc>,
}

impl AccuracyDoc {
    /// The document of `a` over the window that was asked for.
    pub fn new(a: &Accuracy, window_days: Option<u32>) -> Self {
        Self {
            from: a.range.map(|r| r.from),
            to: a.range.map(|r| r.to),
            window_days,
            cut: a.cut,
            models: a.models.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelAccuracyDoc {
    model_id: String,
    venue: String,
    symbol: String,
    interval: String,
    synthetic: bool,
    groups: Vec<GroupAccuracyDoc>,
}

impl From<&ModelAccuracy> for ModelAccuracyDoc {
    fn from(m: &ModelAccuracy) -> Self {
        Self {
            model_id: m.model_id.clone(),
            venue: m.series.venue.to_string(),
            symbol: m.series.symbol.to_string(),
            interval: m.series.interval.to_string(),
            synthetic: m.series.venue.is_synthetic(),
            groups: m.groups.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupAccuracyDoc {
    first_step: u32,
    last_step: u32,
    predictions: usize,
    origins: usize,
    independent: usize,
    mae: Option<f64>,
    rmse: Option<f64>,
    mape: Option<f64>,
    skill: Option<f64>,
    directional_accuracy: Option<f64>,
    directions: usize,
    coverage: Option<f64>,
    interval_level: Option<f64>,
    intervals: usize,
    naive: NaiveDoc,
    statistic: Option<f64>,
    p_value: Option<f64>,
    p_value_holm: Option<f64>,
    verdict: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct NaiveDoc {
    mae: Option<f64>,
    rmse: Option<f64>,
    mape: Option<f64>,
}

impl From<&Metrics> for NaiveDoc {
    fn from(m: &Metrics) -> Self {
        Self { mae: m.mae, rmse: m.rmse, mape: m.mape }
    }
}

impl From<&GroupAccuracy> for GroupAccuracyDoc {
    fn from(g: &GroupAccuracy) -> Self {
        Self {
            first_step: g.steps.0,
            last_step: g.steps.1,
            predictions: g.n,
            origins: g.origins,
            independent: g.independent,
            mae: g.metrics.mae,
            rmse: g.metrics.rmse,
            mape: g.metrics.mape,
            skill: g.skill,
            directional_accuracy: g.metrics.directional_accuracy,
            directions: g.n_directional,
            coverage: g.coverage,
            interval_level: g.level,
            intervals: g.n_intervals,
            naive: (&g.naive).into(),
            statistic: g.test.map(|t| t.statistic),
            p_value: g.test.map(|t| t.p_value),
            p_value_holm: g.corrected,
            verdict: g.verdict.clone(),
        }
    }
}
