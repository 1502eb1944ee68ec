//! Studies of a hyperparameter search: their trials, and the folds of a trial or of a walk-forward run. What is
//! recorded is done, so an interrupted search goes on at the first unfinished piece.

use async_trait::async_trait;
use candlecast_core::{Seed, SeriesKey, Timestamp};
use serde_json::Value;

use crate::named::named;
use crate::{MetaError, Page, PageRequest, RunState};

named! {
    /// Which values of an objective are better.
    Goal, "direction", "minimize, maximize" {
        /// Lower is better.
        Minimize = "minimize",
        /// Higher is better.
        Maximize = "maximize",
    }
}

named! {
    /// Where a trial stands.
    TrialState, "state", "running, complete, pruned, failed" {
        /// A worker evaluates it.
        Running = "running",
        /// Evaluated.
        Complete = "complete",
        /// Stopped early as unpromising.
        Pruned = "pruned",
        /// Ended by an error, or its worker died.
        Failed = "failed",
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStudy {
    /// Identity, given by the caller.
    pub id: String,
    /// Run it belongs to.
    pub run_id: Option<String>,
    /// Series searched on.
    pub series: SeriesKey,
    /// Kebab-case id of the model.
    pub model_type: String,
    /// What is optimised, such as `mae`.
    pub objective: String,
    /// Which values are better.
    pub goal: Goal,
    /// The search space.
    pub space: Value,
    /// Recipe of the sampler.
    pub sampler: String,
    /// Recipe of the pruner.
    pub pruner: Option<String>,
    /// Root of all randomness.
    pub seed: Seed,
    /// Trials to make, at least 1.
    pub max_trials: u32,
    /// When it began.
    pub created_at: Timestamp,
}

/// A search as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// What was asked for.
    pub asked: NewStudy,
    /// Where it stands.
    pub state: RunState,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// One configuration under evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The study.
    pub study_id: String,
    /// Number within the study, from 0.
    pub number: u32,
    /// Where it stands.
    pub state: TrialState,
    /// Worker that evaluates it.
    pub owner: String,
    /// The parameters.
    pub params: Value,
    /// The objective's value.
    pub value: Option<f64>,
    /// Everything else measured.
    pub metrics: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialEnd {
    /// Evaluated.
    Complete {
        /// The objective's value.
        value: f64,
        /// Everything else measured.
        metrics: Value,
    },
    /// Stopped early, with the last value seen.
    Pruned {
        /// The objective's last value.
        value: Option<f64>,
        /// Everything else measured.
        metrics: Value,
    },
    /// By an error.
    Failed(String),
}

/// A finished fold. `(scope, trial, fold)` is its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Study, or run of a walk-forward.
    pub scope: String,
    /// Trial within the study; 0 in a run.
    pub trial: u32,
    /// Number of the fold, from 0.
    pub fold: u32,
    /// The objective's value.
    pub value: Option<f64>,
    /// Everything measured.
    pub metrics: Value,
    /// How long it took, ms.
    pub duration_ms: u64,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// The record of searches.
#[async_trait]
pub trait StudyStore: Send + Sync {
    /// Records a study; true when it is new.
    async fn start_study(&self, study: &NewStudy) -> Result<bool, MetaError>;

    /// Records how it ended. Repeating the same end is no error.
    async fn finish_study(&self, study_id: &str, state: RunState, now: Timestamp) -> Result<(), MetaError>;

    /// A study by its identity.
    async fn study(&self, study_id: &str) -> Result<Study, MetaError>;

    /// Studies, newest first.
    async fn studies(&self, page: PageRequest) -> Result<Page<Study>, MetaError>;

    /// Claims a trial's number for a worker: true when it is this worker's to evaluate, false when another has it
    /// or it is done. So no trial is counted twice.
    async fn begin_trial(
        &self,
        study_id: &str,
        number: u32,
        owner: &str,
        params: &Value,
        now: Timestamp,
    ) -> Result<bool, MetaError>;

    /// Records how a trial of this worker ended. Repeating the same end is no error.
    async fn finish_trial(
        &self,
        study_id: &str,
        number: u32,
        owner: &str,
        end: &TrialEnd,
        now: Timestamp,
    ) -> Result<(), MetaError>;

    /// Hands the running trials of a worker that died to another one; returns their numbers in order.
    async fn take_over_trials(&self, study_id: &str, from: &str, to: &str) -> Result<Vec<u32>, MetaError>;

    /// All trials of a study by number.
    async fn trials(&self, study_id: &str) -> Result<Vec<Trial>, MetaError>;

    /// Records a finished fold; true when it is new, else the first record stays.
    async fn put_fold(&self, fold: &Fold) -> Result<bool, MetaError>;

    /// The finished folds of a trial by number.
    async fn folds(&self, scope: &str, trial: u32) -> Result<Vec<Fold>, MetaError>;

    /// Forgets a study with its trials and folds; what it tried stays in the ledger. True when it was there.
    async fn delete_study(&self, study_id: &str) -> Result<bool, MetaError>;
}
