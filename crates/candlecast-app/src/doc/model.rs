//! Documents of `train` and `models`.

use candlecast_core::Timestamp;
use candlecast_pipeline::doc::{ModelReportDoc, ReportDoc, WeighingDoc};
use candlecast_registry::{Exported, Listed, ModelManifest, ServingChange, Tries};
use serde::Serialize;
use serde_json::Value;

use crate::doc::EvidenceDoc;
use crate::models::{Deleted, ElsewhereModel, Indexed, Validated, config_and_pipeline};
use crate::train::{Trained, TrainedModel};

/// A stored model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDoc {
    /// Id in the registry.
    pub id: String,
    /// Series as `venue:symbol:interval`.
    #[serde(skip)]
    pub series: String,
    /// True for generated markets.
    #[serde(skip)]
    pub synthetic: bool,
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
    /// Where its payload lies.
    pub path: String,
    /// Folder of models that holds it, where hosts with folders of their own share the records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    name: Option<String>,
    trained_at: Option<Timestamp>,
    horizon_steps: Option<usize>,
    accuracy: Option<f64>,
    data_points: Option<u64>,
    data_from: Option<Timestamp>,
    data_to: Option<Timestamp>,
    /// Series that it learnt from, and for each of which a model was saved.
    trained_on: Vec<String>,
    /// Series that it learnt from beside them.
    pub pool: Vec<String>,
    metrics: Value,
    baseline_metrics: Value,
    /// What the test part said of it.
    test: Option<EvidenceDoc>,
    /// How much had been scored on candles of the test part when it was saved.
    pub tries: Option<Tries>,
    config: Value,
    pipeline: Value,
    /// How an ensemble weighs its members; told of one model alone, and left out of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    ensemble: Option<WeighingDoc>,
    features: Vec<String>,
    seed: Option<u64>,
    program_version: Option<String>,
    instruction_set: Option<String>,
    sha256: Option<String>,
}

impl ModelDoc {
    /// The document of `manifest`, stored at `path`.
    pub fn of(manifest: &ModelManifest, path: &std::path::Path) -> Self {
        let (config, pipeline) = config_and_pipeline(manifest);
        Self {
            id: manifest.id.clone(),
            series: manifest.key().to_string(),
            synthetic: manifest.venue.is_synthetic(),
            symbol: manifest.symbol.to_string(),
            venue: manifest.venue.to_string(),
            interval: manifest.interval.to_string(),
            model_type: manifest.model_type.to_ascii_lowercase(),
            task: manifest.task.clone(),
            version: manifest.version.to_string(),
            status: manifest.status.to_string(),
            reason: None,
            path: path.display().to_string(),
            folder: None,
            name: Some(manifest.name.clone()),
            trained_at: Some(manifest.trained_at),
            horizon_steps: Some(manifest.horizon_steps),
            accuracy: manifest.accuracy,
            data_points: Some(manifest.data_points),
            data_from: Some(manifest.data_range.from),
            data_to: Some(manifest.data_range.to),
            trained_on: manifest.trained_on.clone(),
            pool: manifest.pool.clone(),
            metrics: manifest.metrics.clone(),
            baseline_metrics: manifest.baseline_metrics.clone(),
            test: EvidenceDoc::of(manifest),
            tries: manifest.tries,
            config,
            pipeline,
            ensemble: None,
            features: manifest.features.iter().map(|f| f.id.clone()).collect(),
            seed: Some(manifest.seed),
            program_version: Some(manifest.program_version.clone()),
            instruction_set: Some(manifest.instruction_set.clone()),
            sha256: Some(manifest.sha256.clone()),
        }
    }
}

impl ModelDoc {
    /// The same with how the model weighs its members.
    #[must_use]
    pub fn with_weighing(self, ensemble: Option<WeighingDoc>) -> Self {
        Self { ensemble, ..self }
    }

    /// The document of a listed version, stored at `path`.
    pub fn listed(l: &Listed, path: &std::path::Path) -> Self {
        if let Some(manifest) = &l.manifest {
            return Self { status: l.status.to_string(), reason: l.reason.clone(), ..Self::of(manifest, path) };
        }
        let family = &l.name.family;
        Self {
            id: l.name.to_string(),
            series: family.key().to_string(),
            synthetic: family.key().venue.is_synthetic(),
            symbol: family.key().symbol.to_string(),
            venue: family.key().venue.to_string(),
            interval: family.key().interval.to_string(),
            model_type: family.model().to_owned(),
            task: family.task().to_owned(),
            version: l.name.version.to_string(),
            status: l.status.to_string(),
            reason: l.reason.clone(),
            path: path.display().to_string(),
            folder: None,
            name: None,
            trained_at: None,
            horizon_steps: None,
            accuracy: None,
            data_points: None,
            data_from: None,
            data_to: None,
            trained_on: vec![],
            pool: vec![],
            metrics: Value::Null,
            baseline_metrics: Value::Null,
            test: None,
            tries: None,
            config: Value::Null,
            pipeline: Value::Null,
            ensemble: None,
            features: vec![],
            seed: None,
            program_version: None,
            instruction_set: None,
            sha256: None,
        }
    }
}

