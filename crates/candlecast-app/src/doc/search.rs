//! Documents of `hpo`.

use candlecast_core::{ModelRequest, Problem, TimeRange, Timestamp};
use candlecast_learn::Fold;
use candlecast_meta::{Trial, TrialState};
use candlecast_pipeline::Evaluation;
use candlecast_pipeline::doc::{ModelReportDoc, ReportDoc};
use candlecast_tune::{Importance, Study};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::search::{KeptTrial, SearchJob, record_of};
use crate::train::TrainedModel;

/// A search: what was asked for, its trials, and what came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchDoc {
    /// The job.
    pub job_id: String,
    /// `queued`, `running`, `completed`, `failed`, `cancelled` or `interrupted`.
    pub status: String,
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Candle length.
    pub interval: String,
    /// True for generated markets.
    pub synthetic: bool,
    /// Id of the model.
    pub model: String,
    /// `price`, `direction` or `volatility`.
    pub task: String,
    /// Steps ahead.
    pub horizon_steps: usize,
    /// Id of the sampler.
    pub method: String,
    /// What trials are compared by: one, or a list of several.
    pub metric: Value,
    /// The request as it runs, space and defaults included.
    pub request: Value,
    /// Stretches that trials are scored on; empty until the search is completed.
    pub folds: Vec<StretchDoc>,
    /// The trials, by number.
    pub trials: Vec<TrialDoc>,
    /// Trials that have ended.
    pub trials_done: usize,
    /// Trials that are to be made.
    pub trials_asked: u32,
    /// The configuration with the best value; with several metrics, of the first.
    pub best_parameters: Option<Map<String, Value>>,
    /// Its value, the best of many, and so better than it is.
    pub best_value: Option<f64>,
    /// The value of the reference on the same origins.
    pub naive_value: Option<f64>,
    /// By how many percent the chosen configuration is better than the default one on the hold-out.
    pub improvement: Option<f64>,
    /// Scores on the hold-out, which no trial saw.
    pub hold_out: Option<HoldOutDoc>,
    /// How much each parameter matters for being among the best tenth of the trials, the most important first.
    pub importances: Vec<ImportanceDoc>,
    /// Numbers of the trials that no other dominates; null with one metric.
    pub pareto_front: Option<Vec<u32>>,
    /// Configurations that the hold-out has been looked at with.
    pub looks: Option<usize>,
    /// The saved model, where one was to be saved.
    pub saved: Vec<SavedDoc>,
    /// What else to know.
    pub warnings: Vec<String>,
}

/// A stretch of origins that one fit forecasts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StretchDoc {
    /// First candle that is learnt from.
    pub train_from: Timestamp,
    /// End of the last one.
    pub train_to: Timestamp,
    /// First origin.
    pub from: Timestamp,
    /// Behind the last one.
    pub to: Timestamp,
}

impl From<&Fold> for StretchDoc {
    fn from(fold: &Fold) -> Self {
        Self { train_from: fold.learn_from, train_to: fold.fit_at, from: fold.test.from, to: fold.test.to }
    }
}

/// A trial.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialDoc {
    /// Its number, from 0.
    pub number: u32,
    /// `running`, `completed`, `pruned` or `failed`.
    pub state: &'static str,
    /// Its configuration.
    pub parameters: Value,
    /// Figures of its forecasts, their errors before any factor; null unless it is completed.
    pub metrics: Value,
    /// Value of the metric; of a pruned trial the last that was reported.
    pub value: Option<f64>,
    /// The value of the reference.
    pub naive_value: Option<f64>,
    /// The last step that was reported to the pruner.
    pub epoch: Option<u32>,
    /// Losses of the last fit by epoch; of a pruned trial the validation losses of the first.
    pub curve: CurveDoc,
    /// When it began.
    pub started_at: Timestamp,
    /// Time that it took, ms.
    pub duration_ms: Option<u64>,
    /// What it failed by.
    pub error: Option<String>,
}

/// Losses by epoch or round.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CurveDoc {
    /// On the training part.
    pub train: Vec<Option<f64>>,
    /// On the validation part.
    pub valid: Vec<Option<f64>>,
}

impl TrialDoc {
    /// The document of `trial`, whose value is that of `metric`.
    fn new(trial: &Trial, metric: &str) -> Self {
        let kept = KeptTrial::of(trial);
        let told = |values: &[f64]| values.iter().map(|value| value.is_finite().then_some(*value)).collect();
        let curve = match trial.state {
            TrialState::Pruned => {
                CurveDoc { train: vec![], valid: kept.curve.iter().map(|(_, value)| *value).collect() }
            }
            _ => CurveDoc { train: told(&kept.train_curve), valid: told(&kept.valid_curve) },
        };
        Self {
            number: trial.number,
            state: match trial.state {
                TrialState::Running => "running",
                TrialState::Complete => "completed",
                TrialState::Pruned => "pruned",
                TrialState::Failed => "failed",
            },
            parameters: trial.params.clone(),
            value: trial.value,
            naive_value: kept.reference[metric].as_f64(),
            metrics: kept.metrics,
            epoch: kept.curve.last().map(|(step, _)| *step),
            curve,
            started_at: trial.started_at,
            duration_ms: trial.finished_at.map(|_| kept.duration_ms),
            error: trial.error.clone(),
        }
    }
}

