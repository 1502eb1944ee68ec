//! Runs: every training, evaluation and comparison, with all that is needed to do it again.

use async_trait::async_trait;
use candlecast_core::{Seed, SeriesKey, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::named::named;
use crate::{MetaError, Page, PageRequest};

named! {
    /// Where a run or a study stands.
    RunState, "state", "running, succeeded, failed, cancelled, interrupted" {
        /// Under way.
        Running = "running",
        /// Done.
        Succeeded = "succeeded",
        /// Ended by an error.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Its process died.
        Interrupted = "interrupted",
    }
}

/// What a run works on and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRun {
    /// Identity, given by the caller; starting twice starts once.
    pub id: String,
    /// Such as `train`, `evaluate`, `compare`.
    pub kind: String,
    /// Name that groups runs.
    pub experiment: Option<String>,
    /// Series, where there is one.
    pub series: Option<SeriesKey>,
    /// Kebab-case id of the model, where there is one.
    pub model_type: Option<String>,
    /// Such as `price`, `direction`.
    pub task: Option<String>,
    /// Steps of the horizon.
    pub horizon_steps: Option<u32>,
    /// The whole configuration.
    pub config: Value,
    /// Hash of the configuration; equal ones are the same configuration.
    pub config_hash: String,
    /// Range of the data used.
    pub data_range: Option<TimeRange>,
    /// Fingerprint of the data used.
    pub data_fingerprint: Option<String>,
    /// Root of all randomness.
    pub seed: Seed,
    /// Version of the program.
    pub program_version: String,
    /// Instruction set, on which the last bits depend.
    pub instruction_set: String,
    /// The job that does it, if one does.
    pub job_id: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
}

/// A run as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was asked for.
    pub asked: NewRun,
    /// Where it stands.
    pub state: RunState,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What came out.
    pub result: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Which runs are wanted; an empty filter wants all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// On this series.
    pub series: Option<SeriesKey>,
    /// In this state.
    pub state: Option<RunState>,
    /// With this model.
    pub model_type: Option<String>,
    /// With this configuration.
    pub config_hash: Option<String>,
    /// Of this experiment.
    pub experiment: Option<String>,
}

/// The record of runs.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Records that a run began; true when it is new.
    async fn start_run(&self, run: &NewRun) -> Result<bool, MetaError>;

    /// Records how it ended. Repeating the same end is no error; another end is.
    async fn finish_run(
        &self,
        run_id: &str,
        state: RunState,
        result: Option<&Value>,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<(), MetaError>;

    /// A run by its identity.
    async fn run(&self, run_id: &str) -> Result<Run, MetaError>;

    /// Runs of the kind `kind` whose identities begin with `prefix`, in the order of identities, at most `limit` (1 to
    /// 1000).
    async fn runs_named(&self, kind: &str, prefix: &str, limit: u32) -> Result<Vec<Run>, MetaError>;

    /// Runs, newest first.
    async fn runs(&self, filter: &RunFilter, page: PageRequest) -> Result<Page<Run>, MetaError>;

    /// Forgets runs that ended before `before`, at most `limit` of them, with their folds; returns how many. A run that a
    /// model, a line of the ledger or a study refers to stays, and the ledger stays whole.
    async fn forget_runs(&self, before: Timestamp, limit: u32) -> Result<u64, MetaError>;
}