/// A model that lies in another folder.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ElsewhereModelDoc {
    id: String,
    /// What the folder is called; null where that is not on record.
    folder: Option<String>,
    symbol: String,
    venue: String,
    interval: String,
    model_type: String,
    task: String,
    version: String,
    /// Where it stands there.
    status: String,
    trained_at: Timestamp,
    horizon_steps: u32,
    accuracy: Option<f64>,
    sha256: Option<String>,
}

impl From<&ElsewhereModel> for ElsewhereModelDoc {
    fn from(model: &ElsewhereModel) -> Self {
        let (family, key) = (&model.name.family, model.name.family.key());
        Self {
            id: model.name.to_string(),
            folder: model.folder.clone(),
            symbol: key.symbol.to_string(),
            venue: key.venue.to_string(),
            interval: key.interval.to_string(),
            model_type: family.model().to_owned(),
            task: family.task().to_owned(),
            version: model.name.version.to_string(),
            status: model.status.clone(),
            trained_at: model.trained_at,
            horizon_steps: model.horizon_steps,
            accuracy: model.accuracy,
            sha256: model.sha256.clone(),
        }
    }
}

/// A finished training: of one series the model that was saved for it, of several a list of them.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum TrainDoc {
    /// Of one series.
    One(Box<TrainedModelDoc>),
    /// Of several.
    Several {
        /// In the order of the request.
        trained: Vec<TrainedModelDoc>,
    },
}

/// The saved model of one series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainedModelDoc {
    /// As saved.
    pub model: ModelDoc,
    /// True when it serves.
    pub active: bool,
    /// Why it does not.
    pub candidate_because: Option<String>,
    /// Why it does.
    pub active_because: Option<String>,
    /// Why the saved fit ended.
    pub stopped: candlecast_learn::Stop,
    /// Steps behind the weights kept.
    pub steps: usize,
    /// Samples of all series that the fit learned from.
    pub train_samples: usize,
    /// Samples that it stopped on.
    pub valid_samples: usize,
    /// Losses by step.
    pub curve: candlecast_learn::Curve,
    /// Constant features.
    pub dropped_features: Vec<String>,
    /// The forward chain's scores in this series.
    #[serde(flatten)]
    pub report: ReportDoc,
}

impl TrainDoc {
    /// The models, in the order of the request.
    pub fn models(&self) -> &[TrainedModelDoc] {
        match self {
            Self::One(model) => std::slice::from_ref(model),
            Self::Several { trained } => trained,
        }
    }
}

impl From<&Trained> for TrainDoc {
    fn from(t: &Trained) -> Self {
        let mut trained: Vec<TrainedModelDoc> = t.models.iter().map(|model| TrainedModelDoc::of(model, t)).collect();
        if trained.len() == 1 { Self::One(Box::new(trained.remove(0))) } else { Self::Several { trained } }
    }
}

impl TrainedModelDoc {
    fn of(trained: &TrainedModel, training: &Trained) -> Self {
        let (fit, folder) = (&training.fit, training.folder.clone());
        Self {
            model: ModelDoc { folder, ..ModelDoc::of(&trained.manifest, &trained.path) },
            active: trained.candidate_because.is_none(),
            candidate_because: trained.candidate_because.clone(),
            active_because: trained.active_because.clone(),
            stopped: fit.stopped,
            steps: fit.steps,
            train_samples: fit.n_train,
            valid_samples: fit.n_valid,
            curve: fit.curve.clone(),
            dropped_features: fit.dropped.clone(),
            report: (&trained.report).into(),
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

/// A change of what serves at a horizon.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServingChangeDoc {
    at: Timestamp,
    horizon_steps: usize,
    /// Version that served before; null if nothing did.
    from: Option<String>,
    /// Version that serves since; null if nothing does.
    to: Option<String>,
    why: String,
    by: String,
}

impl From<&ServingChange> for ServingChangeDoc {
    fn from(c: &ServingChange) -> Self {
        Self {
            at: c.at,
            horizon_steps: c.horizon,
            from: c.from.map(|version| version.to_string()),
            to: c.to.map(|version| version.to_string()),
            why: c.why.to_string(),
            by: c.by.clone(),
        }
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
            id: e.manifest.id.clone(),
            file: e.payload_path.display().to_string(),
            meta_file: e.meta_path.display().to_string(),
            bytes: e.manifest.payload_bytes,
            sha256: e.manifest.sha256.clone(),
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
    /// Models that the index cannot show, since another folder has given their name to another model.
    taken: usize,
}

impl From<&Indexed> for IndexedDoc {
    fn from(i: &Indexed) -> Self {
        Self { added: i.added, changed: i.changed, removed: i.removed, taken: i.taken }
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
    task: String,
    /// The baseline that verdicts compare with; null where nothing can be scored yet.
    reference: Option<String>,
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
        let (manifest, v) = (&validated.manifest, &validated.validation);
        let report = v.report.as_ref();
        Self {
            id: manifest.id.clone(),
            venue: manifest.venue.to_string(),
            symbol: manifest.symbol.to_string(),
            interval: manifest.interval.to_string(),
            synthetic: manifest.venue.is_synthetic(),
            task: manifest.task.clone(),
            reference: report.map(|r| r.reference.clone()),
            horizon_steps: manifest.horizon_steps,
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