/// Scores on the hold-out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldOutDoc {
    /// First origin.
    pub from: Timestamp,
    /// Behind the last one.
    pub to: Timestamp,
    /// The configuration that was chosen.
    pub winner: Option<ModelReportDoc>,
    /// The default one; the same where that was chosen.
    pub default: Option<ModelReportDoc>,
    /// The reference.
    pub naive: Option<ModelReportDoc>,
}

impl HoldOutDoc {
    /// Of the evaluation of the chosen configuration, and of the default one where it is another.
    pub fn new(range: TimeRange, winner: &Evaluation, default: Option<&Evaluation>) -> Self {
        let own = |evaluation: &Evaluation| {
            ReportDoc::from(&evaluation.report).models.into_iter().find(|model| !model.baseline)
        };
        let report = ReportDoc::from(&winner.report);
        let naive = report.models.into_iter().find(|model| model.model == report.reference);
        let winner = own(winner);
        let default = default.map_or_else(|| winner.clone(), own);
        Self { from: range.from, to: range.to, winner, default, naive }
    }
}

/// How much a parameter matters.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportanceDoc {
    /// The parameter.
    pub param: String,
    /// Its share, of 1 over all.
    pub value: f64,
    /// Standard deviation of the share over resampled trials.
    pub spread: f64,
}

impl From<Importance> for ImportanceDoc {
    fn from(importance: Importance) -> Self {
        let Importance { param, value, spread } = importance;
        Self { param, value, spread }
    }
}

/// A model that a search has saved.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedDoc {
    /// Id in the registry.
    pub id: String,
    /// Where it lies.
    pub file: String,
    /// Its version.
    pub version: String,
    /// True where it serves.
    pub active: bool,
    /// Why it does not.
    pub candidate_because: Option<String>,
}

impl From<&TrainedModel> for SavedDoc {
    fn from(model: &TrainedModel) -> Self {
        Self {
            id: model.manifest.id.clone(),
            file: model.path.display().to_string(),
            version: model.manifest.version.to_string(),
            active: model.candidate_because.is_none(),
            candidate_because: model.candidate_because.clone(),
        }
    }
}

impl SearchDoc {
    /// What the `trials` of `job` on record tell by themselves, without a hold-out.
    pub(crate) fn new(id: &str, status: &str, job: &SearchJob, trials: &[Trial]) -> Result<Self, Problem> {
        let metrics = job.metrics()?;
        let first = metrics[0].id;
        let records = trials.iter().map(record_of).collect::<Result<Vec<_>, _>>()?;
        let study = Study::resume(job.plan()?, &records)?;
        let is_one = metrics.len() == 1;
        let goal = metrics[0].goal;
        let complete = trials.iter().filter(|trial| trial.state == TrialState::Complete);
        let loss = |trial: &&Trial| trial.value.map_or(f64::INFINITY, |value| goal.loss(value));
        let best = complete.min_by(|a, b| loss(a).total_cmp(&loss(b)));
        let ModelRequest { id: model, .. } = &job.model;
        Ok(Self {
            job_id: id.into(),
            status: status.into(),
            venue: job.series.venue.to_string(),
            symbol: job.series.symbol.to_string(),
            interval: job.series.interval.to_string(),
            synthetic: job.series.venue.is_synthetic(),
            model: model.clone(),
            task: job.common.task.clone(),
            horizon_steps: job.common.horizon,
            method: job.method_id().into(),
            metric: if is_one { json!(first) } else { metrics.iter().map(|metric| metric.id).collect() },
            request: serde_json::to_value(job).unwrap_or_default(),
            folds: vec![],
            trials_done: trials.iter().filter(|trial| trial.state != TrialState::Running).count(),
            trials_asked: study.plan().trials,
            best_parameters: best.and_then(|trial| trial.params.as_object().cloned()),
            best_value: best.and_then(|trial| trial.value),
            naive_value: best.and_then(|trial| KeptTrial::of(trial).reference[first].as_f64()),
            trials: trials.iter().map(|trial| TrialDoc::new(trial, first)).collect(),
            improvement: None,
            hold_out: None,
            importances: study.importances().into_iter().map(ImportanceDoc::from).collect(),
            pareto_front: (!is_one).then(|| study.pareto_front()),
            looks: None,
            saved: vec![],
            warnings: vec![],
        })
    }
}

/// A search in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchRowDoc {
    /// The job.
    pub job_id: String,
    /// Where it stands.
    pub status: String,
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Candle length.
    pub interval: String,
    /// Id of the model.
    pub model: String,
    /// Id of the sampler.
    pub method: String,
    /// What trials are compared by.
    pub metric: String,
    /// Trials that have ended.
    pub trials: usize,
    /// The best value.
    pub best_value: Option<f64>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A page of searches, newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchesDoc {
    /// The searches.
    pub jobs: Vec<SearchRowDoc>,
    /// What to pass as `--after` for the next page; null on the last.
    pub next: Option<String>,
}
