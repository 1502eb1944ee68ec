//! Documents of `train` and `models`.

use candlecast_core::Timestamp;
use candlecast_pipeline::doc::ModelReportDoc;
use candlecast_registry::{Exported, Listed, Meta};
use serde::Serialize;
use serde_json::Value;

use crate::models::{Deleted, Indexed, Validated};
use crate::train::Trained;

/// A stored model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDoc {
    id: String,
    symbol: String,
    venue: String,
    interval: String,
    model_type: String,
    task: String,
    version: String,
    status: String,
    /// Why it is corrupt, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    path: String,
    name: Option<String>,
    trained_at: Option<Timestamp>,
    horizon_steps: Option<usize>,
    accuracy: Option<f64>,
    data_points: Option<u64>,
    data_from: Option<Timestamp>,
    data_to: Option<Timestamp>,
    metrics: Value,
    baseline_metrics: Value,
    config: Value,
    features: Vec<String>,
    seed: Option<u64>,
    program_version: Option<String>,
    instruction_set: Option<String>,
    sha256: Option<String>,
}

impl ModelDoc {
    /// The document of `meta`, stored at `path`.
    pub fn of(meta: &Meta, path: &std::path::Path) -> Self {
        Self {
            id: meta.id.clone(),
            symbol: meta.symbol.to_string(),
            venue: meta.venue.to_string(),
            interval: meta.interval.to_string(),
            model_type: meta.model_type.to_ascii_lowercase(),
            task: meta.task.clone(),
            version: meta.version.to_string(),
            status: meta.status.to_string(),
            reason: None,
            path: path.display().to_string(),
            name: Some(meta.name.clone()),
            trained_at: Some(meta.trained_at),
            horizon_steps: Some(meta.horizon_steps),
            accuracy: meta.accuracy,
            data_points: Some(meta.data_points),
            data_from: Some(meta.data_range.from),
            data_to: Some(meta.data_range.to),
            metrics: meta.metrics.clone(),
            baseline_metrics: meta.baseline_metrics.clone(),
            config: meta.config.clone(),
            features: meta.features.iter().map(|f| f.id.clone()).collect(),
            seed: Some(meta.seed),
            program_version: Some(meta.program_version.clone()),
            instruction_set: Some(meta.instruction_set.clone()),
            sha256: Some(meta.sha256.clone()),
        }
    }
}

impl ModelDoc {
    /// The document of a listed version, stored at `path`.
    pub fn listed(l: &Listed, path: &std::path::Path) -> Self {
        if let Some(meta) = &l.meta {
            return Self { status: l.status.to_string(), reason: l.reason.clone(), ..Self::of(meta, path) };
        }
        let slot = &l.name.slot;
        Self {
            id: l.name.to_string(),
            symbol: slot.key().symbol.to_string(),
            venue: slot.key().venue.to_string(),
            interval: slot.key().interval.to_string(),
            model_type: slot.model().to_owned(),
            task: slot.task().to_owned(),
            version: l.name.version.to_string(),
            status: l.status.to_string(),
            reason: l.reason.clone(),
            path: path.display().to_string(),
            name: None,
            trained_at: None,
            horizon_steps: None,
            accuracy: None,
            data_points: None,
            data_from: None,
            data_to: None,
            metrics: Value::Null,
            baseline_metrics: Value::Null,
            config: Value::Null,
            features: vec![],
            seed: None,
            program_version: None,
            instruction_set: None,
            sha256: None,
        }
    }
}

/// A finished training.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainDoc {
    model: ModelDoc,
    active: bool,
    candidate_because: Option<String>,
    origins: usize,
    interval_level: f64,
    stopped: candlecast_learn::Stop,
    steps: usize,
    train_samples: usize,
    valid_samples: usize,
    curve: candlecast_learn::Curve,
    dropped_features: Vec<String>,
    models: Vec<ModelReportDoc>,
}

impl From<&Trained> for TrainDoc {
    fn from(t: &Trained) -> Self {
        Self {
            model: ModelDoc::of(&t.meta, &t.path),
            active: t.candidate_because.is_none(),
            candidate_because: t.candidate_because.clone(),
            origins: t.report.origins,
            interval_level: t.report.level,
            stopped: t.fit.stopped,
            steps: t.fit.steps,
            train_samples: t.fit.n_train,
            valid_samples: t.fit.n_valid,
            curve: t.fit.curve.clone(),
            dropped_features: t.fit.dropped.clone(),
            models: t.report.models.iter().map(Into::into).collect(),
        }
    }
}

/// A deleted model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedDoc {
    deleted: String,
    served: bool,
    /// Id of what serves now; null if nothing does.
    serves: Option<String>,
}

impl From<&Deleted> for DeletedDoc {
    fn from(d: &Deleted) -> Self {
        Self { deleted: d.name.to_string(), served: d.served, serves: d.serves.as_ref().map(ToString::to_string) }
    }
}

/// A model that was copied out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadDoc {
    id: String,
    file: String,
    meta_file: String,
    bytes: u64,
    sha256: String,
}

impl From<&Exported> for DownloadDoc {
    fn from(e: &Exported) -> Self {
        Self {
            id: e.meta.id.clone(),
            file: e.payload_path.display().to_string(),
            meta_file: e.meta_path.display().to_string(),
            bytes: e.meta.payload_bytes,
            sha256: e.meta.sha256.clone(),
        }
    }
}

/// What was done to the index of models.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexedDoc {
    added: usize,
    changed: usize,
    removed: usize,
}

impl From<&Indexed> for IndexedDoc {
    fn from(i: &Indexed) -> Self {
        Self { added: i.added, changed: i.changed, removed: i.removed }
    }
}

/// A saved model on candles that it has not learnt from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationDoc {
    id: String,
    venue: String,
    symbol: String,
    interval: String,
    synthetic: bool,
    horizon_steps: usize,
    trained_to: Timestamp,
    days: u32,
    seen_candles: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    origins: usize,
    independent: usize,
    left_out: usize,
    interval_level: Option<f64>,
    remark: String,
    /// Empty where nothing can be scored yet.
    models: Vec<ModelReportDoc>,
}

impl From<&Validated> for ValidationDoc {
    fn from(validated: &Validated) -> Self {
        let (meta, v) = (&validated.meta, &validated.validation);
        let report = v.report.as_ref();
        Self {
            id: meta.id.clone(),
            venue: meta.venue.to_string(),
            symbol: meta.symbol.to_string(),
            interval: meta.interval.to_string(),
            synthetic: meta.venue.is_synthetic(),
            horizon_steps: meta.horizon_steps,
            trained_to: v.trained_to,
            days: v.days,
            seen_candles: v.seen,
            from: v.scored.map(|r| r.from),
            to: v.scored.map(|r| r.to),
            origins: report.map_or(0, |r| r.origins),
            independent: v.independent,
            left_out: report.map_or(0, |r| r.left_out),
            interval_level: report.map(|r| r.level),
            remark: v.remark.clone(),
            models: report.map_or_else(Vec::new, |r| r.models.iter().map(Into::into).collect()),
        }
    }
}
